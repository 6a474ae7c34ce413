"""Multicast tables: what each chip's event router does with each key, in as few entries as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .keys import KEY_BITS, Keys
from .trees import Routes

_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


@dataclass(frozen=True)
class Table:
    """The multicast table of one chip: the first entry with ``packet_key & mask == key`` decides.

    There is no default route: a packet that no entry matches is an error.

    Attributes
    ----------
    key, mask : uint32 (entries,)
    links : uint8 (entries,)
        Bit d: send over chip link d.
    pes : uint64 (entries, 3)
        Bit ``p & 63`` of word ``p >> 6``: deliver to PE p of this chip.
    """

    key: npt.NDArray[np.uint32]
    mask: npt.NDArray[np.uint32]
    links: npt.NDArray[np.uint8]
    pes: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.key)


def build_tables(keys: Keys, routes: Routes, chips: int) -> tuple[Table, ...]:
    """One entry for every group on every chip that its packets pass; entries ascend by key and never overlap."""
    group = np.repeat(np.arange(routes.n_groups), np.diff(routes.ptr))
    order = np.lexsort((keys.base[group], routes.chip))
    first = np.searchsorted(routes.chip[order], np.arange(chips + 1))
    tables = []
    for c in range(chips):
        nodes = order[first[c] : first[c + 1]]
        tables.append(Table(keys.base[group[nodes]], keys.mask[group[nodes]], routes.links[nodes], routes.pes[nodes]))
    return tuple(tables)


def minimise(table: Table) -> Table:
    """The smallest prefix table, matched longest prefix first, that treats every key of ``table`` the same.

    Keys that ``table`` does not match never arrive, so they may be treated in any way.

    Parameters
    ----------
    table : Table
        Prefix masks (ones, then zeros), no two entries overlapping.

    Returns
    -------
    Table
        Longest prefixes first.

    Notes
    -----
    Optimal Routing Table Constructor (Draves, King, Venkatachary and Zill, INFOCOM 1999), with "anything" as the set
    of next hops wherever no key arrives. A node of the binary trie whose two children allow a common action keeps the
    intersection of what they allow, else the union; from the root down, an entry is written where the inherited action
    is not allowed. Unary nodes of the trie keep their child's set, so only branching nodes are built.
    """
    from ._ortc import ortc

    if len(table) == 0:
        return table
    order = np.argsort(table.key, kind="stable")
    sample, action = _actions(table)
    key, length, chosen = ortc(table.key[order], _prefix_length(table.mask)[order], action[order])
    mask = _prefix_mask(length)
    rows = np.lexsort((key, -length.astype(np.int64)))
    entry = sample[chosen[rows]]
    return Table(key[rows] & mask[rows], mask[rows], table.links[entry], table.pes[entry])


def _actions(table: Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """A sample entry of every distinct action, and the action of every entry."""
    columns = np.column_stack([table.links.astype(np.uint64), table.pes])
    # Sorting one hash is much faster than sorting rows; rows are compared only to be sure.
    mixed = columns * _MIX
    mixed ^= mixed >> np.uint64(29)
    _, sample, action = np.unique(mixed.sum(1, dtype=np.uint64), return_index=True, return_inverse=True)
    if (columns[sample[action]] != columns).any():
        _, sample, action = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return sample, action.ravel().astype(np.int32)


def _prefix_length(mask: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    size = (~mask).astype(np.int64) + 1
    return (KEY_BITS - np.log2(size).astype(np.int64)).astype(np.int32)


def _prefix_mask(length: npt.NDArray[np.int32]) -> npt.NDArray[np.uint32]:
    size = np.int64(1) << (KEY_BITS - length.astype(np.int64))
    return np.asarray(2**KEY_BITS - size, np.uint32)


def lookup(table: Table, keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """The first entry that matches each key, -1 if none does: int64 (keys,).

    Works for any masks. One sorted search for each distinct mask instead of a walk over all entries.
    """
    best = np.full(len(keys), len(table), np.int64)
    for mask in np.unique(table.mask):
        rows = np.flatnonzero(table.mask == mask)
        values, first = np.unique(table.key[rows], return_index=True)
        wanted = keys & mask
        at = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
        hit = values[at] == wanted
        best[hit] = np.minimum(best[hit], rows[first[at[hit]]])
    return np.where(best == len(table), -1, best)
