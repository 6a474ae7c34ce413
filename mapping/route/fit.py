"""Keys, trees and tables together: as exact as the routers' tables allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from .fanout import Fanout
from .keys import Groups, Keys, assign_keys, exact_groups, merge_groups, one_group_per_part
from .tables import Table, build_tables, minimise
from .trees import Routes, presence, route

_ROUNDS = 8


@dataclass(frozen=True)
class Routing:
    """Everything that carries packets: keys, one multicast tree for each group, one table for each chip.

    Attributes
    ----------
    keys : Keys
    routes : Routes
    tables : tuple of Table
        Minimised.
    raw_entries : int64 (chips,)
        Entries of each chip's table before minimisation.
    exact_groups : int
        Groups before any were joined to fit the tables.
    """

    keys: Keys
    routes: Routes
    tables: tuple[Table, ...]
    raw_entries: npt.NDArray[np.int64]
    exact_groups: int

    @property
    def entries(self) -> npt.NDArray[np.int64]:
        """Entries of each chip's table, int64 (chips,)."""
        return np.array([len(table) for table in self.tables], np.int64)


def route_network(fanout: Fanout, placement: npt.NDArray[np.int32], machine: Machine) -> Routing:
    """Allocate keys, build trees and tables, and join groups of keys only as far as the tables are too small.

    Parameters
    ----------
    fanout : Fanout
    placement : int32 (parts,)
        Global PE index of each part.
    machine : Machine

    Raises
    ------
    MappingError
        If a chip's table is too small even with one key block for each part; attributes ``chip``, ``entries``,
        ``limit``.
    """
    limit = machine.router_entries
    rank = _rank(placement)
    groups = exact_groups(fanout, rank)
    exact = len(groups.source)
    for attempt in range(_ROUNDS):
        routing = _routing(groups, fanout, placement, machine, exact)
        size = routing.entries
        if (size <= limit).all():
            return routing
        passes = presence(routing.routes, machine.chips)
        count = passes.sum(0)
        # A table shrinks in proportion to its groups, about; every round aims a little lower, and the last ones for as
        # many groups as there are entries, which minimisation can only improve.
        aim = np.floor(count * (limit / np.maximum(size, 1)) * (1 - 0.01 * attempt)).astype(np.int64)
        if attempt >= _ROUNDS - 3:
            aim = np.minimum(aim, limit - limit * (attempt + 3 - _ROUNDS) // 50)
        target = np.where(size > limit, aim, count)
        fewer = merge_groups(groups, rank, passes, target)
        if len(fewer.source) == len(groups.source):
            break
        groups = fewer
    return route_parts(fanout, placement, machine)


def route_parts(fanout: Fanout, placement: npt.NDArray[np.int32], machine: Machine) -> Routing:
    """The same with the coarsest keys: all packets of a part go wherever any of them is needed.

    Raises
    ------
    MappingError
        If a chip's table is too small even so.
    """
    limit, rank = machine.router_entries, _rank(placement)
    groups = exact_groups(fanout, rank)
    routing = _routing(one_group_per_part(groups, rank), fanout, placement, machine, len(groups.source))
    worst = int(routing.entries.argmax())
    if routing.entries[worst] > limit:
        raise MappingError(
            f"chip {worst}: its router needs {int(routing.entries[worst])} entries even with one key block for each "
            f"part, but holds {limit}: use fewer parts (more neurons a PE) or a machine with larger tables",
            chip=worst,
            entries=int(routing.entries[worst]),
            limit=limit,
        )
    return routing


def _rank(placement: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Position of each part in the order of PEs."""
    rank = np.empty(len(placement), np.int32)
    rank[np.argsort(placement, kind="stable")] = np.arange(len(placement), dtype=np.int32)
    return rank


def _routing(groups: Groups, fanout: Fanout, placement: npt.NDArray[np.int32], machine: Machine, exact: int) -> Routing:
    keys = assign_keys(groups, fanout)
    routes = route(keys, placement, machine)
    raw = build_tables(keys, routes, machine.chips)
    sizes = np.array([len(table) for table in raw], np.int64)
    return Routing(keys, routes, tuple(minimise(table) for table in raw), sizes, exact)
