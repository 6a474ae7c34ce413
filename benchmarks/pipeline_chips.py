"""Layers that overlap in time on SpiNNaker2: layer by layer, step by step and pipelined, for the models that we ship.

    python benchmarks/pipeline_chips.py [CASE ...] [--out FOLDER]

Each case is a network on a number of chips; one run of it is scheduled in three ways, with the same events. Cycles of
every PE and step, packets and bytes are exact counts of that run; times and energies are models with the target's
constants, some of them assumed; a published figure stands beside ours where there is one. Nothing is timed on this
computer.

Writes ``pipeline_chips.json`` and ``.md`` into the folder; cases that are not run keep what is there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import language_model_chip as chip
import language_model_shape as shape

from neuromorph import Network, first_difference, ms
from neuromorph.engine.tables import text_table
from neuromorph.mapping.machine import spinnaker2
from neuromorph.mapping.pipeline.chips import Schedules, layer_partition, schedules
from neuromorph.mapping.readable import joules, seconds
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program
from neuromorph.models import braille, braille_letters, classifier, decoder, digits, perceptron, wikitext
from neuromorph.models.language_model import LanguageModel
from neuromorph.trace import Trace

RESULTS = Path(__file__).parent / "results"
TRAINED = Path(wikitext.__file__).parent / "data" / "language_model" / "egru.h5"
Run = tuple[SpiNNaker2Program, Trace]
Runner = Callable[[SpiNNaker2, Path], Run]
LOW = {"dvfs": "low", "rows": "indexed"}
"""Slow and frugal, and rows that are found fast, as on the PEs of a target with ``pes=``."""


@dataclass(frozen=True)
class Case:
    """A network on chips.

    Attributes
    ----------
    title : str
    run : function of target and folder to program and trace
    options : dict
        Of the target.
    pes : int or None
        Give each layer PEs of its own, so many together; None: as ``options`` say.
    published : bool
        Whether it is the language model that is published, by its shape.
    """

    title: str
    run: Runner
    options: dict[str, Any]
    pes: int | None = None
    published: bool = False


def once(network: Callable[[], Network], dt: Any, steps: int) -> Runner:
    """Compile and run a network with inputs of its own."""

    def run(target: SpiNNaker2, folder: Path) -> Run:
        program = target.compile(network(), dt=dt, progress=False)
        return program, program.run(steps, progress=False)

    return run


def given(network: Callable[[], Network], dt: Any, name: str, inputs: Callable[[], Any], steps: int) -> Runner:
    """Run samples, one after another, that are given to a population: (samples, steps, n)."""

    def run(target: SpiNNaker2, folder: Path) -> Run:
        program = target.compile(network(), dt=dt, progress=False)
        batch = program.run_batch({name: inputs()}, steps, out=folder / "trace.h5", progress=False)
        assert batch.trace is not None
        return program, batch.trace

    return run


def read(model: Callable[[], LanguageModel], words: int) -> Runner:
    """A language model that reads words of WikiText-2's test text."""

    def run(target: SpiNNaker2, folder: Path) -> Run:
        made = model()
        program = target.compile(made.network(wikitext.tokens("test")[:words]), dt=1 * ms, progress=False)
        return program, program.run(words + made.latency, progress=False)

    return run


def letters(touches: int = 4) -> Runner:
    """The trained EGRU on touches that are held out."""

    def pressure() -> Any:
        return braille_letters.recordings().pressure[braille_letters.split()[1][:touches]]

    return given(lambda: braille_letters.trained("egru"), classifier.DT, "touch", pressure, braille_letters.RUN["egru"])


def images(count: int = 200) -> Runner:
    """The trained perceptron on images that are held out, one in each step."""

    def pixels() -> Any:
        held = digits.images()[0][digits.split()[1][:count]]
        return perceptron.code(held).transpose(1, 0, 2)

    return given(perceptron.trained, classifier.DT, "pixels", pixels, count + 3)


def cases() -> dict[str, Case]:
    """All cases by name."""
    made: list[LanguageModel] = []

    def published() -> LanguageModel:
        if not made:
            made.append(shape.model())
        return made[0]

    lm, small = read(published, shape.TOKENS), read(lambda: LanguageModel.load(TRAINED), 200)
    by_weights = {"chips": 1, "dvfs": "low", "constants": chip.USABLE}
    reader, events = once(lambda: braille.reader(braille.sample()), braille.DT, len(braille.sample()) + 2), 890
    return {
        "language_model": Case("published shape, PEs by weights", lm, by_weights, None, True),
        "language_model_layers": Case("published shape, layers apart", lm, by_weights, shape.PES, True),
        "language_model_2": Case("published shape, layers apart", lm, {"chips": 2} | LOW, 296, True),
        "language_model_4": Case("published shape, layers apart", lm, {"chips": 4} | LOW, 592, True),
        "trained": Case("trained, layers apart", small, {"chips": 1} | LOW, 148),
        "trained_2": Case("trained, layers apart", small, {"chips": 2} | LOW, 240),
        "braille": Case("Braille reader, spiking", reader, {}, 12),
        "letters": Case("Braille letters, EGRU", letters(), {}, 12),
        "decoder": Case("EGRU decoder", once(lambda: decoder.decoder(decoder.recording().x), 10 * ms, events), {}, 4),
        "perceptron": Case("perceptron, digits", images(), {"chips": 1}, 24),
        "perceptron_2": Case("perceptron, digits", images(), {"chips": 2, "place": "spread"}, 24),
    }


