"""What the study of SPARK's array found, as JSON, tables and a figure.

python benchmarks/spark_accelerators_report.py [FOLDER]     # tables and figure again from FOLDER's JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, exp, log, sqrt
from pathlib import Path
from typing import Any

from engine_report import markdown
from readme_blocks import RESULTS

from neuromorph.mapping.constants import load_constants

NAME = "spark_accelerators"
PEERS = ("eyeriss", "bitfusion", "olaccel", "biscaled", "adafloat", "ant", "olive")
READINGS = (
    "every code short",
    "nobody waits",
    "neighbours wait",
    "all wait",
    "pairs, nobody waits",
    "pairs, neighbours wait",
)
"""How the paper's array may be read; the first is a bound, the third what the machine file says."""
HERE = "neighbours wait"
SHOWN = {
    "eyeriss": "Eyeriss", "bitfusion": "BitFusion", "olaccel": "OLAccel", "biscaled": "BiScaled",
    "adafloat": "AdaFloat", "ant": "ANT", "olive": "OliVe", "vgg16": "VGG-16", "resnet18": "ResNet-18",
    "resnet50": "ResNet-50", "resnet152": "ResNet-152", "vit_b": "ViT-B", "bert_base": "BERT-base",
    "mean": "six networks",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One design on one network.

    Attributes
    ----------
    cycles, memory_cycles : float
        Of all layers, and of DRAM alone.
    macs : int
    products : float
        Products of two parts for a multiply-accumulate: 1.63 where 28 % of both operands are long, 4 where 4-bit
        elements compute 8 bits.
    joules : dict of str to float
        Array, buffer and DRAM.
    """

    cycles: float
    memory_cycles: float
    macs: int
    products: float
    joules: dict[str, float]

    @property
    def energy(self) -> float:
        """Of all parts, J."""
        return sum(self.joules.values())


@dataclass
class Result:
    """Everything that a run of the benchmark found: by network, then by design or reading."""

    runs: dict[str, dict[str, Run]] = field(default_factory=dict)
    repriced: dict[str, dict[str, float]] = field(default_factory=dict)
    varied: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    own: dict[str, dict[str, Run]] = field(default_factory=dict)
    short: dict[str, tuple[float, float]] = field(default_factory=dict)


def cycles(result: Result, case: str = "") -> dict[str, dict[str, float]]:
    """Cycles by network and design, as run or in a changed case."""
    if case:
        return {network: cases[case] for network, cases in result.varied.items()}
    return {network: {name: run.cycles for name, run in runs.items()} for network, runs in result.runs.items()}


def mean_speed(times: Mapping[str, Mapping[str, float]], peer: str, reading: str) -> float:
    """How many times as fast SPARK is on all networks: geometric mean."""
    ratios = [each[peer] / each[reading] for each in times.values()]
    return exp(sum(map(log, ratios)) / len(ratios))


def claims(result: Result, case: str = "") -> Iterator[tuple[str, float, dict[str, float], bool]]:
    """Each published comparison: what it is, the paper's figure, ours by reading, and whether it is of energy."""
    facts, times = load_constants("spark_results"), cycles(result, case)
    for name, constant in facts.items():
        kind, network, peer = (*name.split("."), "", "")[:3]
        if kind not in ("speed", "saving") or (network != "mean" and network not in result.runs):
            continue
        label = f"{SHOWN[network]}, {SHOWN[peer]}"
        if network == "mean":
            yield label, constant.value, {r: mean_speed(times, peer, r) for r in READINGS}, False
        elif kind == "speed":
            each = times[network]
            yield label, constant.value, {r: each[peer] / each[r] for r in READINGS}, False
        else:
            runs = result.runs[network]
            yield label, constant.value, {r: 1 - runs[r].energy / runs[peer].energy for r in READINGS}, True


def deviations(result: Result, readings: Sequence[str], case: str = "") -> list[float]:
    """How far the means of all networks are from the paper's, as a share of them."""
    means = [row for row in claims(result, case) if row[0].startswith(SHOWN["mean"])]
    return [ours[reading] / paper - 1 for _, paper, ours, _ in means for reading in readings]


def implied_long_share(result: Result, network: str) -> list[float]:
    """Share p of long codes at which (1 + p)^2 cycles a product would give the paper's speeds on a network."""
    of_it = [row for row in claims(result) if row[0].startswith(SHOWN[network]) and not row[3]]
    return [sqrt(ours["every code short"] / paper) - 1 for _, paper, ours, _ in of_it]


def tables(result: Result) -> str:
    """All tables as Markdown."""
    waiting = [runs[HERE].cycles / runs["nobody waits"].cycles - 1 for runs in result.runs.values()]
    one_cycle = ("every code short", "pairs, neighbours wait")
    within = [_up(map(abs, deviations(result, one_cycle, case))) for case in ("", "batch of 1")]
    vit = implied_long_share(result, "vit_b")
    parts = [
        "# SPARK's array and its peers: the paper's figures and ours",
        INTRODUCTION.format(waiting=_range(waiting)),
        "## How many times as fast",
        _claims(result, energy=False),
        SPEED.format(bound=within[0], missing=_range([-d for d in deviations(result, ["nobody waits"])])),
        VIT.format(share=_range(vit)) if vit else "",
        "The same with batches of 1:",
        _claims(result, energy=False, case="batch of 1"),
        ALONE.format(bound=within[1]),
        "## How much less energy",
        _claims(result, energy=True),
        ENERGY,
        "ResNet-50 under other prices; in each cell every code short, nobody waits, neighbours wait:",
        _repriced(result),
        "## The peers among themselves, against ANT's public simulator",
        _peers(result),
        PEERS_TEXT,
        "## Cycles and energy",
        "Million cycles for 64 samples:",
        _runs(result, lambda run: f"{run.cycles / 1e6:,.4g}"),
        "Millijoules for 64 samples, and of them array, buffer and DRAM:",
        _runs(result, lambda run: f"{1e3 * run.energy:,.3g} ({_split(run)})"),
        "Time of a sample with one condition changed, relative to the above:",
        _varied(result),
        "## Our own networks with their real values",
        _own(result),
        OWN,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


INTRODUCTION = """`python benchmarks/spark_accelerators.py --out benchmarks/results` writes this page. Nothing in it is
fitted. Six networks by their shapes, batches of 64, layers with weights alone, as in ANT's public simulator; codes of
SPARK as long as the paper's bits a value say (ResNet-18 and ViT-B: assumed), the same share in weights and activations,
independent of one another; 28 nm, 200 MHz, 1,024 bits of DRAM a cycle, a buffer of 5 MB for every design. The files
`mapping/machines/systolic_*.toml` and `spark_results.toml` say of every number whether it is published, derived or
assumed, and why.

The paper does not say how far a stall reaches, so SPARK runs under several readings:

- **every code short**: all operands in 4 bits, a bound for the array of the paper;
- **nobody waits**: 1, 2 or 4 cycles for a product, and no element waits for another;
- **neighbours wait**: an element starts when both operands have come, and hands them on when the next one has room;
  this is what the machine file says;
- **all wait**: every step takes as long as its slowest product anywhere in the array;
- **pairs**: one product or, where all four operands are short, two in a cycle: an element with an 8-bit multiplier,
  which is four of those that the paper counts in the same area.

What carries the comparison, in the order of its weight:

1. how many cycles a product takes: the last column of the first table is what the published ratio leaves for it on
   average, to be compared with (1 + p)^2 of the paper's own element, p the share of long codes;
2. whether elements wait for one another: stalls that neighbours hand on cost {waiting} more time;
3. whether energy that time costs (DRAM's standby) is counted;
4. the price of a 16-bit element, for Eyeriss alone.

Of the rest, a batch of 1 costs the larger arrays more than the smaller ones; DRAM's width and the products of attention
hardly matter."""

SPEED = """In brackets: ours beside the paper's; for six networks the geometric mean. The published means come out
within {bound} where a product never takes more than one cycle: if every code is short, or if an element multiplies two
operands of 8 bits in a cycle and neighbours wait (pairs). With products of 1, 2 and 4 cycles at the published bits a
value they do not: {missing} is missing even if nobody ever waits."""

VIT = """ViT-B's two ratios would go with 'nobody waits' at {share} of long codes, a share that the paper does not
print for it."""

ALONE = """With batches of 1 the same two readings give the published means within {bound}."""

ENERGY = """Array, buffer and DRAM, with DRAM's standby of 485 mW (published with ANT's simulator), which charges time;
in brackets: ours minus the paper's. Operands are read from the buffer once for every pass here, for every product in
the public simulator. Eyeriss is an output-stationary array of 16-bit elements priced by their area here, an assumption
that decides its row."""

PEERS_TEXT = """Relative to AdaFloat; in brackets what ANT's public results say. Peers take the published time, so what
separates our comparison from the paper's is SPARK's own array. The last rows are energies that follow from the savings
that SPARK's paper prints against each peer: it can hardly have charged time, since Eyeriss is five times as slow as
AdaFloat and only a fifth more expensive there."""

OWN = """Weights and events on 255 levels (small integers as they are), in the order in which an array reads them; SPARK
as its machine file says; peers with wide layers by their rule for other networks. Speed: how many times as fast as the
peer; energy: beside the peer's. A dense array computes zeros too, and a zero is a short code."""


def _claims(result: Result, energy: bool, case: str = "") -> str:
    rows = []
    for label, paper, ours, of_energy in claims(result, case):
        if of_energy != energy:
            continue
        if energy:
            cells = [f"{_minus(value)} ({100 * (paper - value):+.0f} points)" for value in ours.values()]
            rows.append([label, _minus(paper), *cells])
        else:
            cells = [f"{value:.2f} ({value / paper - 1:+.0%})" for value in ours.values()]
            rows.append([label, f"{paper:.2f}", *cells, f"{ours['every code short'] / paper:.2f}"])
    head = ["against", "paper", *READINGS, *([] if energy else ["cycles a product that the paper's figure leaves"])]
    return markdown(head, rows) if rows else ""


def _repriced(result: Result) -> str:
    if not result.repriced:
        return ""
    readings = READINGS[:3]
    rows = []
    for peer in PEERS:
        cells = [
            ", ".join(_minus(1 - joules[r] / joules[peer]) for r in readings) for joules in result.repriced.values()
        ]
        paper = load_constants("spark_results")
        name = f"saving.resnet50.{peer}"
        rows.append([SHOWN[peer], _minus(paper[name].value) if name in paper else "", *cells])
    return markdown(["against", "paper", *result.repriced], rows)


def _peers(result: Result) -> str:
    facts = load_constants("spark_results")
    names = ("ant", "bitfusion", "olaccel", "biscaled")
    rows = []
    for network, runs in result.runs.items():
        cells = []
        for peer in names:
            key = f"ant_time.{network}.{peer}"
            public = f" ({facts[key].value:.2f})" if key in facts else ""
            cells.append(f"{runs[peer].cycles / runs['adafloat'].cycles:.2f}{public}")
        rows.append([f"{SHOWN[network]}, time", *cells, f"{runs['eyeriss'].cycles / runs['adafloat'].cycles:.2f}"])
    if "resnet50" in result.runs:
        public = {name: sum(facts[f"ant_energy.resnet50.{name}"].value) for name in (*names, "adafloat")}
        for label, joules in list(result.repriced.items())[:2]:
            compared = label == "as the machine files"
            cells = [
                f"{joules[n] / joules['adafloat']:.2f}"
                + (f" ({public[n] / public['adafloat']:.2f})" if compared else "")
                for n in names
            ]
            rows.append([f"ResNet-50, energy, {label}", *cells, f"{joules['eyeriss'] / joules['adafloat']:.2f}"])
        left = {name: 1 - facts[f"saving.resnet50.{name}"].value for name in (*names, "adafloat", "eyeriss")}
        implied = [f"{left['adafloat'] / left[name]:.2f}" for name in (*names, "eyeriss")]
        rows.append(["ResNet-50, energy, by the paper's savings", *implied])
    return markdown(["", *(SHOWN[name] for name in names), "Eyeriss"], rows)


def _runs(result: Result, shown: Callable[[Run], str]) -> str:
    names = (*PEERS, *READINGS)
    rows = [[SHOWN[network], *(shown(runs[name]) for name in names)] for network, runs in result.runs.items()]
    return markdown(["network", *(SHOWN.get(name, f"SPARK, {name}") for name in names)], rows)


def _split(run: Run) -> str:
    return ", ".join(f"{value / run.energy:.0%}" for value in run.joules.values())


def _varied(result: Result) -> str:
    rows = []
    for network, cases in result.varied.items():
        if network not in result.runs:
            continue
        for label, times in cases.items():
            batch = 1 / 64 if label == "batch of 1" else 1.0
            rows += [
                [
                    SHOWN[network],
                    label,
                    *(f"{t / (batch * result.runs[network][n].cycles):.2f}" for n, t in times.items()),
                ]
            ]
    if not rows:
        return ""
    names = next(iter(next(iter(result.varied.values())).values()))
    return markdown(["network", "changed", *(SHOWN.get(name, f"SPARK, {name}") for name in names)], rows)


def _own(result: Result) -> str:
    rows = []
    for label, runs in result.own.items():
        first, second = result.short[label]
        best = runs[HERE]
        rows.append(
            [label, f"{first:.1%}", f"{second:.1%}", f"{best.products:.2f}"]
            + [
                f"{runs[peer].cycles / best.cycles:.2f}, {_minus(1 - best.energy / runs[peer].energy)}"
                for peer in PEERS
            ]
        )
    head = [
        "network",
        "short activations",
        "short weights",
        "products a MAC",
        *(SHOWN[p] for p in PEERS),
    ]
    return markdown(head, rows) if rows else ""


def _range(shares: Sequence[float]) -> str:
    low, high = f"{100 * min(shares):.0f}", f"{100 * max(shares):.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def _up(shares: Iterable[float]) -> str:
    return f"{ceil(100 * max(shares)):d} %"


def _minus(saving: float) -> str:
    return f"{-100 * saving:+.1f} %"


def figure(result: Result, path: Path) -> None:
    """Published and simulated ratios side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    both = list(claims(result))
    figure, panels = plt.subplots(1, 2, figsize=(13, 4.6), layout="constrained")
    shades = ("#444444", "#cfe2f3", "#f6b26b", "#6fa8dc", "#0b5394")
    shown = ("every code short", "pairs, neighbours wait", "nobody waits", "neighbours wait")
    for panel, energy, title in zip(
        panels, (False, True), ("times as fast as", "share of the energy saved against"), strict=True
    ):
        rows = [row for row in both if row[3] == energy]
        series = {"paper": [row[1] for row in rows]} | {r: [row[2][r] for row in rows] for r in shown}
        for k, (label, values) in enumerate(series.items()):
            panel.bar([x + 0.16 * (k - 2) for x in range(len(rows))], values, 0.15, label=label, color=shades[k])
        panel.set_xticks(range(len(rows)), [row[0].replace(", ", "\n") for row in rows], fontsize=7)
        panel.axhline(0.0 if energy else 1.0, color="black", linewidth=0.6)
        panel.set_title(title, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    panels[1].legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(path, dpi=140)
    plt.close(figure)


def write(result: Result, folder: Path) -> None:
    """JSON, tables and figure into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.json").write_text(json.dumps(asdict(result), indent=1) + "\n")
    (folder / f"{NAME}.md").write_text(tables(result))
    figure(result, folder / f"{NAME}.png")
    print(f"wrote {folder / NAME}.json, .md and .png")


def read(folder: Path) -> Result:
    """What :func:`write` wrote."""
    data: dict[str, Any] = json.loads((folder / f"{NAME}.json").read_text())
    for key in ("runs", "own"):
        data[key] = {n: {name: Run(**run) for name, run in runs.items()} for n, runs in data[key].items()}
    return Result(**data)


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    write(read(chosen), chosen)
