"""What is known of the devices that cells are made of: how far off they are programmed, how they drift, how they hiss.

A device is told by curves over the *share* of its full scale, from 0 to 1, so that cells of another conductance range
have the same relative errors. The coefficients stand in ``machines/devices.toml``, each with its source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from math import log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ...constants import Constants, load_constants

Float64 = npt.NDArray[np.float64]
Curve = Callable[[Float64], Float64]
"""A quantity, mostly in shares of full scale, at shares of full scale."""

DAY = 86400.0
_LEAST = 1e-7  # below this share the logarithms of the published fits are cut off


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """Drift as ``G(t) = G ((start + t) / start)^-nu``, with a ``nu`` of its own for every cell.

    Attributes
    ----------
    start : float
        Seconds after programming at which conductances were characterised; times are counted from there.
    mean, sd : Curve
        Of ``nu``, which is normally distributed over cells and at least 0, by the share that was to be programmed.
    """

    start: float
    mean: Curve
    sd: Curve


@dataclass(frozen=True, eq=False)
class Retention:
    """Charge or filaments that are lost: the mean of a group of cells shifts, and its spread grows.

    Attributes
    ----------
    times : tuple of float
        Seconds since programming at which groups of cells were measured, ascending.
    sd : tuple of Curve
        Standard deviation at each time, the programming error included.
    shift : tuple of Curve
        Change of the mean since programming at each time.
    logarithmic : bool
        Between the times, values go with the logarithm of time; else with time.
    grows : bool
        After the last time, values go on with the logarithm of time as from the first time above 0 to the last, which
        is how trapped charge is lost; an extrapolation. Else they stay.
    """

    times: tuple[float, ...]
    sd: tuple[Curve, ...]
    shift: tuple[Curve, ...]
    logarithmic: bool
    grows: bool

    def weights(self, time: float) -> Float64:
        """What the values at each of the times count at another time, float64 (times,); they sum to 1."""
        at = np.asarray(self.times)
        weights = np.zeros(len(at))
        if time <= at[0]:
            weights[0] = 1.0
        elif time >= at[-1]:
            weights[-1] = 1.0
            if self.grows:
                first = int(np.flatnonzero(at > 0.0)[0])
                more = log(time / at[-1]) / log(at[-1] / at[first])
                weights[-1] += more
                weights[first] -= more
        else:
            k = int(np.searchsorted(at, time, side="right"))
            a, b, t = np.log([at[k - 1], at[k], time]) if self.logarithmic else (at[k - 1], at[k], time)
            weights[k] = (t - a) / (b - a)
            weights[k - 1] = 1.0 - weights[k]
        return weights

    def at(self, time: float, share: Float64) -> tuple[Float64, Float64]:
        """Shift of the mean, and standard deviation, at a time, for shares that were to be programmed."""
        weights = [(w, k) for k, w in enumerate(self.weights(time)) if w]
        shift = sum((w * self.shift[k](share) for w, k in weights), np.zeros_like(share))
        sd = sum((w * self.sd[k](share) for w, k in weights), np.zeros_like(share))
        return shift, np.maximum(sd, 0.0)


@dataclass(frozen=True, eq=False)
class Device:
    """A device as measured; give your own to a machine's cells with ``device=Device(...)``.

    Attributes
    ----------
    name : str
    full_scale, unit : float, str
        Of the coefficients: the highest conductance (S) or current at the read voltage (A) that was characterised.
    lowest : float
        Lowest share that was characterised; below it, its values are taken.
    programming : Curve
        Standard deviation of the conductance after programming, by the share that was to be programmed.
    read : function of (share, seconds), optional
        Standard deviation of a read, by the share that a cell holds and the time since programming.
    drift : PowerLaw or Retention, optional
    known_until : float
        Seconds since programming up to which drift was measured or its law is given.
    temperature : function of (share, kelvin), optional
        Factor on the conductance. No preset has one: nobody has published it for these devices.
    """

    name: str
    full_scale: float
    unit: str
    programming: Curve
    read: Callable[[Float64, float], Float64] | None = None
    drift: PowerLaw | Retention | None = None
    lowest: float = 0.0
    known_until: float = float("inf")
    temperature: Callable[[Float64, float], Float64] | None = None

    def __str__(self) -> str:
        """Its name."""
        return self.name

    def within(self, share: npt.ArrayLike) -> Float64:
        """Shares, brought into the range that was characterised."""
        return np.clip(np.asarray(share, np.float64), self.lowest, 1.0)

    def programming_sd(self, share: npt.ArrayLike) -> Float64:
        """Standard deviation of the conductance after programming, as a share of full scale."""
        return np.maximum(self.programming(self.within(share)), 0.0)

    def read_sd(self, share: npt.ArrayLike, time: float = 0.0) -> Float64:
        """Standard deviation of a read, as a share of full scale, at seconds since programming.

        Raises
        ------
        MappingError
            If none is published.
        """
        sd: Float64 = self._has("read", "read noise")(self.within(share), time)
        return np.maximum(sd, 0.0)

    def drift_at(self, share: npt.ArrayLike, time: float) -> Drifted:
        """How cells have changed at a time, by the share that was to be programmed.

        Raises
        ------
        MappingError
            If no drift is published.
        """
        x, law = self.within(share), self._has("drift", "drift")
        none = np.zeros_like(x)
        if isinstance(law, PowerLaw):
            return Drifted(log((law.start + time) / law.start), law.mean(x), np.maximum(law.sd(x), 0.0), none, none)
        shift, sd = law.at(time, x)
        return Drifted(0.0, none, none, shift, np.sqrt(np.maximum(sd**2 - self.programming_sd(x) ** 2, 0.0)))

    def temperature_factor(self, share: npt.ArrayLike, kelvin: float) -> Float64:
        """Factor on the conductance at a temperature.

        Raises
        ------
        MappingError
            If none is published.
        """
        return np.asarray(self._has("temperature", "dependence on temperature")(self.within(share), kelvin), np.float64)

    def _has(self, what: str, name: str) -> Any:
        found = getattr(self, what)
        if found is None:
            others = [k for k in PRESETS if getattr(load_device(k), what) is not None]
            there = f"presets with one: {', '.join(others)}" if others else "no preset has one; give your own Device"
            raise MappingError(f"device {self.name}: no {name} is published for it; {there}", device=self.name)
        return found


@dataclass(frozen=True, eq=False)
class Drifted:
    """How cells have changed since programming: ``G exp(-nu * decay) + shift + spread * (a normal number)``.

    Attributes
    ----------
    decay : float
    nu_mean, nu_sd : float64
        Of the normal distribution of ``nu``.
    shift, spread : float64
        Shares of full scale.
    """

    decay: float
    nu_mean: Float64
    nu_sd: Float64
    shift: Float64
    spread: Float64


def polynomial(coefficients: Any, factor: float, scale: float, share: Float64) -> Float64:
    """``factor * sum c_i (scale * share)^i``, by Horner's rule."""
    value = np.zeros_like(share)
    for c in reversed(coefficients):
        value = value * (scale * share) + c
    return value * factor


