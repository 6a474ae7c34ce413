"""A plastic projection taken apart: each PE has rows of its own, and its own copy of what belongs to a source.

To the engine's kernels every (source, PE) pair is a source by itself. They then run each PE's synapses on what that PE
knows: which packets reached it, and its own copy of the source's states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.plastic import Group, PlasticProjection, Rows

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """Which PEs know which sources of a plastic projection.

    Attributes
    ----------
    origin : int64 (pairs,)
        Source of each pair, ascending.
    part : int32 (pairs,)
        Part of each pair, ascending for each source; -1 for a source without synapses, whose states no PE holds.
    ptr : int64 (n_pre + 1,)
        Pairs of source s are ``[ptr[s], ptr[s + 1])``: one or more.
    of_synapse : int64 (synapses,)
        Pair that each synapse belongs to.
    """

    origin: Int64
    part: npt.NDArray[np.int32]
    ptr: Int64
    of_synapse: Int64

    @classmethod
    def of(cls, plastic: PlasticProjection, owner: npt.NDArray[np.int32], parts: int) -> Spread:
        """Spread a projection whose target t is on part ``owner[t]``."""
        sources = plastic.sources()
        pair = sources * (parts + 1) + 1 + owner[plastic.targets.astype(np.int64)]
        lonely = np.flatnonzero(np.bincount(sources, minlength=plastic.n_pre) == 0)
        found = np.unique(np.concatenate([pair, lonely * (parts + 1)]))
        origin = found // (parts + 1)
        return cls(
            origin,
            (found % (parts + 1) - 1).astype(np.int32),
            np.searchsorted(origin, np.arange(plastic.n_pre + 1)).astype(np.int64),
            np.searchsorted(found, pair).astype(np.int64),
        )

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.origin)

    def first(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Of values for each pair, one for each source: that of its first PE."""
        return values[self.ptr[:-1]]

    def taken_apart(self, plastic: PlasticProjection) -> PlasticProjection:
        """The projection with a source for each pair; synapses and targets keep their numbers."""
        program = plastic.program
        by_target = np.argsort(plastic.targets, kind="stable").astype(np.int64)
        columns = _pointer(plastic.targets.astype(np.int64), plastic.n_post)
        routes = tuple(
            tuple(
                self._rows(group) if path.end == "pre" else
                Group(group.lag, columns, by_target) if group.ptr is None else group
                for group in route
            )
            for path, route in zip(program.paths, plastic.routes, strict=True)
        )  # fmt: skip
        rows = []
        for each in plastic.rows:
            listed = self._rows(Group(each.delay, each.row_ptr))
            assert listed.ptr is not None
            rows.append(Rows(each.delay, listed.ptr, listed.index))
        return replace(
            plastic,
            n_pre=self.pairs,
            rows=tuple(rows),
            routes=routes,
            initial=tuple(
                values[self.origin] if place == "pre" and values.ndim else values
                for place, values in zip(program.places, plastic.initial, strict=True)
            ),
            records=tuple(
                replace(r, indices=self.ptr[r.indices]) if program.places[r.state] == "pre" else r
                for r in plastic.records
            ),
        )

    def _rows(self, group: Group) -> Group:
        """The synapses of a group by their pair, in the order of the group's rows."""
        assert group.ptr is not None
        members = np.arange(group.ptr[0], group.ptr[-1]) if group.index is None else group.index
        pair = self.of_synapse[members]
        order = np.argsort(pair, kind="stable")
        return Group(group.lag, _pointer(pair, self.pairs), members[order])


def _pointer(numbers: Int64, size: int) -> Int64:
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=size))]).astype(np.int64)