def measure(case: Case) -> Schedules:
    """Run a case and schedule the run.

    Layers apart are placed by the work of a run of the target's own partition, and again by that of the first result.
    """
    options = dict(case.options)
    with TemporaryDirectory() as folder:
        if case.published and case.pes is None:
            options["partition"] = shape.by_synapses(shape.model())
        program, trace = case.run(SpiNNaker2(**options), Path(folder))
        for turn in range(2 if case.pes else 0):
            assert case.pes is not None
            options["partition"] = layer_partition(program, case.pes, trace)
            own = Path(folder) / str(turn)
            own.mkdir()
            program, again = case.run(SpiNNaker2(**options), own)
            if (different := first_difference(trace, again)) is not None:
                raise SystemExit(f"{case.title}: not the events of the first partition: {different}")
            trace = again
        return schedules(program, trace, progress=False)


def rows(title: str, found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Lines of the table."""
    return [
        (
            title if k == 0 else "",
            found["machine"] if k == 0 else "",
            name,
            f"{each['throughput']:,.4g}",
            seconds(each["interval"]),
            seconds(each["paced_latency"]),
            joules(each["joules"] / found["steps"]),
            f"{each['joules'] / each['seconds']:.3g} W",
            f"{each['queue_bytes']:,} B",
            f"{each['more_bytes']:,} B" if each["fits"] else f"{each['more_bytes']:,} B, no room",
        )
        for k, (name, each) in enumerate(found["schedules"].items())
    ]


def printed() -> list[str]:
    """What is published of the language model, in words."""
    c = spinnaker2().constants
    figure = {name: c[f"measured.language_model.{name}"] for name in ("time", "energy", "power", "pes", "sequence")}
    each = {name: c.si(f"measured.language_model.{name}") / figure["sequence"].value for name in ("time", "energy")}
    shown = ", ".join(f"{figure[name].value} {figure[name].unit}" for name in ("time", "energy", "power"))
    return [
        f"Published (language model, one chip, {figure['pes'].value} PEs): {shown} for one inference "
        f"({figure['time'].citation}).",
        f"Assumption, as the unit is not stated: that is a sequence of {figure['sequence'].value} tokens, so "
        f"{seconds(each['time'])} and {joules(each['energy'])} a token.",
    ]


def told(stored: dict[str, Any]) -> str:
    """The whole result as text."""
    table: list[tuple[str, ...]] = []
    for each in stored.values():
        table += rows(each["title"], each)
    head = (
        "network", "machine", "schedule", "tokens/s", "a token", "latency", "energy a token", "power", "queue",
        "beyond FIFO",
    )  # fmt: skip
    bounds = [
        f"{each['title']}, {each['machine']}: depth {each['depth']}, bottleneck {each['bottleneck']['pes']} of the PEs "
        f"of {each['bottleneck']['layer']}, {seconds(each['bottleneck']['interval'])} a token alone"
        for each in stored.values()
    ]
    lines = [
        text_table(head, table),
        "",
        "Exact counts of a run: operations, packets and synaptic events of each PE and step; bytes of queues for these",
        "times. Models with assumed constants: times, energies. Latency: tokens come as fast as step by step takes",
        "them, or as fast as this schedule does if that is slower. The queue is that of the PE that has the longest.",
        "",
        *bounds,
        "",
        *printed(),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = cases()
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(known))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.cases) - set(known)):
        parser.error(f"no case {', '.join(unknown)}; there is {', '.join(known)}")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "pipeline_chips.json"
    stored = json.loads(file.read_text()) if file.exists() else {}
    for name in options.cases or known:
        print(f"{name} ...", flush=True)
        stored[name] = {"title": known[name].title, **measure(known[name]).to_dict()}
        stored = {each: stored[each] for each in known if each in stored}
        file.write_text(json.dumps(stored, indent=1) + "\n")
        text = told(stored)
        (options.out / "pipeline_chips.md").write_text(f"```\n{text}\n```\n")
    print(text)


if __name__ == "__main__":
    main()
