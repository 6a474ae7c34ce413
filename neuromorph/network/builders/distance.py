"""Build distance-dependent connections: a cell grid finds candidates, each of which has a draw of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from neuromorph.native import compiled
from neuromorph.network.builders.parallel import blocks, for_each
from neuromorph.network.builders.random import ROW_BLOCKS, row_pointers
from neuromorph.network.rules.rule import Connections, Stream, target_dtype

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CHUNK = 1 << 20  # candidates at a time on each thread

bound, scan, draw, compact = (
    compiled("neuromorph.network.builders.distance_kernels", name) for name in ("bound", "scan", "draw", "compact")
)


@dataclass(frozen=True)
class Cells:
    """Points sorted into a grid of cells at least ``cutoff`` wide, so that 3 x 3 x 3 cells hold every candidate."""

    sources: Floats  # (n_pre, 3)
    points: Floats  # (n_post, 3)
    pointers: Ints
    members: Ints
    low: Floats  # (3,)
    width: Floats  # (3,)
    cells: Ints  # (3,)
    period: Floats  # (3,), 0: open
    cutoff: float

    def bounds(self, threads: int) -> Ints:
        """At least as many as the candidates of every source."""
        out = np.zeros(len(self.sources), np.int64)
        for_each(
            lambda a, b: bound(a, b, self.sources, self.pointers, self.low, self.width, self.cells, self.period, out),
            blocks(len(out), ROW_BLOCKS),
            threads,
        )
        return out

    def candidates(self, start: int, stop: int, most: int) -> tuple[Ints, Ints, Floats]:
        """Of sources ``[start, stop)``: row pointers, candidates and distances; ``most`` bounds their number."""
        row_ptr = np.zeros(stop - start + 1, np.int64)
        found, distance = np.empty(most, np.int64), np.empty(most)
        scan(
            start, stop, self.sources, self.points, self.pointers, self.members, self.low, self.width, self.cells,
            self.period, self.cutoff, row_ptr, found, distance,
        )  # fmt: skip
        return row_ptr, found[: row_ptr[-1]], distance[: row_ptr[-1]]


def spread(positions: Floats) -> Floats:
    """Positions (n, 1 to 3) as (n, 3)."""
    out = np.zeros((len(positions), 3))
    out[:, : positions.shape[1]] = positions
    return out


def make_cells(sources: Floats, points: Floats, cutoff: float, period: tuple[float, ...] | None) -> Cells:
    """Sort ``points`` into cells; one cell if there is no cutoff."""
    sources, points = spread(sources), spread(points)
    around = np.zeros(3)
    if period is not None:
        around[: len(period)] = period
        for axis in np.flatnonzero(around):
            sources[:, axis] %= around[axis]
            points[:, axis] %= around[axis]
    low = np.where(around > 0, 0.0, points.min(axis=0))
    extent = np.where(around > 0, around, points.max(axis=0) - low)
    cells = np.ones(3, np.int64)
    if isfinite(cutoff) and cutoff > 0:
        # a hair wider than the cutoff, so that rounding cannot put a candidate two cells away
        cells = np.maximum(1, np.minimum(extent / (cutoff * (1 + 1e-9)), len(points))).astype(np.int64)
        # empty cells gain nothing: no more than a few for each point
        axes = max(1, int(np.count_nonzero(cells > 1)))
        cells = np.minimum(cells, max(1, round(float(4 * len(points)) ** (1 / axes))))
    width = np.where(cells > 1, extent / cells, 1.0)
    place = np.zeros(len(points), np.int64)
    for axis in range(3):
        here = np.floor((points[:, axis] - low[axis]) / width[axis]).astype(np.int64) if cells[axis] > 1 else 0
        place = place * cells[axis] + np.minimum(here, cells[axis] - 1)
    members = np.argsort(place, kind="stable")
    pointers = row_pointers(np.bincount(place, minlength=int(cells.prod())))
    return Cells(sources, points, pointers, members, low, width, cells, around, cutoff)


def chunked(counts: Ints) -> list[tuple[int, int]]:
    """Ranges of rows with together at most ``CHUNK`` candidates, or one row."""
    ends = np.cumsum(counts)
    ranges, start, base = [], 0, 0
    while start < len(counts):
        stop = max(start + 1, int(np.searchsorted(ends, base + CHUNK, side="right")))
        ranges.append((start, stop))
        base, start = int(ends[stop - 1]), stop
    return ranges


def distance_dependent(
    cells: Cells, profile: Callable[[Floats], Floats], skip_self: bool, stream: Stream
) -> Connections:
    """Each candidate with probability ``profile(distance)``; the draw of a pair depends on the pair alone."""
    key = np.uint64(stream.key("topology"))
    bounds = cells.bounds(stream.threads)
    ranges = chunked(bounds)
    degrees = np.zeros(len(bounds), np.int64)
    parts: dict[int, npt.NDArray[np.uint16] | npt.NDArray[np.uint32]] = {}

    def work(start: int, stop: int) -> None:
        row_ptr, candidates, distance = cells.candidates(start, stop, int(bounds[start:stop].sum()))
        probability = evaluate(profile, distance)
        kept = degrees[start:stop]
        draw(start, stop, key, row_ptr, candidates, probability, skip_self, kept)
        part = np.empty(kept.sum(), target_dtype(len(cells.points)))
        compact(row_ptr, candidates, kept, part)
        parts[start] = part

    for_each(work, ranges, stream.threads)
    targets = np.empty(degrees.sum(), target_dtype(len(cells.points)))
    at = 0
    for start, _ in ranges:
        part = parts.pop(start)
        targets[at : at + len(part)] = part
        at += len(part)
    return Connections(row_pointers(degrees), targets)


def expected(cells: Cells, profile: Callable[[Floats], Floats], skip_self: bool, rows: int) -> tuple[float, float]:
    """Mean and variance of the number of synapses; from ``rows`` rows spread evenly if there are more."""
    n_pre = len(cells.sources)
    chosen = range(n_pre) if n_pre <= rows else [k * n_pre // rows for k in range(rows)]
    totals = np.empty((len(chosen), 2))
    bounds = cells.bounds(1)
    for i, row in enumerate(chosen):
        _, candidates, distance = cells.candidates(row, row + 1, int(bounds[row]))
        p = evaluate(profile, distance)
        if skip_self:
            p = p[candidates != row]
        totals[i] = p.sum(), (p * (1 - p)).sum()
    mean, variance = totals.mean(axis=0) * n_pre
    if n_pre > rows:  # the sampled rows are a guess at the rest
        variance += float(totals[:, 0].var(ddof=1)) * n_pre * n_pre / rows
    return float(mean), float(variance)


def evaluate(profile: Callable[[Floats], Floats], distance: Floats) -> Floats:
    """The profile at these distances, limited to [0, 1]."""
    probability = np.broadcast_to(np.asarray(profile(distance), np.float64), distance.shape)
    return np.clip(probability, 0.0, 1.0)