def saturating(a: float, b: float, share: Float64) -> Float64:
    """``a (1 - exp(-share / b))``."""
    return -a * np.expm1(-share / b)


def logarithm(limits: Any, share: Float64) -> Float64:
    """``slope * ln(share) + offset``, kept within limits; `limits` is (slope, offset, least, most)."""
    slope, offset, least, most = limits
    return np.asarray(np.clip(slope * np.log(np.maximum(share, _LEAST)) + offset, least, most))


def branches(split: float, below: Curve, above: Curve, share: Float64) -> Float64:
    """One curve below a share, another from it on."""
    return np.where(share < split, below(share), above(share))


def flicker(read_time: float, start: float, q: Curve, share: Float64, time: float) -> Float64:
    """1/f noise that has accumulated since programming: ``share * Q * sqrt(ln((t + t_r) / (2 t_r)))``."""
    return share * q(share) * sqrt(log((time + start + read_time) / (2.0 * read_time)))


def power(factor: float, exponent: float, most: float, share: Float64) -> Float64:
    """``factor / share^exponent``, at most `most`."""
    return np.minimum(factor / np.maximum(share, _LEAST) ** exponent, most)


def constant(value: float, share: Float64, time: float) -> Float64:
    """The same for every share and time."""
    return np.full_like(share, value)


