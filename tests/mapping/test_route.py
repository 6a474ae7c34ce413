"""Trees and the checker: every packet reaches exactly the PEs that need it."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import fanout_of, random_fanout, random_placement, routed

from neuromorph.errors import MappingError
from neuromorph.mapping.machine import LINK_CLASSES, Machine, spinnaker2
from neuromorph.mapping.place import Traffic, placement_cost
from neuromorph.mapping.route import (
    Fanout,
    Routing,
    check_routes,
    link_loads,
    link_steps,
    paths,
    route_network,
)

Case = tuple[Fanout, npt.NDArray[np.int32], Machine]


@settings(max_examples=80, deadline=None)
@given(routed())
def test_every_packet_reaches_exactly_its_pes(case: Case) -> None:
    spread, placement, machine = case
    routing = route_network(spread, placement, machine)
    check = check_routes(spread, routing.keys.key, routing.tables, placement, machine, allow_extra=False)
    assert check.deliveries == len(spread.parts)
    assert check.packets == int((np.diff(spread.ptr) > 0).sum())
    walk_by_hand(spread, placement, machine, routing)


@settings(max_examples=40, deadline=None)
@given(routed(entries=5))
def test_every_packet_reaches_the_union_of_its_group_if_tables_are_small(case: Case) -> None:
    spread, placement, machine = case
    try:
        routing = route_network(spread, placement, machine)
    except MappingError as error:
        # With few groups only the coarsest keys may fail, and they say by how much.
        if error.entries <= 5:  # type: ignore[attr-defined]
            raise
        return
    assert routing.entries.max() <= 5
    check = check_routes(spread, routing.keys.key, routing.tables, placement, machine)
    keys = routing.keys
    size = np.diff(keys.ptr)[keys.group[keys.group >= 0]]
    assert check.deliveries == int(size.sum())
    assert check.extra == int(size.sum()) - len(spread.parts)


def walk_by_hand(spread: Fanout, placement: npt.NDArray[np.int32], machine: Machine, routing: Routing) -> None:
    """The checker's own check: one packet at a time, one entry at a time."""
    for i in range(spread.n):
        goals = set(placement[spread.parts[spread.ptr[i] : spread.ptr[i + 1]]].tolist())
        if not goals:
            continue
        key, found = int(routing.keys.key[i]), []
        todo = [int(placement[spread.part[i]]) // machine.pes_per_chip]
        while todo:
            chip = todo.pop()
            table = routing.tables[chip]
            row = next(k for k in range(len(table)) if key & int(table.mask[k]) == int(table.key[k]))
            words = table.pes[row]
            here = [p for p in range(machine.pes_per_chip) if int(words[p // 64]) >> (p % 64) & 1]
            found += [chip * machine.pes_per_chip + p for p in here]
            todo += [int(machine.neighbour[chip, d]) for d in range(6) if int(table.links[row]) >> d & 1]
        assert len(found) == len(set(found))
        assert set(found) == goals


@settings(max_examples=60, deadline=None)
@given(routed())
def test_trees_are_trees_of_links_that_exist(case: Case) -> None:
    spread, placement, machine = case
    routing = route_network(spread, placement, machine)
    routes, keys = routing.routes, routing.keys
    for g in range(routes.n_groups):
        nodes = range(routes.ptr[g], routes.ptr[g + 1])
        chips = [int(routes.chip[n]) for n in nodes]
        assert len(set(chips)) == len(chips)
        assert chips[0] == placement[keys.source[g]] // machine.pes_per_chip
        out = 0
        for n in nodes:
            out += int(routes.links[n]).bit_count()
            if n > nodes[0]:
                parent = int(routes.parent[n])
                assert nodes[0] <= parent < n
                assert int(routes.links[parent]) >> int(routes.via[n]) & 1
                assert machine.neighbour[routes.chip[parent], routes.via[n]] == routes.chip[n]
            # A leaf delivers something: no packet goes where nobody wants it.
            assert routes.links[n] or routes.pes[n].any()
        assert out == len(chips) - 1
        goals = {int(p) // machine.pes_per_chip for p in placement[keys.parts[keys.ptr[g] : keys.ptr[g + 1]]]}
        away = machine.chip_distance[chips[0]]
        assert len(chips) - 1 >= max(int(away[c]) for c in goals)
        assert len(chips) - 1 <= sum(int(away[c]) for c in goals), "never worse than one path for each chip"


@settings(max_examples=60, deadline=None)
@given(routed(), st.integers(0, 1000))
def test_loads_are_the_sum_of_the_steps(case: Case, seed: int) -> None:
    spread, placement, machine = case
    routes = route_network(spread, placement, machine).routes
    amount = np.random.default_rng(seed).integers(0, 4, routes.n_groups).astype(float)
    loads = link_loads(routes, machine, amount)
    ptr, link, parent = link_steps(routes, machine, np.arange(routes.n_groups))
    assert loads == pytest.approx(np.bincount(link, np.repeat(amount, np.diff(ptr)), machine.links))
    assert (machine.link_class[link] >= 0).all(), "only links that exist"
    kind = np.array([LINK_CLASSES[k] for k in machine.link_class[link]])
    for g in range(routes.n_groups):
        rows = slice(ptr[g], ptr[g + 1])
        assert parent[rows][0] == -1
        assert (parent[rows][1:] >= 0).all()
        assert (parent[rows] < np.arange(ptr[g + 1] - ptr[g])).all()
        assert kind[rows][0] == "from tile"
        # One delivery for each destination tile, and every other step leads somewhere.
        tiles = {
            (int(routes.chip[n]), p // 4)
            for n in range(routes.ptr[g], routes.ptr[g + 1])
            for p in range(machine.pes_per_chip)
            if int(routes.pes[n, p // 64]) >> (p % 64) & 1
        }
        assert (kind[rows] == "to tile").sum() == len(tiles)
        leaves = set(range(ptr[g + 1] - ptr[g])) - set(parent[rows].tolist())
        assert {kind[rows][k] for k in leaves} == {"to tile"}
        if machine.multicast == "mesh":
            assert len(set(link[rows].tolist())) == len(link[rows]), "a mesh tree uses each link once"


def test_placement_cost_agrees_with_routes_on_one_chip() -> None:
    for multicast in ("router", "mesh"):
        machine = spinnaker2(1, multicast=multicast)  # type: ignore[arg-type]
        spread, placement = random_fanout(400, 60, 9), random_placement(60, machine)
        routing = route_network(spread, placement, machine)
        keys = routing.keys
        loads = link_loads(routing.routes, machine, keys.weight)
        cost = placement_cost(Traffic(60, keys.source, keys.ptr, keys.parts, keys.weight), placement, machine)
        assert cost.noc_hops == pytest.approx(loads[machine.link_class == LINK_CLASSES.index("NoC")].sum())


def test_chip_trees_share_links_and_spread_over_shortest_paths() -> None:
    machine = spinnaker2(48)
    # One neuron to all chips: a spanning tree has 47 links, not the sum of all distances.
    parts = 48
    placement = (np.arange(parts) * machine.pes_per_chip).astype(np.int32)
    everywhere = fanout_of([0], [list(range(parts))], np.ones(1), parts)
    loads = link_loads(route_network(everywhere, placement, machine).routes, machine, np.ones(1))
    chip_links = machine.link_class == LINK_CLASSES.index("board link")
    assert loads[chip_links].sum() == 47
    # Every chip to every chip, one by one: the busiest link is not far above the mean.
    pairs = [(a, b) for a in range(parts) for b in range(parts) if a != b]
    spread = fanout_of([a for a, _ in pairs], [[b] for _, b in pairs], np.ones(len(pairs)), parts)
    routing = route_network(spread, placement, machine)
    loads = link_loads(routing.routes, machine, routing.keys.weight)
    mean = loads[chip_links].mean()
    assert mean == pytest.approx(machine.chip_distance.sum() / (48 * 6))
    assert loads[chip_links].max() < 2.0 * mean


def test_paths_go_where_they_say() -> None:
    machine = spinnaker2(1)
    up_ptr, up, down_ptr, down, across_ptr, across = paths(machine)
    columns = machine.mesh_shape[0]
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]

    def end(cell: tuple[int, int], links: npt.NDArray[np.int32]) -> tuple[int, int]:
        for link in links.tolist():
            assert link // 6 == cell[0] + columns * cell[1]
            if link % 6 < 4:
                cell = (cell[0] + steps[link % 6][0], cell[1] + steps[link % 6][1])
        return cell

    routers = {tuple(map(int, xy)) for xy in machine.router_cells}
    for tile, xy in enumerate(machine.tile_xy.tolist()):
        here = (xy[0], xy[1])
        assert end(here, up[up_ptr[tile] : up_ptr[tile + 1]]) in routers
        way = down[down_ptr[tile] : down_ptr[tile + 1]]
        start = int(way[0]) // 6
        assert (start % columns, start // columns) in routers
        assert end((start % columns, start // columns), way) == here
        assert len(way) - 1 == machine.router_distance[tile] == up_ptr[tile + 1] - up_ptr[tile] - 1
        for other, goal in enumerate(machine.tile_xy.tolist()):
            row = tile * machine.tiles + other
            assert end(here, across[across_ptr[row] : across_ptr[row + 1]]) == tuple(goal)


class TestTheCheckerFinds:
    """Every kind of damage to correct tables."""

    def setup_method(self) -> None:
        self.machine = spinnaker2(4)
        self.spread = random_fanout(300, 60, 6, seed=4)
        self.placement = random_placement(60, self.machine, seed=4)
        self.routing = route_network(self.spread, self.placement, self.machine)

    def check(self, tables: object, key: npt.NDArray[np.uint32] | None = None, **options: bool) -> None:
        chosen = self.routing.keys.key if key is None else key
        check_routes(self.spread, chosen, tables, self.placement, self.machine, **options)  # type: ignore[arg-type]

    def damaged(self, chip: int, **changes: npt.NDArray[np.generic]) -> list[object]:
        tables = list(self.routing.tables)
        tables[chip] = dataclasses.replace(tables[chip], **changes)  # type: ignore[arg-type]
        return list(tables)

    def test_nothing_where_nothing_is_wrong(self) -> None:
        self.check(self.routing.tables, allow_extra=False)

    def test_a_missing_delivery(self) -> None:
        table = self.routing.tables[1]
        pes = table.pes.copy()
        row = int(np.flatnonzero(pes.any(1))[0])
        pes[row] = 0
        with pytest.raises(MappingError, match="does not reach PE"):
            self.check(self.damaged(1, pes=pes))

    def test_a_superfluous_delivery(self) -> None:
        pes = self.routing.tables[0].pes.copy()
        pes[:, 2] |= np.uint64(1 << 10)
        with pytest.raises(MappingError, match="does not need it"):
            self.check(self.damaged(0, pes=pes), allow_extra=False)

    def test_a_missing_entry(self) -> None:
        table = self.routing.tables[2]
        few = {name: getattr(table, name)[:-1] for name in ("key", "mask", "links", "pes")}
        with pytest.raises(MappingError, match="no table entry matches"):
            self.check(self.damaged(2, **few))

    def test_a_loop(self) -> None:
        table = self.routing.tables[0]
        links = table.links | np.uint8(np.bitwise_or.reduce(1 << np.flatnonzero(self.machine.neighbour[0] >= 0)))
        back = self.damaged(0, links=links)
        for c in range(1, 4):
            where = self.machine.neighbour[c].tolist()
            if 0 in where:
                one = back[c]
                back[c] = dataclasses.replace(one, links=one.links | np.uint8(1 << where.index(0)))  # type: ignore[type-var, attr-defined]
        with pytest.raises(MappingError, match=r"twice|no table entry"):
            self.check(back)

    def test_a_link_that_does_not_exist(self) -> None:
        missing = int(np.flatnonzero(self.machine.neighbour[0] < 0)[0])
        links = self.routing.tables[0].links | np.uint8(1 << missing)
        with pytest.raises(MappingError, match="does not exist"):
            self.check(self.damaged(0, links=links))

    def test_a_shared_key(self) -> None:
        key = self.routing.keys.key.copy()
        a, b = np.flatnonzero(self.routing.keys.group >= 0)[:2]
        key[b] = key[a]
        with pytest.raises(MappingError, match="share key"):
            self.check(self.routing.tables, key)

    def test_a_table_over_its_size(self) -> None:
        small = self.machine.with_constants(router__entries=3)
        with pytest.raises(MappingError, match="router holds 3"):
            check_routes(self.spread, self.routing.keys.key, self.routing.tables, self.placement, small)
