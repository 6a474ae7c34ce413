"""From projections to matrices: what may be driven together, in rows and columns that keep the order of sums."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
from neuromorph.network.synapses import Synapses

from .matrix import Matrix, Part
from .stationary import Stationary, stationary

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Synapses of one projection that share a delay, each (row, target) once.

    Attributes
    ----------
    delay : int
    row_ptr, targets, weights, weight_index
        As in :class:`~.matrix.Part`.
    copies : int64 (n_pre,) or None
        Rows of each source neuron; None: one each.
    """

    delay: int
    row_ptr: Int64 | None
    targets: npt.NDArray[Any] | None
    weights: npt.NDArray[Any]
    weight_index: npt.NDArray[Any] | None
    copies: Int64 | None = None


@dataclass
class _Band:
    """A range of lines of one population; parts that feed different ports share it."""

    population: int
    size: int
    copies: Int64 | None
    pieces: list[tuple[Synapses, Piece]] = field(default_factory=list)


@dataclass
class _Draft:
    """A matrix that is being put together."""

    key: tuple[Any, ...]
    post: LoweredPopulation
    bands: list[_Band] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    kernel: Stationary | None = None


def matrices_of(lowered: LoweredNetwork, *, multapses: str = "add", kept: Collection[int] = ()) -> tuple[Matrix, ...]:
    """Matrices of a network, in the order in which their results are added to ports.

    Projections into one population share a matrix where their delays, scales, number types and units of ports agree.
    One that would come before its turn, so that a sum was taken in another order than the engine's (by projection,
    then source), gets rows or a matrix of its own.

    Parameters
    ----------
    lowered : LoweredNetwork
        Convolutions listed or as their geometry.
    multapses : {"add", "rows"}
        Several synapses from one neuron to another: one cell with their sum, or, for float weights, a row for each,
        which keeps the engine's rounding.
    kept : collection of int
        Indices of the projections whose kernel is stored once; they must be given as their geometry.

    Raises
    ------
    MappingError
        A projection is plastic.
    """
    refuse(lowered)
    drafts: list[_Draft] = []
    last: dict[tuple[int, int, int], tuple[int, int]] = {}  # (post, port, delay): the place of its last summands
    for synapses in lowered.projections:
        post = lowered.populations[synapses.post]
        if synapses.index in kept:
            made = _kept(synapses, post)
            drafts.append(made)
            last[synapses.post, synapses.port, synapses.max_delay] = (len(drafts) - 1, 0)
            continue
        for piece in pieces(synapses, multapses):
            goal = (synapses.post, synapses.port, piece.delay)
            last[goal] = _join(drafts, synapses, piece, post, last.get(goal, (-1, -1)))
    names = [p.name for p in lowered.populations]
    return tuple(_matrix(k, draft, names) for k, draft in enumerate(drafts))


def refuse(lowered: LoweredNetwork) -> None:
    """Raise :class:`MappingError` with every plastic projection."""
    if lowered.plastic:
        listed = ", ".join(p.name for p in lowered.plastic)
        raise MappingError(
            f"network {lowered.name}: synapses of {listed} change, and cells are programmed once; run it on CPU(), and "
            "project what it learned with program.synapses(...).sparse()",
            projections=tuple(p.name for p in lowered.plastic),
        )


def _key(synapses: Synapses, delay: int, post: LoweredPopulation) -> tuple[Any, ...]:
    assert post.program is not None  # sources have no ports
    port = post.program.ports[synapses.port]
    return synapses.post, delay, synapses.weight_scale, port.type is Type.INT, port.unit


def _kept(synapses: Synapses, post: LoweredPopulation) -> _Draft:
    """A matrix of its own for a kernel that is stored once."""
    assert synapses.geometry is not None
    draft = _Draft(_key(synapses, synapses.max_delay, post), post, ports=[synapses.port])
    draft.kernel = stationary(synapses.geometry, synapses.weights)
    piece = Piece(synapses.max_delay, None, None, synapses.weights, None)
    draft.bands.append(_Band(synapses.pre, synapses.n_pre, None, [(synapses, piece)]))
    return draft


def _join(
    drafts: list[_Draft], synapses: Synapses, piece: Piece, post: LoweredPopulation, after: tuple[int, int]
) -> tuple[int, int]:
    """Put a piece behind the last summands of its port; the draft and band where it went."""
    key = _key(synapses, piece.delay, post)
    for k in range(max(after[0], 0), len(drafts)):
        if drafts[k].key == key and drafts[k].kernel is None:
            break
    else:
        drafts.append(_Draft(key, post))
        k = len(drafts) - 1
    draft = drafts[k]
    if synapses.port not in draft.ports:
        draft.ports.append(synapses.port)
    first = after[1] + 1 if after[0] == k else 0
    for b in range(first, len(draft.bands)):
        band = draft.bands[b]
        if band.population == synapses.pre and band.copies is None and piece.copies is None:
            band.pieces.append((synapses, piece))
            return k, b
    draft.bands.append(_Band(synapses.pre, synapses.n_pre, piece.copies, [(synapses, piece)]))
    return k, len(draft.bands) - 1


