"""The peers of SPARK's array: their time on networks of the literature is the one that others published."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.systolic.layers import Layer, batched
from neuromorph.mapping.systolic.machine import Array, load_array
from neuromorph.mapping.systolic.precision import with_precision
from neuromorph.mapping.systolic.shapes import load_layers
from neuromorph.mapping.systolic.simulate import simulate
from neuromorph.mapping.systolic.tails import paper_like
from neuromorph.mapping.systolic.values import Codes, Distribution

PUBLISHED = load_constants("spark_results")
CASES = sorted({tuple(name.split(".")[1:]) for name in PUBLISHED if name.startswith("ant_time.")})
VALUES = paper_like(0.28, "any: fixed operands take the same time whatever they are")


def _cycles(array: Array, layers: list[Layer]) -> float:
    same: dict[object, list[Layer]] = {}
    for layer in layers:
        same.setdefault((replace(layer, name=""), array.bits.get(layer.name)), []).append(layer)
    report = simulate(array, [group[0] for group in same.values()], VALUES, steps=2)
    return sum(len(group) * each.cycles for group, each in zip(same.values(), report.layers, strict=True))


def _time(peer: str, network: str) -> float:
    """Cycles of 64 samples, layers with weights alone, as the public simulator runs them."""
    layers = [layer for layer in load_layers(network) if layer.second == "weights"]
    return _cycles(with_precision(load_array(peer), layers, network), list(batched(layers, 64)))


@pytest.mark.parametrize("network", sorted({network for network, _ in CASES}))
def test_time_relative_to_adafloat_is_that_of_the_public_simulator(network: str) -> None:
    base = _time("adafloat", network)
    for other, peer in CASES:
        if other == network:
            published = PUBLISHED[f"ant_time.{network}.{peer}"].value
            assert _time(peer, network) / base == pytest.approx(published, abs=0.025), peer


def test_spark_with_short_codes_alone_is_ant_with_4_bits_alone() -> None:
    """The same elements, as many, with the same bits: the code brings nothing and costs nothing."""
    short = Codes(np.where(np.arange(256) < 8, 1 / 8, 0.0))
    values = Distribution("short", short, short, "made up")
    layers = [layer for layer in load_layers("resnet18") if layer.name in ("conv2_1a", "conv3_2b", "fc")]
    spark = simulate(load_array("spark"), batched(layers, 4), values, steps=64)
    ant = simulate(load_array("ant"), batched(layers, 4), values, steps=64)
    assert spark.counts["products"] == ant.counts["products"] == sum(layer.macs for layer in batched(layers, 4))
    assert spark.cycles == pytest.approx(ant.cycles, rel=0.01)
    assert spark.counts["dram_read_bits"] == pytest.approx(ant.counts["dram_read_bits"])


def test_eight_bits_cost_fused_elements_four_times_as_much() -> None:
    layers = [layer for layer in load_layers("resnet18") if layer.name == "conv2_1a"]
    array = load_array("bitfusion")
    narrow = simulate(array, batched(layers, 4), VALUES, steps=2)
    wide = simulate(replace(array, bits={"conv2_1a": (8, 8)}), batched(layers, 4), VALUES, steps=2)
    assert wide.counts["products"] == 4 * narrow.counts["products"]
    assert wide.cycles / narrow.cycles == pytest.approx(4.0, rel=0.03)


def test_published_figures_are_for_comparison_alone() -> None:
    assert PUBLISHED["speed.mean.adafloat"].value == 4.65
    with pytest.raises(MappingError, match="no model computes with it"):
        PUBLISHED.replace(speed__mean__adafloat=5.0)
    shares = {name: c for name, c in PUBLISHED.items() if name.startswith("long_share.")}
    bits = {"vgg16": 5.33, "resnet50": 5.11, "resnet152": 5.21, "bert_base": 4.31}
    for network, expected in bits.items():
        assert 4 + 4 * shares[f"long_share.{network}"].value == pytest.approx(expected)
