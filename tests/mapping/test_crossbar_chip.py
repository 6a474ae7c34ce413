"""What programmed cells hold: against the devices' laws, a plain reference of the draws, and themselves later."""

from __future__ import annotations

from math import cos, erf, exp, log, pi, sin, sqrt
from typing import Any

import numpy as np
import pytest
from crossbar_plans import PROGRAMMED, YEAR, machine_of, plan_of, same_level

from neuromorph import EventSource, FixedProbability, Integers, Network, ms
from neuromorph.errors import MappingError, TargetError
from neuromorph.lowering import lower
from neuromorph.mapping.crossbar.cells.chip import program_chip
from neuromorph.mapping.crossbar.cells.levels import decode
from neuromorph.mapping.crossbar.machine.devices import DAY, load_device
from neuromorph.mapping.crossbar.machine.effects import Effects, Verify
from neuromorph.mapping.crossbar.machine.machine import load_machine, machine_names
from neuromorph.mapping.crossbar.plan.planner import plan_network
from neuromorph.models import IntegerCUBA
from neuromorph.random import bits


# --------------------------------------------------------------------------------------------------------- no effect
@pytest.mark.parametrize("name", ["ideal", "nor_flash", "isaac"])
def test_a_planned_network_is_in_the_cells(name: str) -> None:
    net = Network(seed=3)
    one, two = (net.population(EventSource(n), name=f"in{n}") for n in (70, 9))
    cells = net.population(IntegerCUBA(), 50, name="cells")
    few = net.population(IntegerCUBA(), 6, name="few")
    for pre, post, share in ((one, cells, 0.3), (two, cells, 1.0), (cells, few, 0.5), (few, few, 0.9)):
        net.project(pre, post.a, FixedProbability(share), weight=Integers(-7, 8), delay=1 * ms)
    plan = plan_network(lower(net, 1e-3), load_machine(name, rows=32, columns=64))
    chip = program_chip(plan, Effects.none())
    seen = [np.zeros((m.rows, m.columns), bool) for m in plan.matrices]
    for block in plan.blocks:
        rows = slice(block.row_first, block.row_first + len(block.rows))
        columns = slice(block.column_first, block.column_first + len(block.columns) * plan.cells_per_weight)
        held = decode(chip.held[block.array][rows, columns], plan.machine, chip.scale[block.matrix])
        matrix = plan.matrices[block.matrix]
        np.testing.assert_array_equal(held, matrix.dense(block.rows, block.columns))
        seen[block.matrix][np.ix_(block.rows, block.columns)] = True
    for matrix, there in zip(plan.matrices, seen, strict=True):
        assert not matrix.dense()[~there].any()


@pytest.mark.parametrize("name", machine_names())
def test_without_effects_cells_hold_what_they_are_given(name: str) -> None:
    machine = load_machine(name)
    weights = np.random.default_rng(0).integers(-7, 8, (300, 40))
    plan = plan_of(weights, machine)
    chip = program_chip(plan, Effects.none())
    assert chip.scale.tolist() == [1.0]
    for block in plan.blocks:
        held = decode(chip.held[block.array], machine, chip.scale[0])
        np.testing.assert_array_equal(held, weights[np.ix_(block.rows, block.columns)])
    assert all(s.shape == () and s == 0.0 for s in chip.sigma)
    assert (chip.compensation == 1.0).all()
    assert not chip.adc_offset.any()
    assert (chip.adc_gain == 1.0).all()
    assert not chip.statistics().worst.any()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_the_ideal_machine_holds_weights_in_a_type_that_is_exact(kind: Any) -> None:
    weights = (np.random.default_rng(1).normal(size=(20, 30)) * 3e8).astype(kind)
    chip = program_chip(plan_of(weights, load_machine("ideal")))
    np.testing.assert_array_equal(decode(chip.held[0], chip.machine), weights)


def test_a_matrix_that_does_not_start_in_the_corner() -> None:
    machine = load_machine("nor_flash", rows=64, columns=64)
    chip = program_chip(plan_of(np.full((10, 5), 3), machine, first=(7, 12)), PROGRAMMED)
    assert chip.held[0].shape == (17, 12 + 5 * machine.cells_per_weight)
    assert chip.used(0).sum() == 10 * 5 * machine.cells_per_weight
    assert not chip.held[0][~chip.used(0)].any()
    assert chip.held[0][chip.used(0)].any()


