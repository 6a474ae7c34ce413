"""Accuracy of networks whose weights are stored in SPARK, beside int8, int4 and float32.

    python benchmarks/spark_accuracy.py --out benchmarks/results        # some minutes on one core
    python benchmarks/spark_accuracy.py braille --splits 1              # a part

Classifiers are trained in float, then trained on for some epochs: once more in float, and in each format from the same
float weights. The float network's weights are also rounded to each format without any training. Language models are
rounded only. Biases, thresholds and states stay float32, and so do events but in lines of their own, where the values
that neurons send are rounded to the format as well, by ranges of a run of other samples. Every score is that of a
network with those numbers, run on the CPU engine on what was held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import low_bits
import numpy as np
import numpy.typing as npt
import torch
from engine_report import machine
from low_bits_tasks import TASKS, Task
from spark_accuracy_report import FORMATS, LANGUAGE, TRAINED, Result, Row, read, write

from neuromorph import CPU, Network, ms, train
from neuromorph.formats import Float, Int, NumberFormat, Spark, statistics
from neuromorph.language import Neuron
from neuromorph.mapping.payloads import Range, coded
from neuromorph.models import classifier, wikitext
from neuromorph.models.language_model import LanguageModel
from neuromorph.models.language_recipes import RECIPES
from neuromorph.trace import Trace

Array = npt.NDArray[Any]
Matrices = Mapping[str, Array]
MODELS = Path(wikitext.__file__).parent / "data" / "language_model"
WORDS = 20_000
"""Words of the test text that a language model reads."""
SEEN = 2_000
"""Words of the validation text that tell the ranges of its events."""
BY_NEURON, EVENTS = "_by_neuron", "_events"
"""End the name of a format with a scale for each neuron that receives, and where events are in the format, too."""


def format_of(name: str, weights: Array) -> NumberFormat:
    """A format of :data:`.spark_accuracy_report.FORMATS` for a matrix."""
    name = name.removesuffix(BY_NEURON).removesuffix(EVENTS)
    if name.startswith("int"):
        return Int(int(name.removeprefix("int")))
    if name.startswith("spark_to_"):  # the largest weight gets this code
        return Spark(scale=float(np.abs(weights).max(initial=0)) / int(name.removeprefix("spark_to_")) or 1.0)
    return {"float32": Float(32), "spark": Spark(), "spark_nearest": Spark(rounding="nearest"),
            "spark_twos_complement": Spark(sign="twos_complement")}[name]  # fmt: skip


def axis_of(name: str) -> int | None:
    """Which axis of a matrix (n_pre, n_post) has scales of its own."""
    return 1 if name.endswith(BY_NEURON) else None


def stored(matrices: Matrices, name: str) -> dict[str, Array]:
    """Matrices as a format keeps them."""
    return {
        key: np.asarray(format_of(name, w).encode(w, axis=axis_of(name)).decode(), w.dtype)
        for key, w in matrices.items()
    }


def counted(matrices: Matrices, format: Callable[[str, Array], NumberFormat], axis: int | None) -> dict[str, float]:
    """Bits for a weight and shares of short and lossy codes, over all matrices; weights that are zero are stored."""
    found = [statistics(format(key, w), w, axis=axis) for key, w in matrices.items()]
    sizes = np.array([each.count for each in found], float)
    means = {
        "bits": [each.bits_per_value for each in found],
        "short": [each.short_share for each in found],
        "lossy": [each.lossy_share for each in found],
    }
    return {key: float(np.average(values, weights=sizes)) for key, values in means.items()}


def matrices_of(network: Network) -> dict[str, Array]:
    """Matrices of the projections of a network by name."""
    names = {projection.name for projection in network.projections}
    return {name: np.asarray(v, np.float32) for name, v in classifier.parameters(network).items() if name in names}


def with_matrices(network: Network, matrices: Matrices) -> Network:
    """The same network with other matrices."""
    return classifier.with_parameters(network, classifier.parameters(network) | dict(matrices))


TRAINING: Mapping[str, Callable[[], Any]] = {
    "int8": train.Int8,
    "int6": lambda: train.Integers(6),
    "int5": lambda: train.Integers(5),
    "int4": lambda: train.Integers(4),
    "int4_lsq": lambda: train.LSQ(4),
    "spark": train.Spark,
    "spark_nearest": lambda: train.Spark("nearest"),
    "spark_learned": lambda: train.Spark(scale="learned"),
    "spark_to_47": lambda: train.Spark(largest=47),
    "spark_to_15": lambda: train.Spark(largest=15),
}
"""Formats of training, by the names of :data:`.spark_accuracy_report.TRAINED`."""


def weights_alone(task: Task) -> Task:
    """The task with biases and events in float32."""
    return replace(task, biases=(), outside=(), inside=(), rounding=lambda network, bits: network)


def trained_under(task: Task, start: Network, seed: int, epochs: int, name: str) -> low_bits.Trained:
    """A network trained on with its weights in a format."""
    method = low_bits.Method(lambda bits: TRAINING[name](), lambda bits, n: train.PACT(bits))
    return low_bits.fine_tuned(weights_alone(task), start, seed, epochs, 8, method)


def format_used(module: train.Module, name: str) -> Callable[[str, Array], NumberFormat]:
    """The format of each matrix that training made, with the scale that it has in the end."""
    codes = train.codes(module)
    if not name.startswith("spark"):
        return lambda key, w: Int(int(name.removeprefix("int").removesuffix("_lsq")))
    rounding: Any = "nearest" if name == "spark_nearest" else "paper"
    return lambda key, w: Spark(rounding=rounding, scale=float(codes[key].scale))


def with_events(network: Network, name: str, ranges: Mapping[str, Range]) -> Network:
    """The network, its neurons sending values of a format if its name says so."""
    return coded(network, name.removesuffix(EVENTS), ranges) if name.endswith(EVENTS) else network


def ranges_of(network: Network, trace: Trace) -> dict[str, Range]:
    """Ranges of the values that neurons send to others."""
    sending = {p.pre.name: p.pre.neuron for p in network.projections}
    found = {name: trace.events(name).values for name, neuron in sending.items() if isinstance(neuron, Neuron)}
    return {name: Range.of(values) for name, values in found.items() if values is not None}


def seen(task: Task, network: Network, seed: int) -> dict[str, Range]:
    """Ranges of the events in a batch of the samples that training has."""
    inputs, _ = next(task.epoch(seed, np.random.default_rng(seed)))
    program = CPU(threads=1).compile(network, dt=classifier.DT, progress=False)
    steps = inputs.shape[1] + len(network.populations)
    with TemporaryDirectory() as folder:
        batch = program.run_batch(
            {network.populations[0].name: inputs}, steps, out=Path(folder) / "trace.h5", progress=False
        )
        return ranges_of(network, batch.trace)


def classify(task: Task, seed: int, formats: list[str]) -> list[Row]:
    """Every format on one split."""
    began, rows = process_time(), []
    start = task.start(seed)
    if start is None:
        start = low_bits.fine_tuned(task, task.untrained(seed), seed, task.first_epochs, rate=task.first_rate).network

    def add(name: str, trained: bool, network: Network, counts: Mapping[str, float]) -> None:
        accuracy = task.accuracy(CPU(threads=1), network, seed)
        rows.append(Row(task.name, name, trained, seed, accuracy, **counts))
        about = "trained" if trained else "rounded"
        print(f"{task.name}, split {seed}, {name}, {about}: {accuracy:.2%}, {counts['bits']:.2f} bits "
              f"({process_time() - began:.0f} s)", flush=True)  # fmt: skip

    network = low_bits.fine_tuned(task, start, seed, task.epochs).network
    matrices, ranges = matrices_of(network), seen(task, network, seed)
    names = [f for f in formats if ranges or not f.endswith(EVENTS)]
    for name in (f for f in FORMATS if f in names):
        counts = counted(matrices, lambda key, w, name=name: format_of(name, w), axis_of(name))
        made = network if name == "float32" else with_matrices(network, stored(matrices, name))
        add(name, False, with_events(made, name, ranges), counts)
    for name in (f for f in TRAINING if f in names or f + EVENTS in names):
        found = trained_under(task, start, seed, task.epochs, name)
        counts = counted(matrices_of(found.network), format_used(found.module, name), None)
        for each in (f for f in (name, name + EVENTS) if f in names and f in TRAINED):
            add(each, True, with_events(found.network, each, seen(task, found.network, seed)), counts)
    return rows


def gates(model: LanguageModel) -> dict[str, Array]:
    """Matrices of a model's layers, one for each projection: by layer, input or recurrent, and gate."""
    return {
        f"{number} {kind} {gate}": kernel[:, gate * layer.units : (gate + 1) * layer.units]
        for number, layer in enumerate(model.layers)
        for kind, kernel in (("in", layer.kernel), ("recurrent", layer.recurrent_kernel))
        for gate in range(3)
    }


