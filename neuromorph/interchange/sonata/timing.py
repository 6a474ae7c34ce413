"""Which step a time belongs to, and what the steps do to times between them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TOLERANCE = 1e-6
"""In steps: how far from a step a time may be to be at it; files hold float64."""

FINER = (2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50, 64, 100, 125, 128, 200, 250, 500, 1000)
"""Parts of a step that are tried as steps."""

SHORTEST = 1e-3
"""In ms: the shortest step that is proposed."""


def steps_of(times: Floats, dt: float, up: bool) -> Ints:
    """Steps of times, both in ms: the nearest ones, or (``up``) those that are not before."""
    exact = times / dt
    nearest = np.rint(exact)
    if up:
        nearest = np.where(np.abs(exact - nearest) <= TOLERANCE, nearest, np.ceil(exact))
    return nearest.astype(np.int64)


def warn_of_shifts(name: str, dt: float, spikes: Mapping[str, Floats], delays: Mapping[str, Floats], up: bool) -> None:
    """Warn if times are between steps: whose, how far they move, and what step leaves them where they are.

    Parameters
    ----------
    name : str
        Of the circuit.
    dt : float
        In ms.
    spikes, delays : mapping of str to float64 array
        In ms.
    up : bool
        Whether spikes count at the next step instead of the nearest.
    """
    moved = {f"spikes of {label}": _shift(times, dt, up) for label, times in spikes.items()}
    moved |= {f"delays of {label}": _shift(times, dt, False) for label, times in delays.items()}
    moved = {label: shift for label, shift in moved.items() if shift > TOLERANCE * dt}
    if not moved:
        return
    every = [*spikes.values(), *delays.values()]
    steps = (dt / k for k in FINER if dt / k >= SHORTEST * (1 - TOLERANCE))
    exact = next((step for step in steps if all(_shift(t, step, False) <= TOLERANCE * step for t in every)), None)
    whose = ", ".join(f"{label} (up to {shift:.2g} ms)" for label, shift in moved.items())
    remedy = "a shorter step moves them less" if exact is None else f"dt={exact:g} * ms leaves all where they are"
    warnings.warn(f"SONATA circuit {name}: times between steps of {dt:g} ms are moved: {whose}; {remedy}", stacklevel=3)


def _shift(times: Floats, dt: float, up: bool) -> float:
    """How far the steps move any of these times, in ms."""
    return float(np.abs(steps_of(times, dt, up) * dt - times).max(initial=0.0))
