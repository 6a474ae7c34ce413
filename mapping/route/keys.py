"""Keys: neurons of a part with the same destinations share an aligned block of the 32-bit key space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .fanout import Fanout

KEY_BITS = 32


@dataclass(frozen=True)
class Keys:
    """Keys of all neurons and the groups that they form.

    Every group of neurons has one block ``{k : k & mask == base}`` of keys, and every part has one block that holds
    those of its groups, so a receiver finds the sending part, and the neuron's number in it, by masks.

    Attributes
    ----------
    key : uint32 (n,)
        Key of each neuron; 0 (and meaningless) where ``group`` is -1.
    group : int32 (n,)
        Group of each neuron, -1 if it has no destination and sends nothing.
    base, mask : uint32 (g,)
    source : int32 (g,)
        Part that sends the group's packets; groups are in the order of their parts, and of their keys.
    ptr : int64 (g + 1,), parts : int32
        Parts that the group's packets reach, ascending.
    weight : float64 (g,)
        Events a second of the group's neurons.
    part_base, part_mask : uint32 (parts,)
    copies, extra : float
        Deliveries to parts a second, and how many of them nobody needs (0 as long as no groups were merged).
    """

    key: npt.NDArray[np.uint32]
    group: npt.NDArray[np.int32]
    base: npt.NDArray[np.uint32]
    mask: npt.NDArray[np.uint32]
    source: npt.NDArray[np.int32]
    ptr: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    part_base: npt.NDArray[np.uint32]
    part_mask: npt.NDArray[np.uint32]
    copies: float
    extra: float

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.base)


@dataclass(frozen=True)
class Groups:
    """Neurons grouped by destination set, before they have keys; fields as in :class:`Keys`."""

    group: npt.NDArray[np.int32]
    source: npt.NDArray[np.int32]
    ptr: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]


def exact_groups(fanout: Fanout, rank: npt.NDArray[np.int32]) -> Groups:
    """One group for every part and set of destinations.

    Parameters
    ----------
    fanout : Fanout
    rank : int32 (parts,)
        Position of each part in the order of PEs: groups of a part are sorted by their destinations in this order, so
        that neighbouring keys go to the same chips and tables compress.
    """
    from ._group_kernels import hash_rows, number_groups, take_rows

    salt = np.random.default_rng(2).integers(1, 2**63, max(fanout.n_parts, 1), dtype=np.uint64)
    hashes = hash_rows(fanout.ptr, fanout.parts, salt)
    order = np.lexsort((hashes, fanout.part))
    group = number_groups(order, fanout.part, hashes, fanout.ptr, fanout.parts)
    count = int(group.max()) + 1 if len(group) else 0
    first = np.full(count, -1, np.int64)
    sends = order[group[order] >= 0]
    first[group[sends[::-1]]] = sends[::-1]
    ptr, parts = take_rows(fanout.ptr, fanout.parts, first)
    weight = np.bincount(group[sends], fanout.weight[sends], count).astype(np.float64)
    return sort_groups(Groups(group, fanout.part[first], ptr, parts, weight), rank)


def sort_groups(groups: Groups, rank: npt.NDArray[np.int32]) -> Groups:
    """Number groups by source part, then by destinations in the order of ``rank``."""
    from ._group_kernels import take_rows

    bits = group_bits(groups, rank)
    order = np.lexsort((*bits.T[::-1], groups.source))
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    ptr, parts = take_rows(groups.ptr, groups.parts, order)
    group = np.where(groups.group >= 0, number[groups.group] if len(number) else -1, -1).astype(np.int32)
    return Groups(group, groups.source[order], ptr, parts, groups.weight[order])


def group_bits(groups: Groups, rank: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Destination sets as bits, uint64 (g, words), columns in the order of ``rank``."""
    from ._group_kernels import set_bits

    words = max(1, -(-len(rank) // 64))
    return np.asarray(set_bits(groups.ptr, groups.parts, rank.astype(np.int32), words))


def merge_groups(
    groups: Groups,
    rank: npt.NDArray[np.int32],
    presence: npt.NDArray[np.bool_],
    target: npt.NDArray[np.int64],
    window: int = 256,
) -> Groups:
    """Join groups of the same part until no chip needs more than its target of entries, cheapest joins first.

    The packets of joined groups go to the union of their destinations; a join costs ``rate x additional parts``.

    Parameters
    ----------
    groups : Groups
        Sorted as :func:`sort_groups` does.
    rank : int32 (parts,)
    presence : bool (g, chips)
        Whether a group's packets pass each chip.
    target : int64 (chips,)
        Entries that each chip should need at most, one for each group that passes.
    window : int
        Groups are compared with that many neighbours to either side in their order.
    """
    from ._group_kernels import apply_merges, merge_sequence

    n_parts = len(rank)
    entries = presence.sum(0).astype(np.int64)
    concerned = np.flatnonzero(presence[:, entries > target].any(1))
    first = np.searchsorted(groups.source[concerned], np.arange(n_parts + 1)).astype(np.int64)
    bits = group_bits(groups, rank)[concerned]
    # Silent neurons still merge with their like.
    weight = groups.weight[concerned] + 1e-6 * (groups.weight.mean() or 1.0)
    keep, gone, cost = merge_sequence(bits, weight, first, window)
    order = np.argsort(cost, kind="stable")
    end = np.arange(len(groups.source))
    end[concerned] = concerned[apply_merges(order, keep, gone, presence[concerned], entries, target.astype(np.int64))]
    return sort_groups(_joined(groups, end, n_parts), rank)


def one_group_per_part(groups: Groups, rank: npt.NDArray[np.int32]) -> Groups:
    """The coarsest keys: every part sends all its packets to the union of its neurons' destinations."""
    first = np.searchsorted(groups.source, groups.source)
    return sort_groups(_joined(groups, first, len(rank)), rank)


def assign_keys(groups: Groups, fanout: Fanout, key_bits: int = KEY_BITS) -> Keys:
    """Give every group an aligned power-of-two block of keys, and every neuron its key.

    Raises
    ------
    MappingError
        If the blocks need more than ``2 ** key_bits`` keys.
    """
    count = len(groups.source)
    sends = np.flatnonzero(groups.group >= 0)
    size = np.bincount(groups.group[sends], minlength=count)
    block = _power_of_two(size)
    base, part_base, part_block = _blocks(groups.source, block, fanout.n_parts)
    if (part_base + part_block > 2**key_bits).any():
        raise MappingError(
            f"{count} groups of {len(sends)} neurons in {fanout.n_parts} parts need "
            f"{int((part_base + part_block).max())} keys, but keys have {key_bits} bits: use fewer parts",
            groups=count,
            keys=int((part_base + part_block).max()),
            key_bits=key_bits,
        )
    order = sends[np.argsort(groups.group[sends], kind="stable")]
    start = np.concatenate([[0], np.cumsum(size)])[:-1]
    key = np.zeros(fanout.n, np.uint32)
    key[order] = base[groups.group[order]] + np.arange(len(order)) - start[groups.group[order]]
    needed = np.diff(fanout.ptr)[sends]
    extra = np.diff(groups.ptr)[groups.group[sends]] - needed
    everything = 2**KEY_BITS - 1
    return Keys(
        key=key,
        group=groups.group,
        base=base.astype(np.uint32),
        mask=(everything - (block - 1)).astype(np.uint32),
        source=groups.source,
        ptr=groups.ptr,
        parts=groups.parts,
        weight=groups.weight,
        part_base=part_base.astype(np.uint32),
        part_mask=(everything - (part_block - 1)).astype(np.uint32),
        copies=float((fanout.weight[sends] * (needed + extra)).sum()),
        extra=float((fanout.weight[sends] * extra).sum()),
    )


def _blocks(
    source: npt.NDArray[np.int32], block: npt.NDArray[np.int64], n_parts: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First key of each group, and first key and size of each part's block."""
    base = np.zeros(len(source), np.int64)
    part_block = np.ones(n_parts, np.int64)
    at, last = 0, -1
    for g, (p, size) in enumerate(zip(source.tolist(), block.tolist(), strict=True)):
        at = 0 if p != last else at
        last = p
        at = -(-at // size) * size
        base[g] = at
        at += size
        part_block[p] = 1 << (at - 1).bit_length()
    # Large blocks first keeps every block aligned without gaps.
    order = np.argsort(-part_block, kind="stable")
    part_base = np.empty(n_parts, np.int64)
    part_base[order] = np.concatenate([[0], np.cumsum(part_block[order])])[:-1]
    return base + part_base[source], part_base, part_block


def _power_of_two(size: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(np.int64(1) << np.ceil(np.log2(np.maximum(size, 1))).astype(np.int64), np.int64)


def _joined(groups: Groups, end: npt.NDArray[np.int64], n_parts: int) -> Groups:
    """Groups after group g has joined group ``end[g]``."""
    from ._group_kernels import distinct_parts

    roots, number = np.unique(end, return_inverse=True)
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(len(roots) + 1)).astype(np.int64)
    ptr, parts = distinct_parts(order, first, groups.ptr, groups.parts, np.arange(n_parts, dtype=np.int32), n_parts)
    group = np.where(groups.group >= 0, number[groups.group], -1).astype(np.int32)
    weight = np.bincount(number, groups.weight, len(roots)).astype(np.float64)
    return Groups(group, groups.source[roots], ptr, parts, weight)