def _matrix(index: int, draft: _Draft, names: Sequence[str]) -> Matrix:
    """The finished matrix."""
    post, delay, scale, whole, _ = draft.key
    size = draft.post.size
    first = np.cumsum([0, *(band.size for band in draft.bands)]).astype(np.int32)
    assert draft.post.program is not None
    ports = [draft.post.program.ports[p].name for p in draft.ports]
    pres = dict.fromkeys(names[band.population] for band in draft.bands)
    made = Matrix(
        name=f"{' + '.join(pres)} -> {names[post]}.{', '.join(ports)}" + ("" if delay == 1 else f" after {delay}"),
        index=index,
        post=post,
        delay=delay,
        scale=scale,
        whole=whole,
        sources=tuple(band.population for band in draft.bands),
        source_first=first,
        rows=int(first[-1]),
        columns=len(draft.ports) * size,
        column_port=np.repeat(np.array(draft.ports, np.int32), size),
        column_post=np.tile(np.arange(size, dtype=np.int32), len(draft.ports)),
        parts=(),
        passes=1,
        pass_post=np.zeros(1, np.int32),
    )
    if draft.kernel is not None:
        return draft.kernel.put_into(made, draft.bands[0].pieces[0][0].index)
    copies = [np.ones(band.size, np.int64) if band.copies is None else band.copies for band in draft.bands]
    heights = np.cumsum([0, *(int(c.sum()) for c in copies)])
    parts = tuple(
        Part(
            projection=synapses.index,
            row_first=int(heights[b]),
            column_first=draft.ports.index(synapses.port) * size,
            rows=int(heights[b + 1] - heights[b]),
            columns=size,
            row_ptr=piece.row_ptr,
            targets=piece.targets,
            weights=piece.weights,
            weight_index=piece.weight_index,
            window=synapses.geometry,
        )
        for b, band in enumerate(draft.bands)
        for synapses, piece in band.pieces
    )
    made = replace(made, parts=parts, rows=int(heights[-1]))
    if all(band.copies is None for band in draft.bands):
        return made
    every = np.concatenate(copies)
    return replace(
        made,
        entry_ptr=np.concatenate([[0], np.cumsum(every)]),
        entry_row=np.arange(made.rows, dtype=np.int32),
        entry_pass=np.zeros(made.rows, np.int32),
    )


def pieces(synapses: Synapses, multapses: str) -> Iterator[Piece]:
    """A projection by delay, ascending; delays without synapses have no piece."""
    listed = synapses.expanded()
    if listed.count == 0:
        return
    if listed.delays.ndim == 0 or listed.min_delay == listed.max_delay:
        only = Piece(listed.max_delay, listed.row_ptr, listed.targets, listed.weights, listed.weight_index)
        yield _once(only, multapses)
        return
    row_ptr, targets = listed.row_ptr, listed.targets
    if row_ptr is None or targets is None:
        row_ptr = np.arange(listed.n_pre + 1, dtype=np.int64) * listed.n_post
        targets = np.tile(np.arange(listed.n_post, dtype=np.uint32), listed.n_pre)
    rows = np.repeat(np.arange(listed.n_pre, dtype=np.int32), np.diff(row_ptr))
    order = np.argsort(listed.delays, kind="stable")
    counts = np.bincount(listed.delays)
    ends = np.cumsum(counts)
    for delay in np.flatnonzero(counts).tolist():
        chosen = order[ends[delay] - counts[delay] : ends[delay]]
        weights, index = listed.weights, listed.weight_index
        if index is not None:
            index = index[chosen]
        elif weights.ndim:
            weights = weights[chosen]
        yield _once(Piece(delay, _pointers(rows[chosen], listed.n_pre), targets[chosen], weights, index), multapses)


def _pointers(rows: npt.NDArray[Any], count: int) -> Int64:
    """Row pointers of cells that are sorted by row."""
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int64)


def _once(piece: Piece, multapses: str) -> Piece:
    """The piece with each (row, target) at most once: added up, or on further rows."""
    row_ptr, targets = piece.row_ptr, piece.targets
    if row_ptr is None or targets is None or len(targets) < 2:
        return piece
    fresh = np.ones(len(targets), np.bool_)  # whether a cell is the first of its (row, target)
    np.not_equal(targets[1:], targets[:-1], out=fresh[1:])
    starts = row_ptr[:-1]
    fresh[starts[starts < len(targets)]] = True
    if fresh.all():
        return piece
    sources = len(row_ptr) - 1
    rows = np.repeat(np.arange(sources, dtype=np.int64), np.diff(row_ptr))
    values = np.broadcast_to(piece.weights, targets.shape) if piece.weights.ndim == 0 else piece.weights
    if piece.weight_index is not None:
        values = values[piece.weight_index]
    first = np.flatnonzero(fresh)
    if values.dtype.kind in "iu" or multapses == "add":
        wide = values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)
        sums = np.add.reduceat(wide, first)
        sums = sums.astype(np.int32 if values.dtype.kind in "iu" else values.dtype)
        return Piece(piece.delay, _pointers(rows[first], sources), targets[first], sums, None)
    rank = np.arange(len(targets)) - np.repeat(first, np.diff(first, append=len(targets)))
    copies = np.ones(sources, np.int64)
    np.maximum.at(copies, rows, rank + 1)
    below = np.concatenate([[0], np.cumsum(copies)])
    goal = below[rows] + rank
    order = np.argsort(goal, kind="stable")
    return Piece(piece.delay, _pointers(goal[order], int(below[-1])), targets[order], values[order], None, copies)
