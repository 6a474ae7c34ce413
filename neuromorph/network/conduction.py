"""Delays that grow with distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Layer
from neuromorph.units import FREQUENCY, LENGTH, TIME, as_quantity, metre, second, si_value

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[Any]


@dataclass(frozen=True)
class DistanceDelay:
    """Delay ``offset + distance / speed`` of each synapse, rounded to steps and at least 1 step.

    Distances go the shorter way round where the rule is a ``DistanceDependent`` with a period.

    Attributes
    ----------
    speed : Quantity
        A length over a time; one over a time where positions are plain numbers.
    offset : Quantity
        A time.
    """

    speed: Any
    offset: Any = 0 * second

    def __post_init__(self) -> None:
        quantity = as_quantity(self.speed, "DistanceDelay: speed")
        if quantity.dim not in (FREQUENCY, LENGTH / TIME) or np.ndim(quantity.value) or not quantity.value > 0:
            raise NetworkError(f"DistanceDelay: speed is {self.speed}; give one above 0, as in 0.3 * {metre / second}")
        if np.ndim(si_value(self.offset, TIME, "DistanceDelay: offset")) or self.offset < 0 * second:
            raise NetworkError(f"DistanceDelay: offset is {self.offset}; give one time of 0 or more")

    @property
    def _numbers(self) -> tuple[float, float]:
        return float(as_quantity(self.speed).value), float(si_value(self.offset, TIME))

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Raise unless both populations' positions and the speed go together."""
        if pre.positions_in_metres != post.positions_in_metres:
            raise NetworkError(f"{subject}: positions of {pre.name} and {post.name} are not both lengths")
        if pre.positions.shape[1] != post.positions.shape[1]:
            raise NetworkError(
                f"{subject}: positions of {pre.name} have {pre.positions.shape[1]} axes, of {post.name} "
                f"{post.positions.shape[1]}"
            )
        if (as_quantity(self.speed).dim == FREQUENCY) == pre.positions_in_metres:
            kind = "lengths; give a speed" if pre.positions_in_metres else "plain numbers; give one over a time"
            raise NetworkError(f"{subject}: speed is {self.speed}, positions of {pre.name} are {kind}")

    def seconds(self, pre: Layer, post: Layer, rule: Any, sources: Ints, targets: Ints) -> Floats:
        """Delays of the synapses from ``sources[k]`` to ``targets[k]``."""
        step = np.abs(pre.positions[sources] - post.positions[targets])
        for axis, size in enumerate(_period(rule)):
            if size > 0:
                step[:, axis] %= size
                step[:, axis] = np.minimum(step[:, axis], size - step[:, axis])
        speed, offset = self._numbers
        return np.asarray(offset + np.sqrt((step * step).sum(axis=1)) / speed)

    def longest(self, pre: Layer, post: Layer) -> float:
        """No delay is longer (seconds): that between opposite corners of the space."""
        low = np.minimum(pre.positions.min(axis=0), post.positions.min(axis=0))
        high = np.maximum(pre.positions.max(axis=0), post.positions.max(axis=0))
        speed, offset = self._numbers
        return offset + float(np.sqrt(((high - low) ** 2).sum())) / speed


def _period(rule: Any) -> tuple[float, ...]:
    periods = getattr(rule, "periods", None)
    return periods() if callable(periods) else ()
