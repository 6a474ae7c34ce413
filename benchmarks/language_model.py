"""Language models of EGRU layers, batch 1: on simulated SpiNNaker2 beside the published run, on a CPU and on a GPU.

    python benchmarks/language_model.py [--turns 7] [--threads N] [--skip-dense] [--out FOLDER]

The published model by its shape (``language_model_shape.py``), on chips in several ways (``language_model_chip.py``),
and timed here on our CPU engine, as a module and as a hand-written loop, which take turns; the same of the trained
models that come with the package. Energy is given where it is measured, modelled or quoted, and nowhere else. Figures
of the classifiers are taken from the same folder, if their examples have left any there.

Writes ``language_model.json``, ``.md`` and ``.png`` into the folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import language_model_chip as chip
import language_model_shape as shape
import numpy as np
import numpy.typing as npt
import power
import training
from engine_cases import Case
from engine_process import cores
from engine_report import machine
from language_model_report import JOBS, Classifier, Model, Result, write
from peers import Peer
from training_report import Job

from neuromorph.models import wikitext
from neuromorph.models.language_model import LanguageModel

TRAINED = Path(wikitext.__file__).parent / "data" / "language_model"
TITLES = {"egru": "trained EGRU", "egru_pruned": "trained EGRU, pruned"}
CLASSIFIERS = ("braille_letters.json", "digits.json")
WORDS = 1000
"""Words that a trained model reads on the chips."""
ACTIVE = 0.1
"""Share of a trained model's units that the mapping expects to fire."""
ALIKE = 0.02
"""Fraction by which the activity of a layer may differ between ways to run a model, int8 among them."""
CLOSE = 1e-4
"""Largest difference of outputs between float32 contestants; an event more or less is a larger one."""

PEERS = (
    Peer("words_engine", "CPU engine, float32", "neuromorph", ("words",), own=True),
    Peer("words_engine_int8", "CPU engine, int8", "neuromorph", ("words",), own=True),
    Peer("words_module", "train.Module", "torch", ("words",), own=True),
    Peer("words_loop", "hand-written PyTorch loop", "torch", ("words",)),
)


def on_chips(model: LanguageModel, ids: npt.NDArray[np.int32], ways: Sequence[chip.Way]) -> tuple[chip.Run, ...]:
    """Run a model in several ways.

    Pipelines of float32 weights must give the same events. With layers in turn, sums are taken in another order, so
    that an event may fall on the other side of a threshold; their numbers must agree.
    """
    runs, first = [], None
    for way in ways:
        run, fired = chip.run(model, ids, way)
        print(f"  {way.title}: {run.seconds / run.words * 1e3:.3g} ms, {run.joules / run.words * 1e3:.3g} mJ a word")
        runs.append(run)
        if way.turns or way.target(model).get("weights") is not None:
            continue
        first = first or fired
        if any(not np.array_equal(events, first[name]) for name, events in fired.items()):
            raise SystemExit(f"{way.title}: other units fire than in the pipelines before")
    for run in runs:
        for name, share in run.active.items():
            if abs(share / runs[0].active[name] - 1) > ALIKE:
                raise SystemExit(
                    f"{run.title}: {share:.2%} of {name} fire, in {runs[0].title} {runs[0].active[name]:.2%}"
                )
    return tuple(runs)


def timed(name: str, model: LanguageModel, turns: int, threads: int) -> tuple[tuple[Job, ...], float]:
    """Race the contestants; gives both jobs, and how far outputs of PyTorch and of the engine differ.

    They race with one thread and with all, and each contestant's better number counts.
    """
    folder = training.SCRATCH / name
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.h5")
    case = Case(name, name, "words", {"words": shape.TOKENS})
    jobs = []
    for kind in JOBS:
        raced = [training.race(case, kind, PEERS, turns, count) for count in sorted({1, threads})]
        best = [min(rows, key=lambda row: row.median) for rows in zip(*(job.rows for job in raced), strict=True)]
        jobs.append(Job(kind, tuple(best)))
        for row in best:
            print(
                f"  {row.title}, {JOBS[kind]}: {row.median / shape.TOKENS * 1e3:.3g} ms a word {row.failed}", flush=True
            )
    outputs = {
        peer.name: np.load(folder / f"{peer.name}-sequence" / "outputs.npy")
        for peer, row in zip(PEERS, jobs[0].rows, strict=True)
        if row.times and peer.name != "words_engine_int8"
    }
    engine = outputs["words_engine"]
    difference = max((float(np.abs(other - engine).max()) for other in outputs.values()), default=0.0)
    if difference > CLOSE:
        raise SystemExit(f"{name}: outputs of the contestants differ by {difference:.2g}, above {CLOSE:g}")
    return tuple(jobs), difference


