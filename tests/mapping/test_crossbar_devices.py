"""Presets of devices against the figures that were evaluated from their sources, and the laws that they are told by."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.crossbar.machine.devices import (
    DAY,
    PRESETS,
    Device,
    PowerLaw,
    Retention,
    load_device,
    polynomial,
)

SHARES = np.linspace(0.0, 1.0, 201)
TIMES = (0.0, 1.0, 3600.0, DAY, 5 * DAY, 30 * DAY, 365 * DAY)
DRIFTING = ("sonos_40nm", "pcm_aihwkit", "pcm_hermes", "rram_neurram")


@pytest.mark.parametrize(
    ("current", "programmed", "after_5_days", "read", "shift"),
    [(100, 8.6, 13.2, 4.7, 4.1), (400, 17.8, 29.6, 10.6, -1.5), (1600, 19.9, 34.6, 12.6, -40.7)],
)
def test_sonos_as_evaluated(current: float, programmed: float, after_5_days: float, read: float, shift: float) -> None:
    device = load_device("sonos_40nm")
    share = np.array([current / 1600.0])
    law = device.drift
    assert isinstance(law, Retention)
    moved, spread = (float(v[0] * 1600.0) for v in law.at(5 * DAY, share))
    assert device.full_scale == pytest.approx(1600e-9)
    assert device.unit == "A"
    assert float(device.programming_sd(share)[0] * 1600.0) == pytest.approx(programmed, abs=0.05)
    assert float(device.read_sd(share)[0] * 1600.0) == pytest.approx(read, abs=0.05)
    assert spread == pytest.approx(after_5_days, abs=0.05)
    assert moved == pytest.approx(shift, abs=0.05)
    # what a cell gets on top of its programming error makes the published spread
    drifted = device.drift_at(share, 5 * DAY)
    together = float(np.hypot(drifted.spread, device.programming_sd(share))[0] * 1600.0)
    assert together == pytest.approx(after_5_days, abs=0.05)


def test_the_two_fits_of_phase_change_memory_agree() -> None:
    joshi, aihwkit = (load_device(name) for name in ("pcm_joshi", "pcm_aihwkit"))
    assert np.abs(joshi.programming_sd(SHARES) - aihwkit.programming_sd(SHARES)).max() * 25.0 < 0.03


def test_phase_change_memory_against_its_formulas() -> None:
    device, r, t = load_device("pcm_aihwkit"), 0.3, 3600.0
    drifted = device.drift_at([r], t)
    assert drifted.decay == pytest.approx(log((20.0 + t) / 20.0))
    assert drifted.nu_mean[0] == pytest.approx(min(max(-0.0155 * log(r) + 0.0244, 0.049), 0.1))
    assert drifted.nu_sd[0] == pytest.approx(min(max(-0.0125 * log(r) - 0.0059, 0.008), 0.045))
    q = min(0.2, 0.0088 / r**0.65)
    assert device.read_sd([r], t)[0] == pytest.approx(r * q * sqrt(log((t + 20.0 + 250e-9) / 500e-9)))
    assert device.drift_at([1e-9, 1.0], t).nu_mean == pytest.approx([0.1, 0.049])


def test_hermes_against_its_formulas() -> None:
    device = load_device("pcm_hermes")
    assert device.full_scale == pytest.approx(20.7e-6)
    for r in (0.05, 0.2, 0.7):
        sd = 0.166 + 4.718 * r - 8.481 * r**2 + 4.690 * r**3
        assert device.programming_sd([r])[0] * 20.7 == pytest.approx(sd, abs=1e-3)
    drifted = device.drift_at([0.05, 0.2], 700.0)
    assert drifted.decay == pytest.approx(log(1000.0 / 300.0))
    assert drifted.nu_mean == pytest.approx([-0.0387 * log(0.05) - 0.0182, 0.0736 - 0.0126 * 0.2 - 0.0436 * 0.04])
    low = device.drift_at(np.linspace(0.0, 0.09, 50), 700.0).nu_mean
    assert low.min() == pytest.approx(0.075, abs=0.005)
    assert low.max() == 0.13


def test_rram_as_evaluated() -> None:
    device, share = load_device("rram_neurram"), np.array([0.25])
    law = device.drift
    assert isinstance(law, Retention)
    found = [float(law.at(t, share)[1][0] * 40.0) for t in (1.0, DAY, 2 * DAY)]
    assert found == pytest.approx([2.26, 3.72, 3.66], abs=0.005)
    cubic = polynomial(load_constants("devices")["rram_neurram.programming_cubic"].value, 1.0, 40.0, share)
    assert cubic[0] == pytest.approx(2.41, abs=0.005)
    milo = load_device("rram_milo")
    assert milo.programming_sd(np.array([50.0, 225.0]) / 225.0) * 225.0 == pytest.approx([4.327, 2.733], abs=1e-3)
    assert milo.programming_sd([0.0])[0] == milo.programming_sd([50.0 / 225.0])[0]  # below what was characterised


@pytest.mark.parametrize("name", PRESETS)
def test_curves_are_finite_and_errors_are_not_negative(name: str) -> None:
    device = load_device(name)
    assert device.name == str(device) == name
    assert np.isfinite(device.programming_sd(SHARES)).all()
    assert (device.programming_sd(SHARES) >= 0.0).all()
    for time in TIMES:
        if device.read is not None:
            assert (device.read_sd(SHARES, time) >= 0.0).all()
            assert np.isfinite(device.read_sd(SHARES, time)).all()
        if device.drift is not None:
            drifted = device.drift_at(SHARES, time)
            for values in (drifted.nu_mean, drifted.nu_sd, drifted.shift, drifted.spread):
                assert np.isfinite(values).all()
            assert (drifted.nu_sd >= 0.0).all()
            assert (drifted.spread >= 0.0).all()


@pytest.mark.parametrize("name", DRIFTING)
def test_nothing_has_drifted_at_time_0(name: str) -> None:
    drifted = load_device(name).drift_at(SHARES, 0.0)
    assert drifted.decay == 0.0
    np.testing.assert_allclose(drifted.shift, 0.0, atol=1e-15)
    np.testing.assert_allclose(drifted.spread, 0.0, atol=1e-8)


def test_every_number_has_a_source_and_those_in_use_are_published() -> None:
    constants = load_constants("devices")
    assert {name.split(".")[0] for name in constants} == set(PRESETS)
    assert all(c.citation for c in constants.values())
    assert all(c.status == "published" for c in constants.values())


def test_what_nobody_published_is_refused_with_those_that_have_it() -> None:
    with pytest.raises(MappingError, match=r"pcm_joshi: no drift is published for it; presets with one: sonos_40nm"):
        load_device("pcm_joshi").drift_at(SHARES, 1.0)
    with pytest.raises(MappingError, match=r"rram_milo: no read noise"):
        load_device("rram_milo").read_sd(SHARES)
    for name in PRESETS:
        with pytest.raises(MappingError, match=r"no dependence on temperature.*give your own Device"):
            load_device(name).temperature_factor(SHARES, 300.0)
    with pytest.raises(MappingError, match=r"no device 'flash'; there is sonos_40nm"):
        load_device("flash")


def law(logarithmic: bool, grows: bool) -> Retention:
    curves: Any = tuple(lambda x, k=k: np.full_like(x, k) for k in (1.0, 2.0, 5.0))
    return Retention((0.0, 10.0, 100.0), curves, curves, logarithmic, grows)


@pytest.mark.parametrize("grows", [False, True])
def test_retention_goes_through_what_was_measured(grows: bool) -> None:
    one = np.ones(1)
    for time, value in ((0.0, 1.0), (10.0, 2.0), (100.0, 5.0)):
        shift, sd = law(False, grows).at(time, one)
        assert (shift[0], sd[0]) == pytest.approx((value, value))
    assert law(False, grows).at(5.0, one)[0][0] == pytest.approx(1.5)
    assert law(False, grows).at(55.0, one)[0][0] == pytest.approx(3.5)
    # ten times as long: as much again as from 10 to 100, or nothing
    assert law(False, grows).at(1000.0, one)[0][0] == pytest.approx(8.0 if grows else 5.0)
    for time in (0.0, 3.0, 10.0, 33.0, 100.0, 1e6):
        assert law(False, grows).weights(time).sum() == pytest.approx(1.0)


def test_retention_between_times_by_their_logarithm() -> None:
    curves: Any = tuple(lambda x, k=k: np.full_like(x, k) for k in (1.0, 2.0))
    retention = Retention((1.0, 100.0), curves, curves, logarithmic=True, grows=False)
    found = [float(retention.at(t, np.ones(1))[1][0]) for t in (0.0, 1.0, 10.0, 100.0, 1e9)]
    assert found == pytest.approx([1.0, 1.0, 1.5, 2.0, 2.0])


def test_a_device_of_ones_own() -> None:
    device = Device(
        "mine",
        1e-6,
        "S",
        lambda x: 0.02 + 0.0 * x,
        drift=PowerLaw(1.0, lambda x: 0.1 + 0.0 * x, lambda x: 0.0 * x),
        temperature=lambda x, kelvin: np.full_like(x, exp(-0.01 * (kelvin - 300.0))),
    )
    assert device.programming_sd([0.5]) == pytest.approx([0.02])
    assert device.drift_at([0.5], 9.0).decay == pytest.approx(log(10.0))
    assert device.temperature_factor([0.5], 310.0) == pytest.approx([exp(-0.1)])
