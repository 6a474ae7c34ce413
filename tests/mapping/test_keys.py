"""Key allocation: blocks, groups, and joining groups to fit the tables."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import fanout_of, random_fanout, random_placement, routed

from neuromorph.errors import MappingError
from neuromorph.mapping.hypergraph import Hypergraph
from neuromorph.mapping.machine import Machine, spinnaker2
from neuromorph.mapping.route import (
    Fanout,
    Keys,
    assign_keys,
    check_routes,
    exact_groups,
    fanout,
    merge_groups,
    one_group_per_part,
    presence,
    route,
    route_network,
)


def identity(n: int) -> npt.NDArray[np.int32]:
    return np.arange(n, dtype=np.int32)


def reached(keys: Keys, group: int) -> set[int]:
    return set(keys.parts[keys.ptr[group] : keys.ptr[group + 1]].tolist())


def needed(spread: Fanout, neuron: int) -> set[int]:
    return set(spread.parts[spread.ptr[neuron] : spread.ptr[neuron + 1]].tolist())


@settings(max_examples=60, deadline=None)
@given(routed())
def test_keys_are_distinct_and_in_their_blocks(case: tuple[Fanout, npt.NDArray[np.int32], Machine]) -> None:
    spread, _, _ = case
    keys = assign_keys(exact_groups(spread, identity(spread.n_parts)), spread)
    sends = np.flatnonzero(keys.group >= 0)
    assert set(sends) == {i for i in range(spread.n) if needed(spread, i)}
    assert len(set(keys.key[sends].tolist())) == len(sends)
    for i in sends.tolist():
        g, p = int(keys.group[i]), int(spread.part[i])
        assert keys.source[g] == p
        assert keys.key[i] & keys.mask[g] == keys.base[g]
        assert keys.key[i] & keys.part_mask[p] == keys.part_base[p]
        assert reached(keys, g) == needed(spread, i)
    # No key belongs to two groups or to two parts.
    for base, mask in ((keys.base, keys.mask), (keys.part_base, keys.part_mask)):
        order = np.argsort(base)
        size = (~mask[order]).astype(np.int64) + 1
        assert (size & (size - 1) == 0).all()
        assert (base[order] % size == 0).all()
        assert (base[order].astype(np.int64)[:-1] + size[:-1] <= base[order].astype(np.int64)[1:]).all()
    assert keys.extra == 0.0
    assert keys.copies == pytest.approx(sum(spread.weight[i] * len(needed(spread, i)) for i in range(spread.n)))
    # Groups are as large as can be: no two of one part have the same destinations.
    found = {(int(keys.source[g]), tuple(sorted(reached(keys, g)))) for g in range(keys.n_groups)}
    assert len(found) == keys.n_groups


@settings(max_examples=40, deadline=None)
@given(routed(), st.integers(1, 6))
def test_joining_groups_covers_and_counts(case: tuple[Fanout, npt.NDArray[np.int32], Machine], target: int) -> None:
    spread, placement, machine = case
    groups = exact_groups(spread, identity(spread.n_parts))
    if not len(groups.source):
        return
    passes = presence(route(groups, placement, machine), machine.chips)
    fewer = merge_groups(groups, identity(spread.n_parts), passes, np.full(machine.chips, target), window=4)
    keys = assign_keys(fewer, spread)
    extra = 0.0
    for i in range(spread.n):
        g = int(keys.group[i])
        assert (g >= 0) == bool(needed(spread, i))
        if g >= 0:
            assert keys.source[g] == spread.part[i]
            assert reached(keys, g) >= needed(spread, i)
            extra += spread.weight[i] * (len(reached(keys, g)) - len(needed(spread, i)))
    for g in range(keys.n_groups):
        members = np.flatnonzero(keys.group == g)
        assert reached(keys, g) == set().union(*(needed(spread, int(i)) for i in members)), "no more than the union"
    assert keys.extra == pytest.approx(extra)
    one = one_group_per_part(groups, identity(spread.n_parts))
    assert len(one.source) == len(set(groups.source.tolist())) <= keys.n_groups


def test_the_cheapest_groups_join_first() -> None:
    # Three groups of part 0: {0 1 2}, {0 1 2 3} and {7 8 9}; the first two cost one extra copy a second to join.
    rows = [[0, 1, 2], [0, 1, 2, 3], [7, 8, 9]]
    spread = fanout_of([0, 0, 0], rows, np.ones(3), 10)
    groups = exact_groups(spread, identity(10))
    two = merge_groups(groups, identity(10), np.ones((3, 1), bool), np.array([2]))
    keys = assign_keys(two, spread)
    assert keys.group[0] == keys.group[1] != keys.group[2]
    assert keys.extra == 1.0
    # If the second sends much more often than the first, it is still the cheap pair; the price is the first's rate.
    heavy = fanout_of([0, 0, 0], rows, np.array([0.5, 9.0, 1.0]), 10)
    assert assign_keys(merge_groups(groups, identity(10), np.ones((3, 1), bool), np.array([2])), heavy).extra == 0.5


def test_tables_too_small_cost_copies_but_never_miss() -> None:
    machine = spinnaker2(4, router__entries=620)
    spread, placement = random_fanout(5000, 500, 6), random_placement(500, machine)
    routing = route_network(spread, placement, machine)
    assert routing.entries.max() <= 620 < routing.raw_entries.max() + 620
    assert routing.keys.n_groups < routing.exact_groups
    check = check_routes(spread, routing.keys.key, routing.tables, placement, machine)
    assert check.extra > 0
    assert routing.keys.extra > 0
    # With room for everything nothing is joined.
    roomy = spinnaker2(4)
    exact = route_network(spread, placement, roomy)
    assert exact.keys.extra == 0
    assert check_routes(spread, exact.keys.key, exact.tables, placement, roomy, allow_extra=False).extra == 0
    # A little too small costs little.
    tight = machine.with_constants(router__entries=int(exact.entries.max() * 0.97))
    close = route_network(spread, placement, tight)
    assert 0 < close.keys.extra < 0.05 * close.keys.copies


def test_hopeless_tables_are_refused_with_numbers() -> None:
    machine = spinnaker2(1, router__entries=10)
    spread = random_fanout(200, 40, 8)
    with pytest.raises(MappingError, match="one key block for each part") as error:
        route_network(spread, random_placement(40, machine), machine)
    assert error.value.limit == 10 < error.value.entries  # type: ignore[attr-defined]


def test_too_few_key_bits_are_refused_with_numbers() -> None:
    spread = random_fanout(300, 20, 4)
    with pytest.raises(MappingError, match="keys have 6 bits") as error:
        assign_keys(exact_groups(spread, identity(20)), spread, key_bits=6)
    assert error.value.keys > 64  # type: ignore[attr-defined]


def test_the_fanout_of_a_hypergraph() -> None:
    # Neuron 0 has two nets (one carries memory only), net 3 is never sent.
    graph = Hypergraph(
        vertex_bytes=np.ones(5, np.int64),
        net_ptr=np.array([0, 2, 4, 5, 7]),
        net_pins=np.array([1, 3, 2, 4, 4, 0, 1], np.int32),
        net_source=np.array([0, 3, 0, -1], np.int32),
        net_weight=np.array([3.0, 2.0, 0.0, 0.0]),
        net_bytes=np.ones(4, np.int64),
        group_ptr=np.zeros(6, np.int64),
        vertex_groups=np.zeros(0, np.int32),
        group_bytes=np.zeros(0, np.int64),
        layer=np.zeros(5, np.int32),
    )
    spread = fanout(graph, np.array([0, 0, 1, 1, 2], np.int32))
    assert spread.n_parts == 3
    assert [sorted(needed(spread, i)) for i in range(5)] == [[0, 1, 2], [], [], [1, 2], []]
    assert spread.weight.tolist() == [3.0, 0.0, 0.0, 2.0, 0.0]