def counts(model: LanguageModel) -> dict[str, int]:
    """Weights of the layers, and those that are not zero; biases and thresholds apart."""
    matrices = [m for layer in model.layers for m in (layer.kernel, layer.recurrent_kernel)]
    return {"weights": sum(m.size for m in matrices), "kept": sum(int(np.count_nonzero(m)) for m in matrices)}


def published_shape(turns: int, threads: int) -> Model:
    """The published model's shape."""
    title = "750-1350-1350-750, 5 % of the weights"
    print(title, flush=True)
    model = shape.model()
    runs = on_chips(model, shape.ids(), chip.PUBLISHED_SHAPE)
    jobs, difference = timed("shape", model, turns, threads)
    return Model("shape", title, shape.TOKENS, **counts(model), runs=runs, jobs=jobs, difference=difference)


def dense_shape() -> Model:
    """The same shape with all weights."""
    title = "750-1350-1350-750, all weights"
    print(title, flush=True)
    model = shape.model(density=1.0)
    runs = on_chips(model, shape.ids(), chip.DENSE_SHAPE)
    return Model("dense", title, shape.TOKENS, **counts(model), runs=runs)


def trained(path: Path, turns: int, threads: int) -> Model:
    """A trained model; times of the contestants are for fewer words than it reads on the chips."""
    model = LanguageModel.load(path)
    sizes = "-".join(str(n) for n in (model.embedding.shape[1], *(layer.units for layer in model.layers)))
    title = f"{TITLES[path.stem]}, {sizes}"
    print(title, flush=True)
    runs = on_chips(model, wikitext.tokens("test")[:WORDS], chip.trained_ways(ACTIVE))
    jobs, difference = timed(path.stem, model, turns, threads)
    return Model(path.stem, title, shape.TOKENS, **counts(model), runs=runs, jobs=jobs, difference=difference)


def classifiers(folder: Path) -> tuple[Classifier, ...]:
    """What the examples of the classifiers found on SpiNNaker2: the first split of each network."""
    found: dict[tuple[str, str], Classifier] = {}
    for name in CLASSIFIERS:
        rows: list[Mapping[str, object]] = json.loads((folder / name).read_text()) if (folder / name).exists() else []
        for row in rows:
            key = str(row["network"]), str(row["weights"])
            if "model_joules_per_sample" in row and key not in found:
                numbers = (row["accuracy"], row["pes"], row["model_seconds_per_sample"], row["model_joules_per_sample"])
                found[key] = Classifier(*key, *numbers)  # type: ignore[arg-type]
    return tuple(found.values())


def device() -> str:
    """What the PyTorch contestants run on."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU, as no GPU is here"


def main() -> None:
    """Run, measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--skip-dense", action="store_true", help="leave out the model with all weights")
    parser.add_argument("--out", type=Path, default=training.SCRATCH.parent)
    options = parser.parse_args()
    models = [published_shape(options.turns, options.threads)]
    models += [] if options.skip_dense else [dense_shape()]
    models += [
        trained(TRAINED / f"{name}.h5", options.turns, options.threads)
        for name in TITLES
        if (TRAINED / f"{name}.h5").exists()
    ]
    meter = power.processor()[1]
    found = classifiers(options.out)
    result = Result(machine(), options.threads, device(), meter, tuple(models), found)
    write(result, options.out)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
