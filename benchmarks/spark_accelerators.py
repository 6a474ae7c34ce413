"""SPARK's array and its peers on six networks and on our own, beside what has been published of them.

    python benchmarks/spark_accelerators.py [--out FOLDER] [--networks resnet50 vit_b ...]

Shapes of the networks, machine files of the arrays and the published figures are data of the package; nothing here is
fitted. SPARK runs under several readings of its paper, which differ in who waits for whom. Writes
``spark_accelerators.json``, ``spark_accelerators.md`` and ``spark_accelerators.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from spark_accelerators_report import PEERS, READINGS, Result, Run, write

from neuromorph import Lookup, Network, Reference, ms
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.systolic.energy import by_part, joules
from neuromorph.mapping.systolic.layers import Layer, batched
from neuromorph.mapping.systolic.machine import Array, load_array
from neuromorph.mapping.systolic.own import read_network
from neuromorph.mapping.systolic.precision import with_precision
from neuromorph.mapping.systolic.shapes import load_layers
from neuromorph.mapping.systolic.simulate import simulate
from neuromorph.mapping.systolic.tails import paper_like
from neuromorph.mapping.systolic.values import MAGNITUDES, Codes, Distribution

Operands = tuple[tuple[Layer, ...], Distribution]
SCRATCH = Path(__file__).resolve().parents[1] / "out" / "benchmarks"
BATCH = 64
"""Samples side by side, as in ANT's public simulator; SPARK's paper does not tell."""
NETWORKS = ("vgg16", "resnet18", "resnet50", "resnet152", "vit_b", "bert_base")
REPRICED: Mapping[str, Mapping[str, float]] = {
    "as the machine files": {},
    "no standby of DRAM": {"dram__leakage": 0.0},
    "DRAM of 4 pJ a bit": {"dram__read_bit": 4.0, "dram__write_bit": 4.0},
    "both": {"dram__leakage": 0.0, "dram__read_bit": 4.0, "dram__write_bit": 4.0},
}
"""Prices that the energy of ResNet-50 is told under."""


def spark(reading: str) -> Array:
    """SPARK's array under one reading of its paper."""
    array = load_array("spark")
    change = {
        "every code short": {},
        "nobody waits": {"lockstep": "free"},
        "neighbours wait": {"lockstep": "elastic"},
        "all wait": {"lockstep": "array"},
        "pairs, nobody waits": {"mode": "pair", "lockstep": "free"},
        "pairs, neighbours wait": {"mode": "pair", "lockstep": "elastic"},
    }[reading]
    return replace(array, element=replace(array.element, **change))


def short_only() -> Distribution:
    """Operands that all fit 4 bits: what SPARK's array can do at best."""
    codes = Codes(np.where(np.arange(MAGNITUDES) < 8, 1 / 8, 0.0))
    return Distribution("short codes", codes, replace(codes, signed=False), "a bound: every code has 4 bits")


def run(array: Array, layers: Sequence[Layer], values: Distribution) -> tuple[Run, dict[str, float]]:
    """All layers, each shape simulated once, and the counts of actions."""
    same: dict[object, list[Layer]] = {}
    for layer in layers:
        own = layer.name if layer.name in values.layers else None
        same.setdefault((replace(layer, name=""), array.bits.get(layer.name), own), []).append(layer)
    groups = list(same.values())
    reports = simulate(array, [group[0] for group in groups], values).layers
    times = [len(group) for group in groups]
    parts: dict[str, float] = {}
    counts: dict[str, float] = {}
    for report, n in zip(reports, times, strict=True):
        for part, value in by_part(report.joules).items():
            parts[part] = parts.get(part, 0.0) + n * value
        for name, value in report.counts.items():
            counts[name] = counts.get(name, 0.0) + n * value
    cycles, memory = (
        sum(n * value for value, n in zip(each, times, strict=True))
        for each in ([r.cycles for r in reports], [r.memory_cycles for r in reports])
    )
    macs = sum(layer.macs for layer in layers)
    return Run(cycles, memory, macs, counts["products"] / macs, parts), counts


def designs(
    layers: Sequence[Layer], network: str | None, values: Distribution
) -> Iterator[tuple[str, Array, Distribution]]:
    """Every peer with the bits that it has on a network, and SPARK under every reading."""
    for peer in PEERS:
        yield peer, with_precision(load_array(peer), layers, network), values
    for reading in READINGS:
        yield reading, spark(reading), short_only() if reading == "every code short" else values


