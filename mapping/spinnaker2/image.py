"""What the PEs' memories hold: the synapse rows of every PE, as the simulation runs on them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.synapses import Synapses

from .layout import BYTE, LONGER, OUTGOING_PACKETS, REGIONS, Layout, offsets, ring_slots
from .narrow import is_long
from .options import WORD
from .plastic.footprints import view_words

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Slices:
    """Which neurons of a population are on which part, in the order in which the PEs keep them.

    Attributes
    ----------
    order : int32 (size,)
        Neurons sorted by part, ascending within a part.
    begin : int64 (parts + 1,)
        Neurons of part p are ``order[begin[p]:begin[p + 1]]``.
    local : uint16 (size,)
        Position of each neuron in its part's slice.
    """

    order: npt.NDArray[np.int32]
    begin: npt.NDArray[np.int64]
    local: npt.NDArray[np.uint16]

    @classmethod
    def of(cls, owner: npt.NDArray[np.int32], parts: int) -> Slices:
        """Slices of a population whose neuron i is on part ``owner[i]``."""
        order = np.argsort(owner, kind="stable").astype(np.int32)
        begin = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=parts)))).astype(np.int64)
        local = np.empty(len(owner), np.uint16)
        local[order] = (np.arange(len(owner)) - begin[owner[order]]).astype(np.uint16)
        return cls(order, begin, local)

    @property
    def owner(self) -> npt.NDArray[np.int32]:
        """Part of each neuron, int32 (size,)."""
        found = np.empty(len(self.order), np.int32)
        found[self.order] = np.repeat(np.arange(len(self.held)), self.held)
        return found

    @property
    def held(self) -> npt.NDArray[np.int64]:
        """Neurons on each part, int64 (parts,)."""
        return np.diff(self.begin)


@dataclass(frozen=True)
class Rows:
    """The rows of one projection, stored part by part.

    Sub-rows of source s are ``sub_ptr[s]`` to ``sub_ptr[s + 1]``, ascending by part; sub-row k lies on part
    ``part[k]`` and is made of the words ``[start[k], start[k] + count[k])``. A dense projection stores no targets:
    its sub-rows follow from the slices.

    Attributes
    ----------
    sub_ptr : int64 (n_pre + 1,)
    part, count : int32 (subs,)
    start : int64 (subs,)
    local : uint16 (words,)
        Target's position in its part's slice of the population.
    weights : array
        Shape () or (words,), or the kernel's weights if ``index`` is set; dense: (n_pre * n_post,).
    index : array (words,) or None
    delays : array
        Shape () or (words,).
    image_begin : int64 (parts + 1,)
        Words of part p are ``[image_begin[p], image_begin[p + 1])``.
    """

    sub_ptr: npt.NDArray[np.int64]
    part: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    count: npt.NDArray[np.int32]
    local: npt.NDArray[np.uint16]
    weights: Array
    index: Array | None
    delays: Array
    image_begin: npt.NDArray[np.int64]
    dense: bool

    @classmethod
    def of(cls, synapses: Synapses, slices: Slices, part: npt.NDArray[np.int32], first: int, parts: int) -> Rows:
        """Distribute the synapses of one projection over the parts of their targets."""
        if synapses.targets is None:
            nothing = np.zeros(0, np.int64)
            begin = synapses.n_pre * slices.begin
            return cls(
                np.zeros(synapses.n_pre + 1, np.int64), nothing.astype(np.int32), nothing, nothing.astype(np.int32),
                nothing.astype(np.uint16), np.asarray(synapses.weights), None, np.asarray(synapses.delays), begin, True,
            )  # fmt: skip
        from .image_kernels import count_image, fill_image

        assert synapses.row_ptr is not None
        args = (synapses.row_ptr, synapses.targets, part, first)
        words, sub_ptr = count_image(*args, parts)
        begin = np.concatenate(([0], np.cumsum(words))).astype(np.int64)
        total, subs = int(begin[-1]), int(sub_ptr[-1])
        sub_part, sub_start, sub_count = np.empty(subs, np.int32), np.empty(subs, np.int64), np.empty(subs, np.int32)
        local = np.empty(total, np.uint16)
        per_word = [a for a in (synapses.weights, synapses.weight_index, synapses.delays) if a is not None]
        varies = synapses.weight_index is not None or synapses.weights.ndim > 0 or synapses.delays.ndim > 0
        came = np.empty(total if varies and per_word else 0, np.int64 if total >= 2**31 else np.int32)
        fill_image(*args, slices.local, begin[:-1].copy(), sub_ptr, sub_part, sub_start, sub_count, local, came)
        index = synapses.weight_index[came] if synapses.weight_index is not None else None
        own = index is None and synapses.weights.ndim > 0
        return cls(
            sub_ptr, sub_part, sub_start, sub_count, local,
            synapses.weights[came] if own else np.asarray(synapses.weights),
            index,
            synapses.delays[came] if synapses.delays.ndim > 0 else np.asarray(synapses.delays),
            begin, False,
        )  # fmt: skip


@dataclass(frozen=True)
class Image:
    """The memories of all parts.

    Attributes
    ----------
    slices : tuple of Slices, by population
    rows : tuple of Rows, by projection
    parts : int
    """

    slices: tuple[Slices, ...]
    rows: tuple[Rows, ...]
    parts: int

    @classmethod
    def build(cls, lowered: LoweredNetwork, part: npt.NDArray[np.int32], parts: int) -> Image:
        """Split populations and synapses over the parts."""
        first = offsets(lowered)
        slices = tuple(Slices.of(part[first[k] : first[k + 1]], parts) for k in range(len(lowered.populations)))
        rows = tuple(Rows.of(s, slices[s.post], part, int(first[s.post]), parts) for s in lowered.projections)
        return cls(slices, rows, parts)


def image_bytes(image: Image, lowered: LoweredNetwork, layout: Layout) -> npt.NDArray[np.int64]:
    """Bytes of every region of every part, counted from what the image holds, int64 (parts, regions).

    Nothing here looks at the hypergraph or the partitioner's sums: rows, words, entries and slices are counted where
    they are. It must agree with :func:`.memory.region_bytes` to the byte.
    """
    table = {name: np.zeros(image.parts, np.int64) for name in REGIONS}
    for name in ("code", "stack", "fifo", "decoder"):
        table[name] += layout.fixed[name]
    table["descriptors"] += layout.fixed["descriptors"]
    table["directory"] += layout.options.directory_entry * layout.options.directory
    packet = 8 if any(p.graded for p in lowered.populations) or view_words(lowered).any() else 4
    table["outgoing"] += OUTGOING_PACKETS * packet
    slots = ring_slots(lowered)
    for k, form in enumerate(layout.populations):
        held = image.slices[k].held
        table["descriptors"] += np.where(held > 0, form.shared, 0)
        table["state"] += held * form.state
        table["ring"] += held * sum(slots[k]) * WORD
        table["recording"] += held * form.recording
        if any(s.pre == k for s in lowered.projections):
            table["keys"] += held * WORD
            table["rows"] += layout.sources[k].entry_bytes * _listeners(image, lowered, k)
    bits = np.zeros(image.parts, np.int64)
    for synapses, rows in zip(lowered.projections, image.rows, strict=True):
        form_p = layout.projections[synapses.index]
        post = image.slices[synapses.post]
        if form_p.kind == "kernel":
            assert form_p.kernel is not None
            table["synapses"] += WORD * post.held
            for p in np.flatnonzero(post.held):
                used = np.unique(form_p.kernel.group[post.order[post.begin[p] : post.begin[p + 1]]])
                table["kernels"][p] += int(form_p.kernel.bytes[used[used >= 0]].sum())
        else:
            bits += np.diff(rows.image_begin) * form_p.word_bits
            if form_p.stored == "spark":
                bits += LONGER * _long_words(rows, post)
    table["synapses"] += -(-bits // BYTE)
    return np.stack([table[name] for name in REGIONS], axis=1)


def _long_words(rows: Rows, post: Slices) -> npt.NDArray[np.int64]:
    """Weights of each part that have a long code, int64 (parts,)."""
    weights = rows.weights if rows.index is None else rows.weights[rows.index]
    if rows.dense:
        ends = post.begin
        by_target = is_long(weights.reshape(-1, len(post.order))).sum(0)
        ordered = by_target[post.order]
    else:
        ends, ordered = rows.image_begin, is_long(weights)
    return np.array([np.sum(ordered[a:b]) for a, b in pairwise(ends)], np.int64)


def _listeners(image: Image, lowered: LoweredNetwork, population: int) -> npt.NDArray[np.int64]:
    """Sources of a population that have a row on each part, int64 (parts,)."""
    dense = np.zeros(image.parts, bool)
    pairs = []
    size = lowered.populations[population].size
    for synapses, rows in zip(lowered.projections, image.rows, strict=True):
        if synapses.pre != population:
            continue
        if rows.dense:
            dense |= image.slices[synapses.post].held > 0
        else:
            source = np.repeat(np.arange(size, dtype=np.int64), np.diff(rows.sub_ptr))
            pairs.append(source * image.parts + rows.part)
    found = np.zeros(image.parts, np.int64)
    if pairs:
        joined = pairs[0] if len(pairs) == 1 else np.unique(np.concatenate(pairs))
        found = np.bincount(joined % image.parts, minlength=image.parts).astype(np.int64)
    return np.where(dense, size, found)
