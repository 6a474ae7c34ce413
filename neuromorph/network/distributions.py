"""Distributions of weights, delays, parameters and initial values.

Each turns one uniform number into one sample through its quantile function, so that a sample depends on nothing but
its own random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, inf, log
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError, UnitError
from neuromorph.units import Dimension, Quantity, as_quantity

Floats = npt.NDArray[np.float64]


class Distribution:
    """What every distribution can do; numbers are in SI units of :attr:`dim`."""

    @property
    def dim(self) -> Dimension:
        """Physical dimension of the samples."""
        raise NotImplementedError

    @property
    def integer(self) -> bool:
        """Whether samples are whole numbers by definition, as an int port needs."""
        return False

    @property
    def bounds(self) -> tuple[float, float]:
        """No sample lies outside these."""
        return -inf, inf

    def quantile(self, u: Floats) -> Floats:
        """Value that a sample stays below with probability ``u``, for u strictly between 0 and 1."""
        raise NotImplementedError

    def cdf(self, x: float) -> float:
        """Probability of a sample of at most ``x``."""
        raise NotImplementedError

    def sample(self, rng: np.random.Generator, n: int) -> Floats:
        """``n`` independent samples, each from one number of ``rng``.

        Returns
        -------
        float64 (n,)
            In SI units.
        """
        return self.quantile(np.asarray((rng.integers(0, 1 << 52, n) + 0.5) * 2.0**-52, np.float64))

    def clip(self, low: Any = None, high: Any = None) -> Clipped:
        """Samples below ``low`` become ``low``, those above ``high`` become ``high``."""
        return Clipped(self, low, high)

    def truncate(self, low: Any = None, high: Any = None) -> Truncated:
        """The distribution given that samples lie between ``low`` and ``high`` (as if drawn again until they do)."""
        return Truncated(self, low, high)


def _numbers(subject: str, *given: Any) -> tuple[list[float], Dimension]:
    """SI numbers of scalars that must share a dimension."""
    quantities = [as_quantity(x, subject) for x in given]
    dims = {q.dim for q in quantities}
    if len(dims) > 1:
        raise UnitError(f"{subject}: {' and '.join(map(str, quantities))} have different dimensions", dims=dims)
    for q in quantities:
        if np.ndim(q.value) or not np.isfinite(q.value):
            raise NetworkError(f"{subject}: expected finite numbers, got {q}")
    return [float(q.value) for q in quantities], quantities[0].dim


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise NetworkError(message)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Equally likely everywhere between ``low`` and ``high``."""

    low: Quantity | float
    high: Quantity | float

    def __post_init__(self) -> None:
        _require(self.bounds[0] <= self.bounds[1], f"Uniform: low {self.low} lies above high {self.high}")

    @property
    def dim(self) -> Dimension:
        return _numbers("Uniform", self.low, self.high)[1]

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = _numbers("Uniform", self.low, self.high)[0]
        return low, high

    def quantile(self, u: Floats) -> Floats:
        low, high = self.bounds
        return low + (high - low) * u

    def cdf(self, x: float) -> float:
        low, high = self.bounds
        return float(x >= high) if low == high else min(1.0, max(0.0, (x - low) / (high - low)))


@dataclass(frozen=True)
class Normal(Distribution):
    """Gaussian of this ``mean`` and standard deviation ``sd``."""

    mean: Quantity | float
    sd: Quantity | float

    def __post_init__(self) -> None:
        _require(self._values[1] >= 0, f"Normal: sd {self.sd} is negative")

    @property
    def _values(self) -> list[float]:
        return _numbers("Normal", self.mean, self.sd)[0]

    @property
    def dim(self) -> Dimension:
        return _numbers("Normal", self.mean, self.sd)[1]

    def quantile(self, u: Floats) -> Floats:
        from scipy.special import ndtri

        mean, sd = self._values
        return np.asarray(mean + sd * ndtri(u))

    def cdf(self, x: float) -> float:
        from scipy.special import ndtr

        mean, sd = self._values
        return float(ndtr((x - mean) / sd)) if sd else float(x >= mean)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """``median * exp(sigma * z)`` for a standard normal z."""

    median: Quantity | float
    sigma: float

    def __post_init__(self) -> None:
        _require(self._median > 0, f"LogNormal: median {self.median} is not positive")
        _require(self.sigma >= 0, f"LogNormal: sigma {self.sigma} is negative")

    @property
    def _median(self) -> float:
        return _numbers("LogNormal", self.median)[0][0]

    @property
    def dim(self) -> Dimension:
        return _numbers("LogNormal", self.median)[1]

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, inf

    def quantile(self, u: Floats) -> Floats:
        return np.asarray(self._median * np.exp(Normal(0.0, self.sigma).quantile(u)))

    def cdf(self, x: float) -> float:
        return Normal(0.0, self.sigma).cdf(log(x / self._median)) if x > 0 else 0.0