# ------------------------------------------------------------------------------------------------------------- draws
def plain(seed: int, array: int, row: int, column: int, stream: int) -> tuple[float, float]:
    """The draws of one cell by their definition: a number from 0 to 1, and a normal one."""

    def word(of: int) -> float:
        return float(bits(seed ^ 0x43524F53 << 32, of, row | array << 32, stream))

    first = column // 32 * 32 + column % 16  # columns 16 apart share a radius and an angle
    radius, angle = sqrt(-2.0 * log((word(first) + 0.5) / 2**32)), 2.0 * pi * word(first + 16) / 2**32
    return (word(column) + 0.5) / 2**32, radius * (sin(angle) if column % 32 >= 16 else cos(angle))


def test_cells_against_their_definition() -> None:
    machine, seed = machine_of("pcm_aihwkit", rows=8, columns=40), 2**40 + 5
    levels = np.random.default_rng(2).integers(-100, 101, (13, 70))
    effects = PROGRAMMED.with_(drift=True, read_noise=True, time=3600.0, stuck_low=0.1, stuck_high=0.1)
    plan = plan_of(levels, machine)
    chip = program_chip(plan, effects, seed)
    device = load_device("pcm_aihwkit")
    for block in plan.blocks:
        for i, row in enumerate(block.rows):
            for j, column in enumerate(block.columns):
                level = levels[row, column]
                share = abs(level) / 100.0
                size = max(share + device.programming_sd(share) * plain(seed, block.array, i, j, 16)[1], 0.0)
                chance, own = plain(seed, block.array, i, j, 0)[0], plain(seed, block.array, i, j, 1)[1]
                if 0.1 < chance < 0.9:
                    drifted = device.drift_at(share, 3600.0)
                    size *= exp(-drifted.decay * max(drifted.nu_mean + drifted.nu_sd * own, 0.0))
                else:
                    size = 0.0 if chance < 0.1 else 1.0
                sign = -1.0 if level < 0 else 1.0
                assert chip.held[block.array][i, j] == pytest.approx(sign * 100.0 * size, abs=2e-3)
                assert chip.sigma[block.array][i, j] == pytest.approx(
                    100.0 * device.read_sd(size, 3600.0), rel=0.01, abs=1e-4
                )