def with_gates(model: LanguageModel, found: Matrices) -> LanguageModel:
    """The model with other matrices in its layers."""

    def kernel(number: int, kind: str) -> Array:
        return np.concatenate([found[f"{number} {kind} {gate}"] for gate in range(3)], axis=1)

    layers = tuple(
        replace(layer, kernel=kernel(k, "in"), recurrent_kernel=kernel(k, "recurrent"))
        for k, layer in enumerate(model.layers)
    )
    return replace(model, layers=layers)


def synapses(matrices: Matrices) -> dict[str, Array]:
    """The weights that a chip stores: without zeros, where less than half of a matrix is not zero."""
    return {key: w if 2 * np.count_nonzero(w) > w.size else w[w != 0][None] for key, w in matrices.items()}


def speak(title: str, formats: list[str], words: int) -> list[Row]:
    """Perplexity of a language model in every format, of the layers alone and of layers and embedding."""
    began, rows = process_time(), []
    model = LanguageModel.load(MODELS / f"{title.removesuffix('_embedding')}.h5")
    embedding = title.endswith("_embedding")
    ids = wikitext.tokens("test")[: words + 1]
    window = RECIPES[str(model.meta["recipe"])].cut
    matrices = gates(model)
    kept = synapses(matrices)
    sparse = any(w.shape[0] == 1 for w in kept.values())
    before = model.network(wikitext.tokens("valid")[:SEEN], window=window)
    ranges = ranges_of(before, CPU(threads=1).compile(before, dt=1 * ms, progress=False).run(SEEN, progress=False))
    for name in (f for f in FORMATS if f in formats):
        if (embedding and "_to_" in name) or (sparse and axis_of(name) is not None):
            continue
        chosen = model if name == "float32" else with_gates(model, stored(matrices, name))
        if embedding:  # a scale for each word
            each = format_of(name, model.embedding)
            chosen = replace(chosen, embedding=each.encode(model.embedding, axis=0).decode().astype(np.float32))
            counts = counted({"": model.embedding}, lambda key, w, each=each: each, 0)
        else:
            counts = counted(kept, lambda key, w, name=name: format_of(name, w), axis_of(name))
        network = with_events(chosen.network(ids[:-1], window=window), name, ranges)
        program = CPU(threads=1).compile(network, dt=1 * ms, progress=False)
        score = chosen.perplexity(chosen.read(program, words)[0], ids[1:])
        rows.append(Row(title, name, False, 0, score, **counts))
        print(f"{title}, {name}: {score:.2f}, {counts['bits']:.2f} bits ({process_time() - began:.0f} s)", flush=True)
    return rows


