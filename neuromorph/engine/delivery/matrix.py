"""Storage as a matrix, for projections that reach every target: no targets are stored, and additions are vectors.

Several events pass over a vector of sums while it is in a register, each adding a piece of its row times its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import address
from neuromorph.network.synapses import Synapses

from .frame import HEAD, RING, VECTOR, Traffic, amount, event_groups, factor, kernel_text, lanes_of, scale_bits

Array = npt.NDArray[Any]

FIELDS = ("begin", "end", "back", "weights", "n_post", "delays", "scale")


@dataclass(frozen=True, eq=False)
class Matrix:
    """One projection from all to all.

    Attributes
    ----------
    n_post : int
    weights : array
        Row-major (n_pre * n_post,), or () if all are the same.
    delays : array ()
    scale : float or None
        Of quantised weights.
    """

    n_post: int
    weights: Array
    delays: Array
    scale: float | None

    def arrays(self) -> dict[str, int]:
        """Bytes of each array."""
        return {"weights": self.weights.nbytes, "delays": self.delays.nbytes}

    def __str__(self) -> str:
        weights = f"{'own' if self.weights.ndim else 'one'} {self.weights.dtype} weights"
        return f"matrix, {weights}{', scaled' * (self.scale is not None)}, one delay"

    def items(self, head: dict[str, int], traffic: Traffic, lo: int, hi: int) -> list[npt.NDArray[np.int64]]:
        """Items that deliver to targets ``[lo, hi)``; ``head`` holds the fields of :data:`~.frame.HEAD`."""
        rest = (hi - lo) % lanes_of(traffic.sums)
        return [
            make_item(
                (*HEAD, *FIELDS),
                **head,
                begin=lo,
                end=hi - rest,
                back=(1 << rest) - 1,
                weights=address(self.weights),
                n_post=self.n_post,
                delays=address(self.delays),
                scale=scale_bits(self.scale),
            )
        ]

    def source(self, traffic: Traffic) -> str:
        """The kernel."""
        own, width = self.weights.ndim > 0, self.weights.dtype.itemsize
        lanes = lanes_of(traffic.sums)
        size, scaled = VECTOR // lanes, self.scale is not None
        line = max(1, 64 // (width * lanes))  # vectors of a row that share a cache line

        def group(events: int) -> list[str]:
            numbers = [f"first + j + np.uint64({k})" for k in range(events)]
            times = [factor(traffic, scaled, k) if own else amount("w", traffic, scaled, k) for k in numbers]
            rows = "".join(f"row{k} + {width} * ({{0}}), " for k in range(events)) if own else ""
            factors = "".join(f"factor{k}, " for k in range(events)) if times[0] else ""

            def add(place: str, active: str) -> str:
                given = f"({rows.format(place)})" if rows else "None", f"({factors})" if factors else "None"
                kinds = f"np.{traffic.sums}", f"np.{self.weights.dtype}"
                return f"add_rows(sums + {size} * ({place}), {kinds[0]}, {given[0]}, {kinds[1]}, {given[1]}, {active})"

            lines = [f"factor{k} = {each}" for k, each in enumerate(times)] if factors else []
            if own:
                lines += [f"row{k} = {_row(number, width)}" for k, number in enumerate(numbers)]
            lines.append("i = begin")
            if own and line > 1:
                after = [f"first + min(j + np.uint64({events + k}), events - ONE)" for k in range(events)]
                lines += [
                    *(f"next{k} = {_row(number, width)}" for k, number in enumerate(after)),
                    f"while i + {lanes * line} <= end:",
                    *(f"    prefetch(next{k} + {width} * i)" for k in range(events)),
                    *(f"    {add(f'i + {lanes * k}', 'None')}" for k in range(line)),
                    f"    i += {lanes * line}",
                ]
            return [
                *lines,
                "while i < end:",
                f"    {add('i', 'None')}",
                f"    i += {lanes}",
                "if back != 0:",
                f"    {add('end', 'back')}",
            ]

        body = [
            *([] if own else [f"w = np.{traffic.sums}(weights[Z])"]),
            f"sums = {RING} + {size} * (((step + np.int64(delays[Z])) & ring_mask) * row + port)",
            *event_groups(group),
        ]
        arrays = {"delays": str(self.delays.dtype)} | ({} if own else {"weights": str(self.weights.dtype)})
        return kernel_text(str(self), FIELDS, traffic, arrays, body)

    def rows(self) -> dict[str, Array | None]:
        """The same connections as the arrays of plain :class:`~neuromorph.network.synapses.Synapses`."""
        return {"row_ptr": None, "targets": None, "weights": self.weights, "weight_index": None, "delays": self.delays}


def _row(number: str, width: int) -> str:
    """Address of the row of event ``number``."""
    return f"weights + {width} * n_post * np.int64(fired[{number}])"


def make_matrix(synapses: Synapses) -> Matrix:
    """Store a projection from all to all with one delay."""
    weights, delays = np.asarray(synapses.weights, order="C"), np.asarray(synapses.delays)
    return Matrix(synapses.n_post, weights, delays, synapses.weight_scale)