def _sonos(c: Constants) -> Device:
    full = c["sonos_40nm.full_scale"].value
    curve = {key: c[f"sonos_40nm.{key}"].value for key in ("spread_time", "spread_a", "spread_b", "shift")}
    read = partial(saturating, c["sonos_40nm.read_a"].value / full, c["sonos_40nm.read_b"].value / full)
    sd = tuple(
        partial(saturating, a / full, b / full) for a, b in zip(curve["spread_a"], curve["spread_b"], strict=True)
    )
    shift = tuple(partial(polynomial, row, 1.0 / full, full) for row in curve["shift"])
    times = tuple(day * DAY for day in curve["spread_time"])
    law = Retention(times, sd, shift, logarithmic=False, grows=True)
    return _device(c, "sonos_40nm", sd[0], partial(_timeless, read), law, known_until=times[-1])


def _timeless(curve: Curve, share: Float64, time: float) -> Float64:
    return curve(share)


def _pcm_joshi(c: Constants) -> Device:
    full = c["pcm_joshi.full_scale"].value
    return _device(c, "pcm_joshi", partial(polynomial, c["pcm_joshi.programming"].value, 1.0 / full, full))


def _pcm_aihwkit(c: Constants) -> Device:
    name = "pcm_aihwkit"
    start = c.si(f"{name}.start")
    law = PowerLaw(start, *(partial(logarithm, c[f"{name}.{key}"].value) for key in ("drift_mean", "drift_sd")))
    q = partial(power, *(c[f"{name}.read_{key}"].value for key in ("factor", "power", "most")))
    return _device(c, name, _relative(c, name), partial(flicker, c.si(f"{name}.read_time"), start, q), law)


def _pcm_hermes(c: Constants) -> Device:
    name = "pcm_hermes"

    def curve(key: str) -> Curve:
        below = partial(logarithm, c[f"{name}.{key}"].value)
        above = partial(polynomial, c[f"{name}.{key}_above"].value, 1.0, 1.0)
        return partial(branches, c[f"{name}.{key}_split"].value, below, above)

    start = c.si(f"{name}.start")
    law = PowerLaw(start, curve("drift_mean"), curve("drift_sd"))
    return _device(
        c, name, _relative(c, name), partial(flicker, c.si(f"{name}.read_time"), start, curve("read_q")), law
    )


def _rram_neurram(c: Constants) -> Device:
    name = "rram_neurram"
    full, rows = c[f"{name}.full_scale"].value, c[f"{name}.spread"].value
    sd = tuple(partial(polynomial, row, 1.0 / full, 1.0) for row in rows)
    still = tuple(partial(polynomial, (0.0,), 1.0, 1.0) for _ in rows)
    times = tuple(float(t) for t in c[f"{name}.spread_time"].value)
    law = Retention(times, sd, still, logarithmic=True, grows=False)
    return _device(c, name, sd[0], partial(constant, c[f"{name}.read"].value), law, known_until=times[-1])


def _rram_milo(c: Constants) -> Device:
    full = c["rram_milo.full_scale"].value
    programming = partial(polynomial, c["rram_milo.programming"].value, 1.0 / full, full)
    return _device(c, "rram_milo", programming, lowest=c["rram_milo.lowest"].value / full)


def _relative(c: Constants, name: str) -> Curve:
    """Programming error that is published as a polynomial of the share."""
    return partial(polynomial, c[f"{name}.programming"].value, 1.0 / c[f"{name}.full_scale"].value, 1.0)


def _device(c: Constants, name: str, programming: Curve, *laws: Any, **more: Any) -> Device:
    full = c[f"{name}.full_scale"]
    return Device(name, full.si, "A" if full.unit.endswith("A") else "S", programming, *laws, **more)


PRESETS: dict[str, Callable[[Constants], Device]] = {
    "sonos_40nm": _sonos,
    "pcm_joshi": _pcm_joshi,
    "pcm_aihwkit": _pcm_aihwkit,
    "pcm_hermes": _pcm_hermes,
    "rram_neurram": _rram_neurram,
    "rram_milo": _rram_milo,
}
"""How each preset is built from its constants."""


@lru_cache
def load_device(name: str) -> Device:
    """A preset by its name.

    Raises
    ------
    MappingError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise MappingError(f"no device {name!r}; there is {', '.join(PRESETS)}", device=name)
    return PRESETS[name](load_constants("devices"))