@dataclass(frozen=True)
class Exponential(Distribution):
    """Exponential of this ``mean``; never negative."""

    mean: Quantity | float

    def __post_init__(self) -> None:
        _require(self._mean > 0, f"Exponential: mean {self.mean} is not positive")

    @property
    def _mean(self) -> float:
        return _numbers("Exponential", self.mean)[0][0]

    @property
    def dim(self) -> Dimension:
        return _numbers("Exponential", self.mean)[1]

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, inf

    def quantile(self, u: Floats) -> Floats:
        return np.asarray(-self._mean * np.log1p(-u))

    def cdf(self, x: float) -> float:
        return 1 - exp(-x / self._mean) if x > 0 else 0.0


@dataclass(frozen=True)
class Integers(Distribution):
    """Whole numbers from ``low`` to ``high``, both included, equally likely: for int ports, states and steps."""

    low: int
    high: int

    def __post_init__(self) -> None:
        for x in (self.low, self.high):
            _require(isinstance(x, int | np.integer), f"Integers: {x!r} is not an int")
        _require(self.low <= self.high, f"Integers: low {self.low} lies above high {self.high}")

    @property
    def dim(self) -> Dimension:
        return Dimension()

    @property
    def integer(self) -> bool:
        return True

    @property
    def bounds(self) -> tuple[float, float]:
        return float(self.low), float(self.high)

    def quantile(self, u: Floats) -> Floats:
        return np.asarray(np.minimum(self.low + np.floor(u * (self.high - self.low + 1)), self.high))

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (floor(x) - self.low + 1) / (self.high - self.low + 1)))


@dataclass(frozen=True)
class Clipped(Distribution):
    """Another distribution with its samples moved to the nearer limit; see :meth:`Distribution.clip`."""

    inner: Distribution
    low: Quantity | float | None = None
    high: Quantity | float | None = None

    def __post_init__(self) -> None:
        _limits("clip", self.inner, self.low, self.high)

    @property
    def dim(self) -> Dimension:
        return self.inner.dim

    @property
    def integer(self) -> bool:
        return self.inner.integer and all(x is None or float(x).is_integer() for x in (self.low, self.high))

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = _limits("clip", self.inner, self.low, self.high)
        inner = self.inner.bounds
        return min(max(inner[0], low), high), max(min(inner[1], high), low)

    def quantile(self, u: Floats) -> Floats:
        return np.clip(self.inner.quantile(u), *_limits("clip", self.inner, self.low, self.high))

    def cdf(self, x: float) -> float:
        low, high = _limits("clip", self.inner, self.low, self.high)
        return 0.0 if x < low else 1.0 if x >= high else self.inner.cdf(x)


@dataclass(frozen=True)
class Truncated(Distribution):
    """Another distribution given that it lies between limits; see :meth:`Distribution.truncate`."""

    inner: Distribution
    low: Quantity | float | None = None
    high: Quantity | float | None = None

    def __post_init__(self) -> None:
        first, last = self._range
        _require(last > first, f"truncate: {self.inner} never lies between {self.low} and {self.high}")

    @property
    def _range(self) -> tuple[float, float]:
        low, high = _limits("truncate", self.inner, self.low, self.high)
        before = np.ceil(low) - 1 if self.inner.integer and np.isfinite(low) else low
        return (self.inner.cdf(before) if low > -inf else 0.0), (self.inner.cdf(high) if high < inf else 1.0)

    @property
    def dim(self) -> Dimension:
        return self.inner.dim

    @property
    def integer(self) -> bool:
        return self.inner.integer

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = _limits("truncate", self.inner, self.low, self.high)
        inner = self.inner.bounds
        return max(inner[0], low), min(inner[1], high)

    def quantile(self, u: Floats) -> Floats:
        first, last = self._range
        # rounding at the edges must not leave the limits
        return np.clip(self.inner.quantile(first + (last - first) * u), *self.bounds)

    def cdf(self, x: float) -> float:
        first, last = self._range
        return min(1.0, max(0.0, (self.inner.cdf(x) - first) / (last - first)))


def _limits(verb: str, inner: Distribution, low: Any, high: Any) -> tuple[float, float]:
    values = [-inf, inf]
    for k, limit in enumerate((low, high)):
        if limit is not None:
            number, dim = _numbers(verb, limit)
            if dim != inner.dim:
                raise UnitError(f"{verb}: limit {limit} ({dim}) of a distribution of {inner.dim}", got=dim)
            values[k] = number[0]
    _require(values[0] <= values[1], f"{verb}: low {low} lies above high {high}")
    return values[0], values[1]