def test_a_cell_does_not_depend_on_what_is_around_it() -> None:
    machine = machine_of(rows=32, columns=64)
    levels = np.random.default_rng(3).integers(-100, 101, (96, 128))
    effects = PROGRAMMED.with_(read_noise=True, drift=True, time=DAY, stuck_low=0.05)
    whole = program_chip(plan_of(levels, machine), effects, 7)
    alone = program_chip(plan_of(levels[:32, :64], machine), effects, 7)
    np.testing.assert_array_equal(whole.held[0], alone.held[0])
    np.testing.assert_array_equal(whole.sigma[0], alone.sigma[0])
    inside = program_chip(plan_of(levels[10:32, 20:64], machine, first=(10, 20)), effects, 7)
    np.testing.assert_array_equal(inside.held[0][10:, 20:], alone.held[0][10:, 20:])
    again = program_chip(plan_of(levels, machine), effects, 7)
    for a, b in zip(whole.held, again.held, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len({chip.tobytes() for chip in whole.held}) == len(whole.held)  # arrays differ
    assert (program_chip(plan_of(levels, machine), effects, 8).held[0] != whole.held[0]).mean() > 0.9


def test_effects_draw_the_same_whatever_else_is_on() -> None:
    machine = machine_of()
    one = same_level(40, machine, PROGRAMMED)
    other = same_level(40, machine, PROGRAMMED.with_(read_noise=True, drift=True, stuck_low=0.1))
    kept = other.programmed[0] != 0.0
    np.testing.assert_array_equal(other.programmed[0][kept], one.programmed[0][kept])


# ------------------------------------------------------------------------------------------------ programming, verify
@pytest.mark.parametrize(
    "device", ["sonos_40nm", "pcm_joshi", "pcm_aihwkit", "pcm_hermes", "rram_neurram", "rram_milo"]
)
@pytest.mark.parametrize("level", [50, 100])
def test_programming_errors_have_the_devices_spread(device: str, level: int) -> None:
    error = same_level(level, machine_of(device), PROGRAMMED).held[0].astype(np.float64) - level
    expected = float(load_device(device).programming_sd(level / 100.0)) * 100.0
    cells = error.size
    assert error.mean() == pytest.approx(0.0, abs=5 * expected / sqrt(cells))
    assert error.std() == pytest.approx(expected, rel=5 / sqrt(2 * cells))
    assert (error**4).mean() / error.std() ** 4 == pytest.approx(3.0, abs=0.1)  # normal


def test_no_conductance_is_negative() -> None:
    chip = same_level(1, machine_of("pcm_aihwkit"), PROGRAMMED.with_(drift=True, time=YEAR))
    assert chip.held[0].min() == 0.0
    with_leak = same_level(0, machine_of("pcm_aihwkit"), PROGRAMMED.with_(on_off=True))
    assert with_leak.held[0].min() < 0.0  # below level 0, but not below 0 S
    assert with_leak.conductance(0).min() >= 0.0


def test_verification_leaves_a_truncated_distribution() -> None:
    machine, level, rounds = machine_of("pcm_aihwkit"), 60, 30
    sd = float(load_device("pcm_aihwkit").programming_sd(0.6)) * 100.0
    within = 0.8 * sd
    chip = same_level(level, machine, PROGRAMMED.with_(verify=Verify(within, rounds)))
    error = chip.held[0].astype(np.float64) - level
    a = 0.8
    accepted = erf(a / sqrt(2.0))
    left = sd * sqrt(1.0 - 2.0 * a * exp(-a * a / 2.0) / sqrt(2.0 * pi) / accepted)
    assert np.abs(error).max() <= within + 1e-4
    assert error.std() == pytest.approx(left, rel=0.01)
    cells = error.size
    took = chip.rounds[0]
    assert took.sum() == cells
    expected = accepted * (1.0 - accepted) ** np.arange(5)  # geometric
    np.testing.assert_allclose(took[1:6] / cells, expected, atol=5 * 0.5 / sqrt(cells))
    assert chip.statistics().programmings[0] == (took * np.arange(len(took))).sum()
    assert chip.missed.tolist() == [0]


def test_verification_gives_up_after_its_rounds() -> None:
    machine = machine_of("pcm_aihwkit")
    sd = float(load_device("pcm_aihwkit").programming_sd(0.6)) * 100.0
    chip = same_level(60, machine, PROGRAMMED.with_(verify=Verify(0.5 * sd, 3)))
    cells = chip.held[0].size
    missed = (1.0 - erf(0.5 / sqrt(2.0))) ** 3
    assert chip.missed[0] / cells == pytest.approx(missed, abs=0.01)
    assert (np.abs(chip.held[0] - 60.0) > 0.5 * sd).sum() == chip.missed[0]
    assert chip.rounds.shape == (1, 4)


def test_reads_that_verify_are_noisy() -> None:
    machine, verify = machine_of("pcm_aihwkit"), Verify(0.5, 50)
    quiet = same_level(60, machine, PROGRAMMED.with_(verify=verify))
    noisy = same_level(60, machine, PROGRAMMED.with_(verify=verify, read_noise=True))
    assert noisy.statistics().rms[0] > 2.0 * quiet.statistics().rms[0]
    assert noisy.missed[0] > 0


def test_one_programming_each_without_verification() -> None:
    chip = same_level(60, machine_of(), PROGRAMMED)
    assert chip.rounds[0][1] == chip.held[0].size
    assert chip.statistics().programmings[0] == chip.held[0].size


# ------------------------------------------------------------------------------------------------------------- stuck
def test_stuck_cells_stay_where_they_are() -> None:
    machine = machine_of("pcm_aihwkit")
    effects = Effects(quantise=True, stuck_low=0.03, stuck_high=0.01)
    chip = same_level(60, machine, effects)
    held = chip.held[0]
    assert set(np.unique(held)) == {0.0, 60.0, 100.0}
    assert (held == 0.0).mean() == pytest.approx(0.03, abs=0.003)
    assert (held == 100.0).mean() == pytest.approx(0.01, abs=0.002)
    later = same_level(60, machine, effects.with_(drift=True, time=YEAR)).held[0]
    np.testing.assert_array_equal(later == 0.0, held == 0.0)
    np.testing.assert_array_equal(later == 100.0, held == 100.0)
    assert (later[held == 60.0] < 60.0).all()
    verified = same_level(60, machine, effects.with_(programming=True, verify=Verify(20.0, 4)))
    assert verified.missed[0] == (held != 60.0).sum()
    assert verified.rounds[0][4] == (held != 60.0).sum()
    assert all(same_level(60, machine, Effects(stuck_high=1.0)).held[0].ravel() == 100.0)


# -------------------------------------------------------------------------------------------------------- other plans
def test_a_chip_serves_the_plan_that_it_was_programmed_with_alone() -> None:
    machine = machine_of(rows=16, columns=16)
    levels = np.random.default_rng(11).integers(-100, 101, (32, 20))
    chip = program_chip(plan_of(levels, machine), PROGRAMMED)
    chip.require(chip.plan)
    chip.require(plan_of(levels.copy(), machine_of(rows=16, columns=16)))
    other = levels.copy()
    other[3, 4] += 1
    cases = {
        "matrix matrix has other weights": plan_of(other, machine),
        r"matrix matrix is \(32, 20\) there, \(32, 19\) here": plan_of(levels[:, :19], machine),
        "the machine's g_max": plan_of(levels, machine_of(rows=16, columns=16, g_max=30e-6)),
    }
    for message, plan in cases.items():
        with pytest.raises(TargetError, match=message):
            chip.require(plan)
    small = program_chip(plan_of(levels[:14, :14], machine), PROGRAMMED)
    with pytest.raises(TargetError, match=r"block 0: row_first 0 there, 2 here; compile without chip"):
        small.require(plan_of(levels[:14, :14], machine, first=(2, 0)))


def test_statistics_are_those_of_the_errors() -> None:
    machine = machine_of("pcm_aihwkit", rows=16, columns=16)
    levels = np.random.default_rng(12).integers(-100, 101, (20, 16))
    chip = program_chip(plan_of(levels, machine), PROGRAMMED)
    found = chip.statistics()
    assert found.cells.tolist() == [256, 64]
    for array, wanted in enumerate((levels[:16], levels[16:])):
        np.testing.assert_array_equal(chip.targets(array), wanted)
        error = chip.held[array].astype(np.float64) - wanted
        assert found.mean[array] == pytest.approx(error.mean())
        assert found.rms[array] == pytest.approx(sqrt((error**2).mean()))
        assert found.worst[array] == pytest.approx(np.abs(error).max())


def test_the_range_of_weights_can_be_clipped() -> None:
    machine = machine_of(encoding="differential", cell_levels=16)
    weights = np.random.default_rng(13).standard_t(4, size=(256, 200)).astype(np.float32)
    plan, largest = plan_of(weights, machine), float(np.abs(weights).max())

    def error(scale: float) -> float:
        """By the definition of a code."""
        return float(((np.clip(np.rint(weights / scale), -15, 15) * scale - weights) ** 2).mean())

    chips = {clip: program_chip(plan, Effects(quantise=True), clip=clip) for clip in ("max", "mse", 0.99, 1.0)}
    for clip, chip in chips.items():
        found = float(((decode(chip.held[0], machine, chip.scale[0]) - weights) ** 2).mean())
        assert found == pytest.approx(error(float(chip.scale[0])), rel=1e-5), clip
        assert chip.clipped[0] == (np.rint(np.abs(weights) / chip.scale[0]) > 15).sum()
    assert chips["max"].scale[0] == chips[1.0].scale[0] == pytest.approx(largest / 15)
    kept = np.quantile(np.abs(weights), 0.99)
    assert chips[0.99].scale[0] * 15 == pytest.approx(kept, abs=2 * largest / 16384)
    best = min(error(scale) for scale in np.linspace(largest / 150, largest / 15, 500))
    assert error(float(chips["mse"].scale[0])) == pytest.approx(best, rel=0.01)
    assert best < 0.5 * error(largest / 15)
    # whole weights that are held exactly stay exact, and so does what is not cut into codes
    whole = np.full((4, 4), -15, np.int8)
    assert program_chip(plan_of(whole, machine), Effects(quantise=True), clip="mse").scale.tolist() == [1.0]
    unquantised = program_chip(plan, Effects(), clip=0.5)
    assert unquantised.clipped.tolist() == [0]
    with pytest.raises(MappingError, match=r"clip is 'none'; give \"max\", \"mse\""):
        program_chip(plan, Effects(), clip="none")  # type: ignore[arg-type]


def test_ints_that_do_not_fit_are_clipped_as_floats_are() -> None:
    machine = machine_of(encoding="differential", cell_levels=16)
    weights = np.array([[-128, 3, 5, 7, 1, 2, 2, 9, 11, 10, 4, 6, 8, 1, 12, 13, 14]], np.int8)
    chip = program_chip(plan_of(weights, machine), Effects(quantise=True), clip=0.9)
    assert chip.scale[0] * 15 == pytest.approx(14, abs=0.1)
    assert chip.clipped.tolist() == [1]


def test_ints_that_do_not_fit_are_scaled() -> None:
    machine = machine_of(encoding="differential")
    for weights, scale in (([300, -7], 3.0), ([100, -7], 1.0), ([200, -4], 2.0), ([400, -8], 4.0)):
        chip = program_chip(plan_of(np.array([weights]), machine), Effects(quantise=True))
        assert chip.scale.tolist() == [scale]
        assert chip.clipped.tolist() == [0]