def weighted(network: str) -> list[Layer]:
    """Layers with weights, as the public simulator takes them: products of two activations are left out there."""
    return [layer for layer in load_layers(network) if layer.second == "weights"]


def paper_networks(names: Sequence[str]) -> Result:
    """The networks of the literature with codes as long as the paper says."""
    facts = load_constants("spark_results")
    result = Result()
    for network in names:
        constant = facts[f"long_share.{network}"]
        values = paper_like(constant.value, f"{constant.source}: {constant.why}")
        layers = batched(weighted(network), BATCH)
        result.runs[network] = {}
        for name, array, operands in designs(layers, network, values):
            result.runs[network][name], counts = run(array, layers, operands)
            if network == "resnet50":
                for label, changes in REPRICED.items():
                    other = replace(array, prices=array.prices.replace(**changes) if changes else array.prices)
                    result.repriced.setdefault(label, {})[name] = sum(joules(other, counts).values())
        print(network, {name: round(r.cycles / 1e6, 2) for name, r in result.runs[network].items()}, flush=True)
    return result


def variations(result: Result) -> None:
    """Time of each design with one condition changed: every network with batches of 1, two with others too."""
    facts = load_constants("spark_results")
    for network in result.runs:
        values = paper_like(facts[f"long_share.{network}"].value, "as above")
        alone, whole = weighted(network), load_layers(network)
        cases = {"batch of 1": (batched(alone, 1), 1.0)}
        if network in ("resnet50", "vit_b"):
            cases["a quarter of DRAM's width"] = batched(alone, BATCH), 0.25
        if network == "vit_b":
            cases["products of activations too"] = batched(whole, BATCH), 1.0
        result.varied[network] = {
            label: {
                name: run(replace(array, memory_width=array.memory_width * width), layers, operands)[0].cycles
                for name, array, operands in designs(layers, network, values)
            }
            for label, (layers, width) in cases.items()
        }


def our_networks(result: Result) -> None:
    """Our own trained networks with their real weights and events, a step of 64 samples at a time."""
    from neuromorph.models import braille_letters, mnist

    touches = {"touch": braille_letters.recordings().pressure[:4]}
    images = {"pixels": {"pixel": mnist.images()[:4]}}
    cases = {
        "MNIST, 784-128-64-10, spikes": _run(mnist.classifier(), images, 23, 4),
        "Braille letters, 64 EGRU units": _run(
            braille_letters.trained("egru"), touches, braille_letters.RUN["egru"], 4
        ),
        "language model, EGRU 320-512-320": language_model(),
    }
    for label, (layers, values) in cases.items():
        layers = batched(layers, BATCH)
        short = np.array([[codes.share[:8].sum() for codes in values.of(layer)] for layer in layers])
        sizes = np.array([[layer.inputs, layer.seconds] for layer in layers], float)
        result.short[label] = tuple(float(x) for x in (short * sizes).sum(0) / sizes.sum(0))
        result.own[label] = {
            name: run(array, layers, operands)[0] for name, array, operands in designs(layers, None, values)
        }


def _run(network: Network, inputs: Mapping[str, Any], steps: int, samples: int) -> Operands:
    program = Reference().compile(network, dt=1 * ms)
    with TemporaryDirectory() as folder:
        batch = program.run_batch(inputs, steps, progress=False, out=Path(folder) / "trace.h5")
        return read_network(network, 1 * ms, batch.trace, samples * steps)


def language_model(words: int = 64) -> Operands:
    """The first words of WikiText-2's test text; the softmax is no part of the network."""
    from neuromorph.models import wikitext
    from neuromorph.models.egru_layers import egru_stack
    from neuromorph.models.language_model import LanguageModel

    model = LanguageModel.load(Path(wikitext.__file__).parent / "data" / "language_model" / "egru.h5")
    network = Network(name="language_model")
    ids = wikitext.tokens("test")[:words]
    egru_stack(network, network.population(Lookup(model.embedding, ids), name="embedding"), model.layers, start=1)
    trace = Reference().compile(network, dt=1 * ms).run(words + model.latency, progress=False)
    return read_network(network, 1 * ms, trace, words + model.latency)


def main() -> None:
    """Run everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SCRATCH)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    options = parser.parse_args()
    result = paper_networks(options.networks)
    variations(result)
    our_networks(result)
    write(result, options.out)


if __name__ == "__main__":
    main()
