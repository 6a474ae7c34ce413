"""Layers on systolic arrays: cycles of whole products, traffic, energy, and what arrays refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.systolic.energy import PRICES
from neuromorph.mapping.systolic.layers import Layer, conv, gemm
from neuromorph.mapping.systolic.machine import Array, Element, Operand, array_names, load_array
from neuromorph.mapping.systolic.simulate import simulate, time_product
from neuromorph.mapping.systolic.traffic import traffic
from neuromorph.mapping.systolic.values import Codes, Distribution

SHARE = np.zeros(256)
SHARE[[3, 100]] = 0.8, 0.2
VALUES = Distribution("a fifth long", Codes(SHARE, signed=False), Codes(SHARE), "made up")


def small(**changes: object) -> Array:
    """SPARK's array with 8 x 8 elements."""
    array = load_array("spark")
    element = {key: changes.pop(key) for key in ("mode", "lockstep", "registers") if key in changes}
    sizes = {"rows": 8, "columns": 8, "encoders": 8, "element": replace(array.element, **element)}  # type: ignore[arg-type]
    return replace(array, **{**sizes, **changes})  # type: ignore[arg-type]


def fixed(bits: int, of: int, mode: str = "serial") -> Array:
    """An array of 8 x 8 elements for operands of so many bits."""
    operand = Operand("fixed", bits)
    return replace(small(), element=Element(of, mode), activations=operand, weights=operand, encoders=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("lockstep", ["free", "elastic", "row", "array"])
@pytest.mark.parametrize("mode", ["serial", "pair"])
@pytest.mark.parametrize("back_to_back", [True, False])
def test_sampled_passes_stand_for_all(mode: str, lockstep: str, back_to_back: bool) -> None:
    """Some drawn passes give the time of the whole product with every pass exact, edges and all."""
    array = small(mode=mode, lockstep=lockstep, back_to_back=back_to_back)
    layer = gemm("l", 30, 501, 21)
    rng = np.random.default_rng(4)
    activations, weights = VALUES.of(layer)
    exact = time_product(array, activations.draw(30, 501, rng), weights.draw(21, 501, rng))
    for steps in (200, 1000):
        found = simulate(array, [layer], VALUES, passes=3, steps=steps).layers[0]
        assert found.compute_cycles == pytest.approx(exact, rel=0.04)
        assert found.passes == 12


def test_cycles_of_fixed_operands_by_hand() -> None:
    """8-bit operands: a product a cycle in 8-bit elements; a quarter of the array, or four cycles, in 4-bit ones."""
    layer = gemm("l", 16, 100, 8)
    assert simulate(fixed(8, 8), [layer], VALUES).layers[0].compute_cycles == 2 * 100 + 14
    assert simulate(fixed(8, 4), [layer], VALUES).layers[0].compute_cycles == 2 * 400 + 14
    assert simulate(fixed(8, 4, "fused"), [layer], VALUES).layers[0].compute_cycles == 4 * 2 * 100 + 6
    alone = replace(fixed(8, 8), back_to_back=False)
    assert simulate(alone, [layer], VALUES).layers[0].compute_cycles == 2 * (100 + 14 + 8)
    short = gemm("l", 16, 3, 8)  # outputs leave in 8 cycles, which is longer than a pass of 3 steps
    assert simulate(fixed(8, 8), [short], VALUES).layers[0].compute_cycles == 3 + 14 + 8


@pytest.mark.parametrize("array", [small(), small(mode="pair"), fixed(8, 8), fixed(8, 4, "fused"), fixed(6, 4)])
def test_products_and_work(array: Array) -> None:
    """Products of parts are those of the operands' lengths; elements never work more than there are cycles."""
    layer = conv("l", 6, 10, 20, 3, padding=1)
    first, second = array.operands(layer)
    means = [1.2 if o.code == "spark" else array.element.parts(o.bits) for o in (first, second)]
    for steps in (4096, 20):
        found = simulate(array, [layer], VALUES, passes=4, steps=steps).layers[0]
        assert found.counts["products"] == pytest.approx(layer.macs * means[0] * means[1], rel=0.05)
        assert found.counts["idle_cycles"] >= 0
        assert found.cycles * array.elements >= layer.macs / (2 if array.element.mode == "pair" else 1)


def test_long_codes_cost_bits_and_time() -> None:
    """All short: half the memory traffic of all long and a quarter of the products."""
    layer = gemm("l", 64, 512, 64)
    reports = []
    for magnitude in (5, 200):
        share = np.eye(256)[magnitude]
        one = Distribution("one value", Codes(share, signed=False), Codes(share), "made up")
        reports.append(simulate(load_array("spark"), [layer], one).layers[0])
    short, long = reports
    assert (short.first_bits, long.first_bits) == (4, 8)
    assert long.traffic.dram == 2 * short.traffic.dram
    assert long.counts["products"] == 4 * short.counts["products"] == 4 * layer.macs
    assert long.counts["decoded_nibbles"] == 2 * short.counts["decoded_nibbles"] == 2 * (layer.inputs + layer.seconds)


def test_signs_and_other_bits_are_stored() -> None:
    """A plane of signs costs a bit where there are signs: weights here, no activations."""
    layer = gemm("l", 8, 8, 8)
    plain = Operand("spark", 8)
    array = replace(small(), activations=replace(plain, sign_bits=1), weights=replace(plain, sign_bits=1))
    found = simulate(array, [layer], VALUES).layers[0]
    assert (found.first_bits, found.second_bits) == (pytest.approx(4.8), pytest.approx(5.8))
    more = simulate(replace(array, weights=replace(plain, extra_bits=0.25)), [layer], VALUES).layers[0]
    assert more.second_bits == pytest.approx(5.05)


def test_traffic() -> None:
    """Everything once where it fits; else the cheaper operand is held in blocks and the other read again."""
    array = fixed(8, 8)
    layer = gemm("l", 64, 100, 32)

    def with_room(kilobytes: float) -> tuple[float, float, str]:
        moved = traffic(replace(array, buffer=int(2000 * kilobytes)), layer, 8, 8, 8)
        assert moved.dram_outputs == 64 * 32 * 8
        assert (moved.fed_first, moved.fed_second) == (64 * 100 * 4 * 8, 100 * 32 * 8 * 8)
        return moved.dram_first / 800, moved.dram_second / 800, moved.kept

    assert with_room(10) == (64, 32, "all")
    assert with_room(6) == (64, 32, "second")  # all weights stay, the activations stream by
    assert with_room(2.5) == (128, 32, "second")  # two blocks of weights beside 800 bytes of activations
    assert with_room(1.8) == (4 * 64, 32, "none")  # 4 blocks of 936 bytes at most: as many as tiles
    assert with_room(0.1)[2] == "none"
    reads = [sum(with_room(k)[:2]) for k in (0.1, 1, 2, 3, 4, 5, 6, 10)]
    assert reads == sorted(reads, reverse=True)
    assert reads[0] == min(64 * 4 + 32, 64 + 32 * 8)


def test_every_repeat_has_operands_of_its_own() -> None:
    """Three products side by side move three times what one moves, and what DRAM gives is written into the buffer."""
    array, parts = fixed(8, 8), []
    for repeats in (1, 3):
        layer = gemm("l", 20, 100, 12, repeats=repeats)
        found = simulate(array, [layer], VALUES).layers[0]
        read, fed = (20 * 100 + 100 * 12) * 8, (20 * 100 * 2 + 100 * 12 * 3) * 8
        out = 20 * 12 * 8
        assert found.counts["dram_read_bits"] == read * repeats
        assert found.counts["dram_written_bits"] == out * repeats
        assert found.counts["buffer_written_bits"] == (read + out) * repeats
        assert found.counts["buffer_read_bits"] == (fed + out) * repeats
        parts.append(found.counts["products"])
    assert parts[1] == 3 * parts[0] == 3 * 20 * 100 * 12


def test_layers_take_the_longer_of_array_and_memory() -> None:
    """One sample of a fully connected layer: the weights come once, and a narrow memory is what it waits for."""
    layer = gemm("l", 1, 4096, 4096)
    wide = simulate(fixed(8, 8), [layer], VALUES).layers[0]
    assert wide.cycles == wide.compute_cycles == 4096 * 512 + 7 > wide.memory_cycles
    slow = simulate(replace(fixed(8, 8), memory_width=8), [layer], VALUES).layers[0]
    assert slow.cycles == slow.memory_cycles == 4096 * 4096 + 2 * 4096
    assert slow.compute_cycles == wide.compute_cycles
    assert slow.counts["element_seconds"] == pytest.approx(64 * slow.cycles / 200e6)


def test_energy_is_counts_times_prices() -> None:
    """A changed price changes its own action and nothing else; parts and layers add up."""
    layers = [conv("a", 3, 8, 16, 3), gemm("b", 4, 64, 10)]
    base = simulate(small(), layers, VALUES)
    for action, (part, price) in PRICES.items():
        key = price.replace(".", "__")
        prices = load_array("spark", **{key: base.array.prices[price].value + 1}).prices
        other = simulate(small(prices=prices), layers, VALUES)
        unit = prices.si(price) - base.array.prices.si(price)
        assert other.joules - base.joules == pytest.approx(base.counts[action] * unit, rel=1e-6)
        assert other.parts[part] >= base.parts[part]
        assert other.cycles == base.cycles
    assert sum(base.parts.values()) == pytest.approx(base.joules) == pytest.approx(sum(base.actions.values()))


def test_report_says_what_it_has() -> None:
    report = simulate(small(), [gemm("first", 20, 30, 40), gemm("second", 20, 40, 10)], VALUES)
    text = str(report)
    assert [line.split()[0] for line in text.splitlines()[3:6]] == ["first", "second", "all"]
    assert "a fifth long" in text
    told = json.loads(json.dumps(report.to_dict()))
    assert told["cycles"] == sum(layer["cycles"] for layer in told["layers"]) == report.cycles
    assert told["macs"] == 20 * 30 * 40 + 20 * 40 * 10


def test_same_seed_same_numbers() -> None:
    layers = [gemm("x", 20, 300, 40), gemm("y", 20, 300, 40)]
    once, again = (simulate(small(), layers, VALUES, seed=5) for _ in range(2))
    assert once.to_dict() == again.to_dict()
    turned = simulate(small(), layers[::-1], VALUES, seed=5)
    assert turned.layers[1].cycles == once.layers[0].cycles != once.layers[1].cycles


def test_bits_of_single_layers() -> None:
    """A layer with wider operands leaves a quarter of the elements; SPARK's have no such thing."""
    layer = gemm("wide", 8, 50, 8)
    narrow = fixed(4, 4, "fused")
    wide = replace(narrow, bits={"wide": (8, 8)})
    assert simulate(narrow, [layer], VALUES).layers[0].compute_cycles == 50 + 14
    assert simulate(wide, [layer], VALUES).layers[0].compute_cycles == 4 * 50 + 6
    with pytest.raises(MappingError, match="have the bits of each value"):
        simulate(replace(small(), bits={"wide": (8, 8)}), [layer], VALUES)


def test_attention_reads_two_activations() -> None:
    layer: Layer = gemm("scores", 8, 8, 8, repeats=3, second="activations")
    array = replace(fixed(8, 8), weights=Operand("fixed", 4))
    found = simulate(array, [layer], VALUES).layers[0]
    assert found.second_bits == 8
    assert found.passes == 3


@pytest.mark.parametrize("name", array_names())
def test_machine_files(name: str) -> None:
    """Every file that ships makes an array that runs, and its numbers say where they come from."""
    array = load_array(name)
    report = simulate(array, [gemm("l", 70, 33, 40)], VALUES)
    assert report.macs == 70 * 33 * 40
    assert 0 < report.utilisation <= 1
    assert report.joules > 0
    assert "assumption" in array.prices.describe()


def test_constants_can_be_changed() -> None:
    assert load_array("spark", dram__width=512).memory_width == 512
    assert load_array("spark", array__rows=16).elements == 16 * 64


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: load_array("tpu"), "no systolic array 'tpu'"),
        (lambda: load_array("spark", dram__speed=1), "dram"),
        (lambda: Element(4, "parallel"), "'serial', 'fused', 'pair'"),  # type: ignore[arg-type]
        (lambda: Element(4, "serial", "some"), "'elastic'"),  # type: ignore[arg-type]
        (lambda: Element(0), "at least 1"),
        (lambda: Operand("huffman"), "'spark'"),  # type: ignore[arg-type]
        (lambda: Operand("spark", 6), "long code has 8"),
        (lambda: Operand("fixed", 8, 2), "0 or 1"),
        (lambda: small(rows=0), "above 0"),
        (lambda: small(decoder_nibbles=0), "no decoders"),
        (lambda: small(encoders=0), "no encoders"),
        (lambda: small(mode="fused"), "'serial' or 'pair'"),
        (lambda: fixed(64, 4, "fused").grid(Operand("fixed", 64), Operand("fixed", 64)), "cannot be fused"),
        (lambda: simulate(small(), [], VALUES), "no layers"),
        (lambda: simulate(small(), [gemm("l", 1, 1, 1)], VALUES, passes=0), "at least 1 pass"),
    ],
)
def test_refuses(make: object, says: str) -> None:
    with pytest.raises(MappingError, match=says):
        make()  # type: ignore[operator]