def keep(folder: Path, rows: list[Row], words: int) -> None:
    """Write what was found beside what the folder has of other networks, formats and splits."""
    file = folder / "spark_accuracy.json"
    before = read(file) if file.exists() else Result({}, words, ())
    if before.words != words:
        raise SystemExit(f"{file}: its language models read {before.words:,} words, not {words:,}; take another folder")
    found = {(r.network, r.format, r.trained, r.split): r for r in (*before.rows, *rows)}
    networks, formats = [*TASKS, *LANGUAGE], [*{**FORMATS, **TRAINED}]
    order = sorted(found, key=lambda k: (networks.index(k[0]), k[3], k[2], formats.index(k[1])))
    write(Result(machine(), words, tuple(found[key] for key in order)), folder)


def main() -> None:
    """Train, round, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*TASKS, *LANGUAGE]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(every)} (default: all)")
    parser.add_argument("--splits", type=int, help="instead of each task's number of random splits")
    parser.add_argument("--formats", default=",".join({**FORMATS, **TRAINED}), help="default: all")
    parser.add_argument("--words", type=int, default=WORDS, help=f"that language models read; default: {WORDS:,}")
    parser.add_argument("--out", type=Path, help="folder for spark_accuracy.json and .md; what else it has is kept")
    options = parser.parse_args()
    parts, formats = options.parts or every, options.formats.split(",")
    if unknown := set(parts) - set(every):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    torch.set_num_threads(1)
    for part in parts:
        if part in LANGUAGE:
            rows = speak(part, formats, options.words)
        else:
            task = TASKS[part]
            rows = [row for seed in range(options.splits or task.splits) for row in classify(task, seed, formats)]
        if options.out is not None:
            keep(options.out, rows, options.words)


if __name__ == "__main__":
    main()
