"""Storage as lists: the targets of each row one after another, with their weights.

Targets take 16 bits: beyond 65,536 of them they count from the last multiple of 65,536, and each row is cut at these
multiples. A row whose synapses have delays of their own is sorted by delay, so that a run of synapses shares one ring
slot; this is stable, so at each target and step of arrival the order of the sum stays that of the row. Cuts and runs
are positions in the list: one for each row and delay, 32 bits wide below 2**32 synapses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import address
from neuromorph.network.synapses import Synapses

from .conversion import Sorting, distinct, narrowed, positions
from .frame import HEAD, Traffic, amount, each_event, factor, kernel_text, scale_bits

Array = npt.NDArray[Any]

BLOCK = 1 << 16
"""Targets that 16 bits tell apart."""
FIELDS = ("begin", "end", "targets", "weights", "index", "delays", "runs", "scale")
RUN = 10
"""Synapses of a row and delay, on average, from which runs are faster than a delay for each synapse (measured: 20 of
them 1.25 times, 9 as fast, 3 slower)."""


@dataclass(frozen=True, eq=False)
class Lists:
    """One projection as lists.

    Attributes
    ----------
    n_pre, n_post : int
    ptr : uint32 or int64 (n_pre * runs + 1,)
        Where the run of each row and delay begins.
    targets : uint16 or uint32 (synapses,)
        Ascending within a run; uint16 ones count from a multiple of :data:`BLOCK`.
    weights : array
        Shape (), (synapses,), or that of the kernel if there is an ``index``.
    index : array (synapses,) or None
    delays : array
        In steps: those of the runs, ascending, shape (runs,); or one for each synapse, if ``own_delays``.
    grid : tuple of arrays (n_pre * runs,)
        For each multiple of :data:`BLOCK` within the population: where each run reaches it.
    scale : float or None
        Of quantised weights.
    """

    n_pre: int
    n_post: int
    ptr: Array
    targets: Array
    weights: Array
    index: Array | None
    delays: Array
    own_delays: bool
    grid: tuple[Array, ...]
    scale: float | None
    _cuts: dict[int, Array] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> int:
        """Runs of a row: distinct delays, or 1."""
        return 1 if self.own_delays else len(self.delays)

    def arrays(self) -> dict[str, int]:
        """Bytes of each array."""
        rows = [self.ptr, *self.grid, *self._cuts.values()]
        found = {"rows": sum(array.nbytes for array in rows), "targets": self.targets.nbytes}
        found["weights"] = self.weights.nbytes
        if self.index is not None:
            found["weight_index"] = self.index.nbytes
        return found | {"delays": self.delays.nbytes}

    @property
    def kind(self) -> str:
        """What decides the kernel, for people."""
        weights = "own" if self.index is None else f"kernel of ({self.index.dtype})"
        weights = f"{'one' if self.weights.ndim == 0 else weights} {self.weights.dtype} weights"
        delays = "one delay" if self.runs == 1 else "runs of one delay"
        delays = f"own {self.delays.dtype} delays" if self.own_delays else delays
        return f"lists of {self.targets.dtype} targets, {weights}{', scaled' * (self.scale is not None)}, {delays}"

    def __str__(self) -> str:
        blocks = f", {len(self.grid) + 1} blocks of targets" if self.grid else ""
        return f"{self.kind}{f' ({self.runs})' if self.runs > 1 else ''}{blocks}"

    def items(self, head: dict[str, int], traffic: Traffic, lo: int, hi: int) -> list[npt.NDArray[np.int64]]:
        """Items that deliver to targets ``[lo, hi)``; ``head`` holds the fields of :data:`~.frame.HEAD`."""
        step = BLOCK if self.grid else max(self.n_post, 1)
        made = []
        for block in range(lo // step, -(-hi // step)):
            begin, end = self._cut(max(lo, block * step)), self._cut(min(hi, (block + 1) * step))
            origin = {"port": head["port"] + block * step}
            made.append(
                make_item(
                    (*HEAD, *FIELDS),
                    **(head | origin),
                    begin=address(begin),
                    end=address(end),
                    targets=address(self.targets),
                    weights=address(self.weights),
                    index=address(self.index),
                    delays=address(self.delays),
                    runs=self.runs,
                    scale=scale_bits(self.scale),
                )
            )
        return made

    def _cut(self, bound: int) -> Array:
        """Where each run reaches target ``bound``."""
        if bound <= 0:
            return self.ptr[:-1]
        if bound >= self.n_post:
            return self.ptr[1:]
        if self.grid and bound % BLOCK == 0:
            return self.grid[bound // BLOCK - 1]
        if bound not in self._cuts:
            base = bound // BLOCK * BLOCK if self.grid else 0
            within = self._cut(base), self._cut(base + BLOCK) if self.grid else self.ptr[1:]
            self._cuts[bound] = positions(*within, self.targets, bound - base)
        return self._cuts[bound]

    def source(self, traffic: Traffic) -> str:
        """The kernel."""
        return print_lists(self, traffic)

    def rows(self) -> dict[str, Array | None]:
        """The same connections as the arrays of plain :class:`~neuromorph.network.synapses.Synapses`."""
        lengths = np.diff(self.ptr.astype(np.int64))
        row_ptr, targets = self.ptr[:: self.runs].astype(np.int64), self.targets
        if self.grid:
            marks = [self.ptr[:-1], *self.grid, self.ptr[1:]]
            inside = np.stack([b.astype(np.int64) - a for a, b in pairwise(marks)], axis=1).ravel()
            origin = np.tile(np.arange(len(self.grid) + 1) * BLOCK, len(lengths))
            targets = (np.repeat(origin, inside) + self.targets).astype(np.uint32)
        weights, index, delays = self.weights, self.index, self.delays
        if self.runs == 1 and not self.own_delays:
            delays = delays.reshape(())
        elif not self.own_delays:
            row = np.repeat(np.arange(self.n_pre), np.diff(row_ptr))
            order = np.lexsort((targets, row))  # equal targets of a row stay in the order of their delays
            targets, delays = targets[order], np.repeat(np.tile(delays, self.n_pre), lengths)[order]
            if index is not None:
                index = index[order]
            elif weights.ndim:
                weights = weights[order]
        return {"row_ptr": row_ptr, "targets": targets, "weights": weights, "weight_index": index, "delays": delays}


def make_lists(synapses: Synapses, consume: bool = False) -> Lists:
    """Store rows as lists.

    Parameters
    ----------
    synapses : Synapses
        With rows.
    consume : bool
        Nobody else needs the arrays: narrower targets may be written over them.
    """
    assert synapses.row_ptr is not None
    assert synapses.targets is not None
    ptr = synapses.row_ptr.astype(np.uint32 if synapses.count < 1 << 32 else np.int64)
    targets, weights = np.asarray(synapses.targets, order="C"), np.asarray(synapses.weights, order="C")
    index = None if synapses.weight_index is None else np.asarray(synapses.weight_index, order="C")
    delays, own = np.asarray(synapses.delays, order="C").reshape(-1), False
    if synapses.delays.ndim:
        runs = distinct(delays)
        if synapses.count >= RUN * synapses.n_pre * len(runs) > 0:
            sort = Sorting(synapses.row_ptr, delays, runs, ptr.dtype)
            targets, ptr, delays = sort(targets, consume), sort.ptr, runs
            if index is not None:
                index = sort(index, consume)
            elif weights.ndim:
                weights = sort(weights, consume)
        else:
            own = True
    grid: tuple[Array, ...] = ()
    if synapses.n_post > BLOCK:
        bounds = range(BLOCK, synapses.n_post, BLOCK)
        if 4 * len(bounds) * (len(ptr) - 1) < 2 * synapses.count:  # the cuts take less than they save
            grid = tuple(positions(ptr[:-1], ptr[1:], targets, bound) for bound in bounds)
            targets = narrowed(targets, consume or targets is not synapses.targets)
    return Lists(
        synapses.n_pre, synapses.n_post, ptr, targets, weights, index, delays, own, grid, synapses.weight_scale
    )


def print_lists(lists: Lists, traffic: Traffic) -> str:
    """The generated kernel of lists like these."""
    scaled, shared = lists.scale is not None, lists.weights.ndim == 0
    if shared:
        contribution = amount("w", traffic, scaled, "first + j")
    else:
        where = "np.uint64(index[{k}])" if lists.index is not None else "{k}"
        weight = f"np.{traffic.sums}(weights[{where}])"
        contribution = f"{weight} * times" if factor(traffic, scaled, "") else weight
    slot = "np.uint64((step + np.int64(delays[{k}])) & ring_mask) * np.uint64(row) + np.uint64(port)"
    base = slot if lists.own_delays else "base"

    def add(k: str) -> str:
        added = "contribution" if shared else contribution.format(k=k)
        return f"ring[{base.format(k=k)} + np.uint64(targets[{k}])] += {added}"

    event = ["s = np.uint64(fired[first + j])", "after = np.uint64(fired[first + min(j + ONE, events - ONE)])"]
    if shared:
        event.append(f"contribution = {contribution}")
    elif factor(traffic, scaled, ""):
        event.append(f"times = {factor(traffic, scaled, 'first + j')}")
    arrays = {"targets": str(lists.targets.dtype)}
    if lists.index is not None:
        arrays["index"] = str(lists.index.dtype)
    elif not shared:
        arrays["weights"] = str(lists.weights.dtype)
    if lists.own_delays:
        arrays["delays"] = str(lists.delays.dtype)
    run = _run(arrays, add)
    if lists.runs > 1:
        event += [
            "for d in range(np.uint64(runs)):",
            f"    base = {slot.format(k='d')}",
            "    here, there = s * np.uint64(runs) + d, after * np.uint64(runs) + d",
            *("    " + line for line in run),
        ]
    else:
        event += ["here, there = s, after", *run]
    before = [f"w = np.{traffic.sums}(weights[Z])"] if shared else []
    if lists.runs == 1 and not lists.own_delays:
        before.append(f"base = {slot.format(k='Z')}")
    pointer = str(lists.ptr.dtype)
    views = {"begin": pointer, "end": pointer, "weights": str(lists.weights.dtype), "delays": str(lists.delays.dtype)}
    body = [*(f"{name}_at = item[{len(HEAD) + FIELDS.index(name)}]" for name in arrays), *before, *each_event(event)]
    return kernel_text(lists.kind, FIELDS, traffic, views | arrays, body)


def _run(arrays: dict[str, str], add: Any) -> list[str]:
    """Lines for the synapses of run ``here``; meanwhile run ``there``, of the next event, comes into the cache.

    A cache line of its arrays is asked for whenever a line of this run's is done: in one burst, the requests would
    fill the buffers that loads need.
    """
    widths = {name: np.dtype(kind).itemsize for name, kind in arrays.items()}
    chunk = 64 // max(widths.values())
    ahead = [f"{name}_next" for name in arrays]
    return [
        "k, stop = np.uint64(begin[here]), np.uint64(end[here])",
        *(f"{name}_next = {name}_at + np.int64(begin[there]) * {width}" for name, width in widths.items()),
        f"while k + np.uint64({chunk}) <= stop:",
        *(f"    prefetch({name})" for name in ahead),
        *(f"    {name}_next += {chunk * width}" for name, width in widths.items()),
        f"    for q in range(np.uint64({chunk})):",
        f"        {add('k + q')}",
        f"    k += np.uint64({chunk})",
        *(line for name in ahead for line in (f"prefetch({name})", f"prefetch({name} + 64)")),
        "while k < stop:",
        f"    {add('k')}",
        "    k += ONE",
    ]
