"""Events of trained networks as payloads: packets, bits, energy of every encoding, and what its values cost in quality.

    python benchmarks/payloads.py [CASE ...] [--out FOLDER]      # decoder, language_model, language_model_spread

The decoder is judged by its velocity against the run with floats, the language model by the perplexity of its words.
Counts are exact and do not depend on the machine that this runs on; nothing is timed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph import CPU, ms
from neuromorph.engine.tables import Table
from neuromorph.mapping.payloads import PayloadComparison, coded, replay, save_figure
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import decoder, language_model, wikitext
from neuromorph.network import Network
from neuromorph.trace import Trace

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Case:
    """A network, how long it runs, where, and what its trace is worth.

    Attributes
    ----------
    title : str
    measure : str
        What ``quality`` gives, in words.
    make : function of steps to (Network, Quality)
        Quality of a trace beside that of floats, which is given first.
    steps : int
    target : dict
        Options of SpiNNaker2.
    """

    title: str
    measure: str
    make: Callable[[int], tuple[Network, Callable[[Trace, Trace], float]]]
    steps: int
    target: dict[str, Any]


def velocity(steps: int) -> tuple[Network, Callable[[Trace, Trace], float]]:
    """The published decoder, and the RMS of its velocities' differences over the RMS of the velocities."""
    network = decoder.decoder(decoder.recording().x[:steps])
    network.record(network["velocity"], "y")

    def quality(floats: Trace, trace: Trace) -> float:
        want, got = (np.asarray(each.state("velocity", "y").data, np.float64) for each in (floats, trace))
        return float(np.sqrt(((got - want) ** 2).mean() / (want**2).mean()))

    return network, quality


def words(steps: int) -> tuple[Network, Callable[[Trace, Trace], float]]:
    """The pruned language model over the test text's first words, and their perplexity."""
    model = language_model.LanguageModel.load(
        Path(language_model.__file__).parent / "data" / "language_model" / "egru_pruned.h5"
    )
    ids = np.asarray(wikitext.tokens("test")[:steps])
    count = steps - model.latency - 1
    network = model.network(ids)
    network = recorded(network)

    def quality(floats: Trace, trace: Trace) -> float:
        return model.perplexity(model.outputs(trace, 0, count), ids[1 : count + 1])

    return network, quality


def recorded(network: Network) -> Network:
    """The same network with the events of every population in its trace."""
    made = Network(network.seed, network.name)
    made.populations = tuple(replace(each, record_events=True) for each in network.populations)
    made.projections = tuple(
        replace(each, pre=made.populations[each.pre.index], post=made.populations[each.post.index])
        for each in network.projections
    )
    return made


CASES = {
    "decoder": Case("EGRU decoder, 104 neurons", "relative error of velocity", velocity, 890, {"neurons_per_pe": 4}),
    "language_model": Case("language model, as few PEs as hold it", "perplexity", words, 2000, {}),
    "language_model_spread": Case("language model, 148 PEs", "perplexity", words, 2000, {"pes": 148}),
}


def measure(case: Case, steps: int | None = None) -> tuple[PayloadComparison, dict[str, float]]:
    """Replay a case under every encoding, and run it again with the values of each code."""
    steps = case.steps if steps is None else steps
    network, quality = case.make(steps)
    program = SpiNNaker2(**case.target).compile(network, dt=1 * ms, progress=False)
    floats = program.run(steps, progress=False)
    compared = replay(program, floats)
    found = {}
    for code in dict.fromkeys(outcome.encoding.values for outcome in compared.outcomes):
        again = CPU().compile(coded(network, code, compared.ranges), dt=1 * ms, progress=False)
        found[code.name] = quality(floats, again.run(steps, progress=False))
    return compared, found


def table(title: str, said: str, compared: dict[str, Any], quality: dict[str, float]) -> Table:
    """One case as a table."""
    rows = []
    first, events = compared["outcomes"][0], compared["events"]
    for each in compared["outcomes"]:
        code, errors = each["encoding"].split("/")[0], each["errors"]
        rows.append(
            (
                each["encoding"],
                f"{each['packets']:,}",
                f"{each['value_bits']:.2f}",
                f"{each['sent_bits'] / events:.1f}",
                f"{each['sent_bits'] / first['sent_bits'] - 1:+.0%}",
                f"{each['link_time'] * 1e9:,.0f}",
                f"{(each['joules']['noc'] + each['joules']['links']) * 1e12 / events:.0f}",
                f"{each['energy'] * 1e9 / events:.2f}",
                "exact" if errors["sqnr_db"] is None else f"{errors['sqnr_db']:.1f}",
                f"{quality[code]:.4g}",
            )
        )
    head = (
        "encoding", "packets", "bits of a value", "bits sent an event", "", "busiest link in its worst step, ns",
        "network, pJ an event", "with cores, nJ an event", "SQNR, dB", said,
    )  # fmt: skip
    return f"{title}: {events:,} events, {compared['machine']}", head, rows


def markdown(table: Table) -> str:
    """A table as Markdown."""
    title, head, rows = table
    lines = [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write JSON, tables and figures; cases that are not measured keep what is written of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--steps", type=int, help="of each case (default: its own)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"no case {', '.join(unknown)}; there is {', '.join(CASES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "payloads.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    for name in options.cases or CASES:
        compared, quality = measure(CASES[name], options.steps)
        kept[name] = compared.to_dict() | {"quality": quality}
        if find_spec("matplotlib") is not None and name == "language_model":
            save_figure(compared, options.out / "payloads.png")
    kept = {name: kept[name] for name in CASES if name in kept}
    file.write_text(json.dumps(kept, indent=1) + "\n")
    told = [table(CASES[name].title, CASES[name].measure, each, each["quality"]) for name, each in kept.items()]
    text = "# Events as payloads\n\n" + "\n".join(markdown(each) for each in told)
    (options.out / "payloads.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
