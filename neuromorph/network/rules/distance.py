"""Connection probability as a function of distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Connections, Count, Layer, Stream
from neuromorph.units import LENGTH, NONE, as_quantity

if TYPE_CHECKING:
    from neuromorph.network.builders.distance import Cells

Floats = npt.NDArray[np.float64]

SAMPLED_ROWS = 256


def _length(name: str, given: Any) -> tuple[float, bool]:
    """A length as a plain number, and whether it is in metres."""
    quantity = as_quantity(given, name)
    if quantity.dim not in (NONE, LENGTH) or np.ndim(quantity.value) or not quantity.value > 0:
        raise NetworkError(f"{name} is {given}; give a length above 0 (or a plain number, in units of the positions)")
    return float(quantity.value), quantity.dim == LENGTH


@dataclass(frozen=True)
class Gaussian:
    """Probability ``peak * exp(-(d / sigma)**2 / 2)`` at distance d.

    Attributes
    ----------
    peak : float
    sigma : Quantity or float
        A length, or a plain number where positions are plain.
    """

    peak: float
    sigma: Any

    def __post_init__(self) -> None:
        _check_peak("Gaussian", self.peak)
        _length("Gaussian: sigma", self.sigma)

    @property
    def length(self) -> Any:
        """What decides whether distances are in metres."""
        return self.sigma

    def __call__(self, distance: Floats) -> Floats:
        scaled = distance / _length("sigma", self.sigma)[0]
        return np.asarray(self.peak * np.exp(-0.5 * scaled * scaled))


@dataclass(frozen=True)
class ExponentialDecay:
    """Probability ``peak * exp(-d / scale)`` at distance d.

    Attributes
    ----------
    peak : float
    scale : Quantity or float
        A length, or a plain number where positions are plain.
    """

    peak: float
    scale: Any

    def __post_init__(self) -> None:
        _check_peak("ExponentialDecay", self.peak)
        _length("ExponentialDecay: scale", self.scale)

    @property
    def length(self) -> Any:
        """What decides whether distances are in metres."""
        return self.scale

    def __call__(self, distance: Floats) -> Floats:
        return np.asarray(self.peak * np.exp(-distance / _length("scale", self.scale)[0]))


@dataclass(frozen=True)
class Disc:
    """Probability ``peak`` up to a radius, 0 beyond; the radius is the cutoff.

    Attributes
    ----------
    peak : float
    radius : Quantity or float
        A length, or a plain number where positions are plain.
    """

    peak: float
    radius: Any

    def __post_init__(self) -> None:
        _check_peak("Disc", self.peak)
        _length("Disc: radius", self.radius)

    @property
    def length(self) -> Any:
        """What decides whether distances are in metres."""
        return self.radius

    @property
    def reach(self) -> float:
        """Nothing connects beyond."""
        return _length("radius", self.radius)[0]

    def __call__(self, distance: Floats) -> Floats:
        return np.where(distance <= self.reach, float(self.peak), 0.0)


def _check_peak(name: str, peak: float) -> None:
    if not 0 <= peak <= 1:
        raise NetworkError(f"{name}: peak is {peak}; a probability lies between 0 and 1", peak=peak)


@dataclass(frozen=True)
class DistanceDependent:
    """Each pair with a probability that depends on its distance, independently.

    With a cutoff, work grows with the number of pairs within it, not with all pairs.

    Attributes
    ----------
    profile : Gaussian, ExponentialDecay, Disc or function
        A function takes distances (float64 array; metres if positions are lengths) and gives probabilities, which are
        limited to [0, 1].
    cutoff : Quantity or float, optional
        No connection beyond this distance.
    period : Quantity or tuple, optional
        Size of the space along each axis, if its opposite edges meet (a ring, a torus); None along an axis: open.
    allow_self : bool
        Within one population, whether a neuron may reach itself.
    """

    profile: Callable[[Floats], Floats]
    cutoff: Any = None
    period: Any = None
    allow_self: bool = True

    def __post_init__(self) -> None:
        if not callable(self.profile):
            raise NetworkError(
                f"DistanceDependent: profile {self.profile!r} is no function of distance; use Gaussian(...)"
            )
        for name, given in self._lengths():
            _length(f"DistanceDependent: {name}", given)

    def _lengths(self) -> list[tuple[str, Any]]:
        """Every length given, with its name."""
        found = [] if self.cutoff is None else [("cutoff", self.cutoff)]
        found += [("period", p) for p in self._periods() if p is not None]
        return found + ([("profile", self.profile.length)] if hasattr(self.profile, "length") else [])

    def _periods(self) -> tuple[Any, ...]:
        if self.period is None:
            return ()
        if isinstance(self.period, tuple | list):
            return tuple(self.period)
        quantity = as_quantity(self.period, "DistanceDependent: period")
        return tuple(quantity[k] for k in range(len(quantity))) if np.ndim(quantity.value) else (self.period,)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Positions and lengths must all be lengths, or all plain numbers, in one number of dimensions."""
        if pre.positions_in_metres != post.positions_in_metres:
            raise NetworkError(f"{subject}: positions of {pre.name} and {post.name} are not both lengths")
        for name, given in self._lengths():
            if _length(name, given)[1] != pre.positions_in_metres:
                kind = "lengths, as in 100 * um" if pre.positions_in_metres else "plain numbers"
                raise NetworkError(f"{subject}: {name} is {given}; positions of {pre.name} are {kind}")
        axes = pre.positions.shape[1], post.positions.shape[1]
        if axes[0] != axes[1]:
            raise NetworkError(f"{subject}: positions of {pre.name} have {axes[0]} axes, of {post.name} {axes[1]}")
        if len(self._periods()) > axes[0]:
            raise NetworkError(f"{subject}: {len(self._periods())} periods for positions of {axes[0]} axes")

    def cells(self, pre: Layer, post: Layer) -> Cells:
        """Targets sorted into a grid."""
        from neuromorph.network.builders.distance import make_cells

        limit = inf if self.cutoff is None else _length("cutoff", self.cutoff)[0]
        limit = min(limit, getattr(self.profile, "reach", inf))
        return make_cells(pre.positions, post.positions, limit, self.periods())

    def periods(self) -> tuple[float, ...]:
        """Period along each axis, in the unit of the positions; 0: open."""
        return tuple(0.0 if p is None else _length("period", p)[0] for p in self._periods())

    def count(self, pre: Layer, post: Layer) -> Count:
        """Sum of the probabilities; above 256 sources, an estimate from 256 of them."""
        from neuromorph.network.builders.distance import CHUNK, expected
        from neuromorph.network.builders.parallel import available_threads

        skip = pre is post and not self.allow_self
        mean, variance = expected(self.cells(pre, post), self.profile, skip, SAMPLED_ROWS)
        # candidates of each thread, the parts that are joined at the end, and the grid
        at_once = min(CHUNK * available_threads(), pre.size * post.size)
        transient = at_once * 40 + round(mean) * 4 + 64 * (pre.size + post.size)
        return Count(mean, sqrt(variance), transient)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Each pair within the cutoff has a draw of its own."""
        from neuromorph.network.builders.distance import distance_dependent

        return distance_dependent(self.cells(pre, post), self.profile, pre is post and not self.allow_self, stream)
