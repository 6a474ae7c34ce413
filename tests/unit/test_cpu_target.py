"""Durations, steps and windows, as every target reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import TargetError, UnitError, ms, mV, second, us
from neuromorph.engine import Batch
from neuromorph.engine.target import check_window, duration_steps, step_seconds
from neuromorph.language import dt as symbol


def test_durations_are_steps_or_times_rounded_to_steps() -> None:
    assert duration_steps(7, 1e-3) == 7
    assert duration_steps(np.int64(7), 1e-3) == 7
    assert duration_steps(0, 1e-3) == 0
    assert duration_steps(1 * second, 1e-4) == 10_000
    assert duration_steps(1.26 * ms, 1e-4) == 13
    assert duration_steps(0 * ms, 1e-4) == 0


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        (-3, "must not be negative"),
        (-3 * ms, "not negative"),
        (0.5, r"0.5 \* second"),
        (True, "no unit"),
        (40 * us, "less than half a step"),
        (float("inf") * second, "finite"),
        (2**63, "less than"),
        (1e300 * second, r"2\*\*63 steps of 0.0001 s or more"),
    ],
)
def test_impossible_durations_are_refused(duration: Any, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        duration_steps(duration, 1e-4)


def test_a_voltage_is_no_duration() -> None:
    with pytest.raises(UnitError):
        duration_steps(5 * mV, 1e-3)


def test_a_step_is_positive() -> None:
    assert step_seconds(0.1 * ms) == pytest.approx(1e-4)
    for dt in (0 * ms, -1 * ms, float("nan") * ms):
        with pytest.raises(TargetError, match="longer than 0"):
            step_seconds(dt)


def test_a_step_needs_a_unit() -> None:
    with pytest.raises(TargetError, match=r"dt 0\.1 has no unit; write a time, e\.g\. 0\.1 \* ms"):
        step_seconds(0.1)  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="a symbol for equations"):
        step_seconds(symbol)  # type: ignore[arg-type]


def test_windows_lie_in_the_sample() -> None:
    assert check_window(None, 20) == (0, 20)
    assert check_window((3, 20), 20) == (3, 20)
    for window in ((-1, 5), (5, 3), (0, 21)):
        with pytest.raises(TargetError, match="0 <= first <= last <= 20"):
            check_window(window, 20)


def test_predictions_are_the_busiest_neurons() -> None:
    batch = Batch({"out": np.array([[0, 3, 3], [5, 1, 2]])}, 20, (0, 20))
    assert batch.samples == 2
    assert batch.predictions("out").tolist() == [1, 0]
