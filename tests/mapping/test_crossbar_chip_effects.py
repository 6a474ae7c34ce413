"""Programmed cells later, warmer, read, behind wires and before converters: against the laws of their devices."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest
from crossbar_plans import PROGRAMMED, YEAR, machine_of, plan_of, same_level

from neuromorph.errors import MappingError, TargetError
from neuromorph.mapping.crossbar.cells.chip import program_chip
from neuromorph.mapping.crossbar.cells.levels import decode
from neuromorph.mapping.crossbar.cells.wires import effective
from neuromorph.mapping.crossbar.machine.devices import DAY, Device, load_device
from neuromorph.mapping.crossbar.machine.effects import Effects


# ------------------------------------------------------------------------------------------------------------- drift
@pytest.mark.parametrize("device", ["sonos_40nm", "pcm_aihwkit", "pcm_hermes", "rram_neurram"])
def test_a_chip_later_is_the_chip_programmed_for_later(device: str) -> None:
    levels = np.random.default_rng(5).integers(-100, 101, (64, 64))
    plan = plan_of(levels, machine_of(device, rows=64, columns=64))
    effects = PROGRAMMED.with_(drift=True, read_noise=True)
    chip = program_chip(plan, effects, 3)
    np.testing.assert_allclose(chip.held[0], chip.programmed[0], atol=1e-4)
    for time in (1.0, DAY, YEAR):
        later, fresh = chip.at(time), program_chip(plan, effects.with_(time=time), 3)
        np.testing.assert_array_equal(later.held[0], fresh.held[0])
        np.testing.assert_array_equal(later.sigma[0], fresh.sigma[0])
        np.testing.assert_array_equal(later.at(0.0).held[0], chip.held[0])
        assert later.effects.time == time
        assert later.rounds is chip.rounds
    with pytest.raises(TargetError, match="time is -1"):
        chip.at(-1)


def test_phase_change_memory_drifts_as_a_power_law() -> None:
    chip = same_level(30, machine_of("pcm_aihwkit"), PROGRAMMED.with_(drift=True))
    start = chip.programmed[0].astype(np.float64)
    nu = {}
    for time in (3600.0, YEAR):
        ratio = np.log(chip.at(time).held[0] / start)
        nu[time] = -ratio / log((20.0 + time) / 20.0)
    drifted = load_device("pcm_aihwkit").drift_at(0.3, 1.0)
    assert nu[YEAR].mean() == pytest.approx(float(drifted.nu_mean), abs=0.001)
    assert nu[YEAR].std() == pytest.approx(float(drifted.nu_sd), rel=0.02)
    np.testing.assert_allclose(nu[YEAR], nu[3600.0], atol=1e-5)  # every cell has its own
    assert abs(np.corrcoef(nu[YEAR].ravel(), start.ravel())[0, 1]) < 0.02  # drawn apart from programming


@pytest.mark.parametrize("level", [25, 100])
def test_sonos_keeps_its_published_statistics(level: int) -> None:
    chip = same_level(level, machine_of("sonos_40nm"), PROGRAMMED.with_(drift=True, time=5 * DAY))
    error = (chip.held[0].astype(np.float64) - level) * 16.0  # nA
    shift, sd = {25: (-1.5, 29.6), 100: (-40.7, 34.6)}[level]
    assert error.mean() == pytest.approx(shift, abs=0.5)
    assert error.std() == pytest.approx(sd, rel=0.02)


def test_filaments_relax_but_keep_their_mean() -> None:
    chip = same_level(50, machine_of("rram_neurram"), PROGRAMMED.with_(drift=True, time=2 * DAY))
    retention: Any = load_device("rram_neurram").drift
    error = chip.held[0].astype(np.float64) - 50.0
    assert error.mean() == pytest.approx(0.0, abs=0.2)
    assert error.std() == pytest.approx(float(retention.at(2 * DAY, np.array([0.5]))[1][0]) * 100.0, rel=0.02)


def test_extrapolation_is_told() -> None:
    chip = program_chip(plan_of([[50]], machine_of("sonos_40nm")), PROGRAMMED.with_(drift=True, time=5 * DAY))
    assert chip.remarks == ()
    assert "sonos_40nm at 3.15e+07 s is extrapolated" in chip.at(YEAR).remarks[0]


def test_compensation_brings_weights_back_to_their_size() -> None:
    levels = np.random.default_rng(6).integers(-100, 101, (256, 256))
    machine = machine_of("pcm_aihwkit", encoding="differential")
    effects = PROGRAMMED.with_(drift=True, compensate=True)
    chip = program_chip(plan_of(levels, machine), effects, 1)
    assert chip.compensation.tolist() == [1.0]
    later = chip.at(YEAR)
    before, now = (np.abs(decode(c.held[0], machine)).sum() for c in (chip, later))
    assert now < 0.6 * before
    assert later.compensation[0] * now == pytest.approx(before, rel=1e-6)
    assert chip.at(YEAR).compensation.tolist() == later.compensation.tolist()
    plain_chip = program_chip(plan_of(levels, machine), effects.without("compensate"), 1).at(YEAR)
    assert plain_chip.compensation.tolist() == [1.0]
    np.testing.assert_array_equal(plain_chip.held[0], later.held[0])


# -------------------------------------------------------------------------------------- temperature, on/off, read noise
def test_temperature_where_the_device_has_it() -> None:
    mine = Device("mine", 25e-6, "S", lambda x: 0.0 * x, temperature=lambda x, kelvin: np.full_like(x, kelvin / 300.0))
    warm = same_level(40, machine_of(mine), Effects(quantise=True, temperature=330.0))
    np.testing.assert_allclose(warm.held[0], 44.0, rtol=1e-6)
    with pytest.raises(MappingError, match=r"device sonos_40nm: no dependence on temperature is published"):
        same_level(40, machine_of(), Effects(quantise=True, temperature=330.0))


def test_what_a_device_lacks_is_refused_before_programming() -> None:
    with pytest.raises(MappingError, match=r"device pcm_joshi: no drift"):
        same_level(40, machine_of("pcm_joshi"), PROGRAMMED.with_(drift=True))
    with pytest.raises(MappingError, match=r"says nothing about the device.*programming.*device='sonos_40nm'"):
        same_level(40, machine_of(None), PROGRAMMED)


def test_on_off_and_conductances() -> None:
    machine = machine_of(g_min=5e-6, rows=16, columns=16)
    levels = np.arange(-100, 101, 2)[:100].reshape(10, 10)
    plan = plan_of(levels, machine)
    for effects, lowest in ((Effects(quantise=True), 0.0), (Effects(quantise=True, on_off=True), 5e-6)):
        found = program_chip(plan, effects).conductance(0)
        np.testing.assert_allclose(found, lowest + np.abs(levels) / 100.0 * (25e-6 - lowest), atol=1e-18)


def test_read_noise_by_what_a_cell_holds() -> None:
    device = load_device("pcm_aihwkit")
    machine = machine_of("pcm_aihwkit", g_min=1e-6, encoding="offset", cell_levels=101)
    levels = np.random.default_rng(7).integers(-50, 51, (32, 32))
    for on_off in (False, True):
        chip = program_chip(plan_of(levels, machine), Effects(quantise=True, read_noise=True, on_off=on_off))
        low = 0.04 if on_off else 0.0
        share = low + (levels + 50) / 100.0 * (1.0 - low)
        expected = device.read_sd(share) * 100.0 / (1.0 - low)
        np.testing.assert_allclose(chip.sigma[0], expected, rtol=1e-3, atol=1e-4)


def test_an_unquantised_chip_uses_the_whole_range() -> None:
    weights = np.random.default_rng(8).normal(size=(64, 64)).astype(np.float32)
    machine = machine_of("pcm_aihwkit", cell_levels=None, g_min=0.0)
    chip = program_chip(plan_of(weights, machine), Effects(programming=True), 1)
    largest = np.abs(weights).max()
    assert chip.top.tolist() == [largest]
    exact = program_chip(plan_of(weights, machine), Effects.none())
    assert exact.conductance(0).max() == pytest.approx(25e-6)
    np.testing.assert_array_equal(exact.held[0], weights)
    error = (chip.held[0] - weights) / largest
    assert error.std() == pytest.approx(0.04, abs=0.02)


# -------------------------------------------------------------------------------------------------- wires, converters
@pytest.mark.parametrize("drive", ["rows", "columns"])
@pytest.mark.parametrize("on_off", [False, True])
def test_wires_are_folded_into_what_cells_hold(drive: Any, on_off: bool) -> None:
    machine = machine_of("sonos_40nm", rows=20, columns=14, r_row=20.0, r_column=35.0, drive=drive, g_min=2e-6)
    levels = np.random.default_rng(9).integers(-100, 101, (20, 14))
    effects = PROGRAMMED.with_(on_off=on_off, read_noise=True)
    ideal = program_chip(plan_of(levels, machine), effects, 2)
    wired = program_chip(plan_of(levels, machine), effects.with_(wires=True), 2)
    plain_g = ideal.conductance(0)
    seen = effective(plain_g, 20.0, 35.0, drive)
    np.testing.assert_allclose(wired.conductance(0), seen, atol=1e-12)
    low = 2e-6 if on_off else 0.0
    size = (seen - low) / (25e-6 - low) * 100.0
    np.testing.assert_allclose(wired.held[0], np.where(levels < 0, -size, size), atol=1e-4)
    np.testing.assert_allclose(wired.sigma[0], ideal.sigma[0] * seen / np.maximum(plain_g, 1e-30), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(wired.programmed[0], ideal.programmed[0])


def test_wires_reach_to_the_edge_of_an_array_that_is_not_full() -> None:
    machine = machine_of("sonos_40nm", rows=20, columns=14, r_row=20.0, r_column=35.0)
    levels = np.random.default_rng(10).integers(1, 101, (12, 9))
    effects = Effects(quantise=True)
    g = np.zeros((20, 14))
    g[:12, :9] = program_chip(plan_of(levels, machine), effects).conductance(0)
    wired = program_chip(plan_of(levels, machine), effects.with_(wires=True))
    np.testing.assert_allclose(wired.conductance(0), effective(g, 20.0, 35.0)[:12, :9], rtol=1e-5)


def test_converters_have_offsets_and_gains_of_their_own() -> None:
    machine = machine_of(rows=2, columns=512)
    machine = replace(machine, adc=replace(machine.adc, columns_per_converter=2))
    plan = plan_of(np.ones((40, 512), int), machine)
    chip = program_chip(plan, Effects(adc_offset=0.5, adc_gain=0.02), 4)
    assert chip.adc_offset.shape == chip.adc_gain.shape == (20, 512)
    np.testing.assert_array_equal(chip.adc_offset[:, ::2], chip.adc_offset[:, 1::2])
    offsets, gains = chip.adc_offset[:, ::2].ravel(), chip.adc_gain[:, ::2].ravel()
    assert offsets.std() == pytest.approx(0.5, rel=0.05)
    assert gains.mean() == pytest.approx(1.0, abs=0.002)
    assert gains.std() == pytest.approx(0.02, rel=0.05)
    assert len(np.unique(offsets)) == len(offsets)
    assert abs(np.corrcoef(offsets, gains)[0, 1]) < 0.05
    np.testing.assert_array_equal(program_chip(plan, Effects(adc_offset=0.5), 4).adc_offset, chip.adc_offset)
