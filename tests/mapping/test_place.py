"""Every placement algorithm under the same tests, judged by a cost that is computed in plain Python."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.mapping.machine import Machine, spinnaker2
from neuromorph.mapping.place import METHODS, Traffic, check_placement, place, placement_cost, refine, traffic
from neuromorph.mapping.place.chips import cut
from neuromorph.mapping.place.cost import chip_parents
from neuromorph.mapping.place.orders import hilbert_index, hilbert_walk
from neuromorph.mapping.place.traffic import sample
from neuromorph.mapping.route import Fanout

NAMES = [*METHODS, "portfolio"]


def run(name: str, nets: Traffic, machine: Machine, seed: int = 0) -> npt.NDArray[np.int32]:
    return place(nets, machine, seed=seed, method=name)


def sheet(width: int, height: int, seed: int = 0, nets: int = 4) -> Traffic:
    """A sheet of parts, numbered at random, that talk to parts nearby."""
    rng = np.random.default_rng(seed)
    n = width * height
    number = rng.permutation(n)
    rows, source = [], []
    for p in range(n):
        for _ in range(nets):
            x = p % width + np.rint(rng.normal(0, 1, 4)).astype(int)
            y = p // width + np.rint(rng.normal(0, 1, 4)).astype(int)
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            rows.append(np.unique(number[x[inside] + width * y[inside]]))
            source.append(number[p])
    return build(n, source, rows, rng.uniform(1, 10, len(rows)))


def dense(n: int) -> Traffic:
    """Everybody talks to everybody."""
    return build(n, list(range(n)), [np.arange(n)] * n, np.ones(n))


def build(n: int, source: list[int], rows: list[npt.NDArray[np.int64]], weight: npt.NDArray[np.float64]) -> Traffic:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    parts = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int32)
    return Traffic(n, np.array(source, np.int32), ptr, parts, np.asarray(weight, np.float64))


def slow_cost(nets: Traffic, placement: npt.NDArray[np.int32], machine: Machine) -> tuple[float, float]:
    """NoC hops and chip hops by sets of tiles, links and chips."""
    per = machine.pes_per_chip
    before = chip_parents(machine)
    noc = chips = 0.0
    for e in range(nets.n_nets):
        pe = int(placement[nets.source[e]])
        home, start = pe // per, pe % per // machine.pes_per_tile
        goals = {
            (int(q) // per, int(q) % per // machine.pes_per_tile)
            for q in placement[nets.parts[nets.ptr[e] : nets.ptr[e + 1]]]
        }
        reached = {home}
        for chip, _ in goals:
            while chip not in reached:
                reached.add(chip)
                chip = int(before[home, chip])
        if machine.multicast == "router":
            hops = int(machine.router_distance[start])
            hops += sum(int(machine.router_distance[tile]) for _, tile in goals)
        else:
            # The union of x-first paths, cell by cell.
            steps = set()
            for chip, tile in goals:
                goal = tuple(map(int, machine.tile_xy[tile]))
                if chip == home:
                    cell = tuple(map(int, machine.tile_xy[start]))
                else:
                    cells = [tuple(map(int, xy)) for xy in machine.router_cells]
                    cell = min(cells, key=lambda c: (abs(c[0] - goal[0]) + abs(c[1] - goal[1]), c))
                while cell != goal:
                    x, y = cell
                    dx, dy = np.sign(goal[0] - x), np.sign(goal[1] - y)
                    after = (x + dx, y) if dx else (x, y + dy)
                    steps.add((chip, cell, after))
                    cell = after
            hops = len(steps)
            if any(chip != home for chip, _ in goals):
                hops += int(machine.router_distance[start])
        noc += nets.weight[e] * hops
        chips += nets.weight[e] * (len(reached) - 1)
    return noc, chips


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("nets", "machine"),
    [
        (sheet(10, 8), spinnaker2(1)),
        (sheet(20, 15), spinnaker2(3)),
        (sheet(20, 15), spinnaker2(3, multicast="mesh")),
        (dense(40), spinnaker2(2)),
        (build(5, [], [], np.zeros(0)), spinnaker2(1)),
        (build(1, [0], [np.array([0])], np.ones(1)), spinnaker2(1)),
        (sheet(37, 8), spinnaker2(2)),  # 296 parts fill both chips
    ],
    ids=["one chip", "three chips", "mesh", "dense", "no nets", "one part", "full"],
)
def test_every_part_gets_its_own_pe(name: str, nets: Traffic, machine: Machine) -> None:
    placement = run(name, nets, machine)
    check_placement(nets.n_parts, placement, machine)
    assert placement.dtype == np.int32
    assert (placement == run(name, nets, machine)).all(), "the same seed gives the same placement"


@pytest.mark.parametrize("name", NAMES)
def test_too_many_parts_are_refused(name: str) -> None:
    nets = build(149, [0], [np.array([1])], np.ones(1))
    with pytest.raises(MappingError, match="at least 2 chips") as error:
        run(name, nets, spinnaker2(1))
    assert (error.value.parts, error.value.pes) == (149, 148)  # type: ignore[attr-defined]


def test_unknown_methods_are_named() -> None:
    with pytest.raises(MappingError, match=r"metis_qap"):
        place(dense(3), spinnaker2(1), method="magic")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_cost_is_that_of_sets_of_tiles_links_and_chips(data: st.DataObject) -> None:
    machine = spinnaker2(
        data.draw(st.sampled_from([1, 3, 5, 48])), multicast=data.draw(st.sampled_from(["router", "mesh"]))
    )
    n = data.draw(st.integers(1, 12))
    m = data.draw(st.integers(1, 6))
    source = data.draw(st.lists(st.integers(0, n - 1), min_size=m, max_size=m))
    rows = [np.array(sorted(data.draw(st.sets(st.integers(0, n - 1))))) for _ in range(m)]
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    nets = build(n, source, rows, rng.uniform(0.1, 5, m))
    placement = rng.choice(machine.usable_pes, n, replace=False).astype(np.int32)
    cost = placement_cost(nets, placement, machine)
    noc, chips = slow_cost(nets, placement, machine)
    assert cost.noc_hops == pytest.approx(noc)
    assert cost.chip_hops == pytest.approx(chips)
    assert cost.total == pytest.approx(noc + 5 * chips)


@pytest.mark.parametrize("multicast", ["router", "mesh"])
def test_annealing_keeps_its_books(multicast: str) -> None:
    """The change that the annealer adds up is the difference of the exact costs."""
    from neuromorph.mapping.place._anneal_kernels import anneal, nets_of_parts
    from neuromorph.mapping.place.cost import model

    machine = spinnaker2(3, multicast=multicast)  # type: ignore[arg-type]
    nets = sheet(18, 15)
    placement = run("row_major", nets, machine)
    before = placement_cost(nets, placement, machine).total
    nets_ptr, nets_list = nets_of_parts(nets.n_parts, nets.source, nets.ptr, nets.parts)
    change = anneal(
        nets.source, nets.ptr, nets.parts, nets.weight, nets_ptr, nets_list, placement, machine.pes, machine.usable,
        machine.pes_per_chip, machine.neighbour, 20_000, 1.0, 0.01, 3, 0, *model(machine).arguments,
    )  # fmt: skip
    check_placement(nets.n_parts, placement, machine)
    after = placement_cost(nets, placement, machine).total
    assert change == pytest.approx(after - before)
    assert after < before


def test_the_last_parts_can_be_kept_where_they_are() -> None:
    machine, nets = spinnaker2(1), sheet(8, 8)
    start = run("row_major", nets, machine)
    found = refine(nets, machine, start, 1, fixed=10)
    check_placement(nets.n_parts, found, machine)
    assert np.array_equal(found[-10:], start[-10:])
    assert placement_cost(nets, found, machine).total < placement_cost(nets, start, machine).total
    assert np.array_equal(refine(nets, machine, start, 1, fixed=nets.n_parts), start)


@pytest.mark.parametrize("nets", [dense(200), dense(40), sheet(16, 16)], ids=["dense", "dense, one chip", "sheet"])
def test_the_portfolio_is_never_worse_than_row_major(nets: Traffic) -> None:
    for machine in (spinnaker2(2), spinnaker2(2, multicast="mesh")):
        best = placement_cost(nets, run("portfolio", nets, machine), machine).total
        assert best <= placement_cost(nets, run("row_major", nets, machine), machine).total


def test_structure_is_found_behind_shuffled_numbers() -> None:
    machine, nets = spinnaker2(4), sheet(24, 22)
    cost = {name: placement_cost(nets, run(name, nets, machine), machine).total for name in NAMES}
    assert cost["metis_qap"] < 0.6 * cost["row_major"]
    assert cost["portfolio"] < 0.92 * cost["metis_qap"]
    # Four times the work must not find much more.
    start = run("metis_qap", nets, machine)
    long = refine(nets, machine, start, effort=5, hot=0.3, cold=0.001)
    assert cost["portfolio"] < 1.05 * placement_cost(nets, long, machine).total


def test_a_sheet_as_large_as_a_board_lands_on_neighbouring_chips() -> None:
    machine, nets = spinnaker2(12), sheet(48, 37, nets=1)
    placement = run("metis_qap", nets, machine)
    hops = placement_cost(nets, placement, machine).chip_hops
    shuffled = placement_cost(nets, run("row_major", nets, machine), machine).chip_hops
    assert hops < 0.15 * shuffled


def test_checker_finds_what_is_wrong() -> None:
    machine = spinnaker2(1)
    check_placement(2, np.array([0, 1], np.int32), machine)
    for wrong, words in (
        ([0, 0], "all on PE 0"),
        ([0, 152], "has 152"),
        ([-1, 0], "part 0"),
        ([0, 151], "system"),
        ([0], "shape"),
    ):
        with pytest.raises(MappingError, match=words):
            check_placement(2, np.array(wrong, np.int32), machine)


def test_metis_never_overfills_a_chip() -> None:
    for clusters, cap in ((2, 32), (4, 16), (7, 10)):
        label = cut(sheet(8, 8), clusters, cap, 1)
        assert np.bincount(label, minlength=clusters).max() <= cap


def test_samples_keep_the_total() -> None:
    nets = sheet(12, 12)
    some = sample(nets, 200, 0)
    assert 100 < len(some.parts) <= 220
    assert some.weight.sum() == pytest.approx(nets.weight.sum())
    assert sample(nets, 10**6, 0) is nets


def test_hilbert_walks_step_to_neighbours() -> None:
    grid = np.array([(x, y) for y in range(8) for x in range(8)], np.int32)
    order = grid[np.argsort(hilbert_index(grid))]
    assert (np.abs(np.diff(order, axis=0)).sum(1) == 1).all()
    machine = spinnaker2(3)
    assert (np.sort(hilbert_walk(machine)) == machine.usable_pes).all()


def test_neurons_of_one_part_with_the_same_destinations_are_one_net() -> None:
    spread = Fanout(
        np.array([0, 0, 1, 0, 2], np.int32),
        np.array([0, 2, 4, 6, 7, 7]),
        np.array([0, 1, 0, 1, 0, 1, 2], np.int32),
        np.array([1.0, 2, 4, 8, 16]),
        3,
    )
    nets = traffic(spread)
    found = {
        (int(nets.source[e]), tuple(nets.parts[nets.ptr[e] : nets.ptr[e + 1]].tolist()), float(nets.weight[e]))
        for e in range(nets.n_nets)
    }
    assert found == {(0, (0, 1), 3.0), (1, (0, 1), 4.0), (0, (2,), 8.0)}


def test_a_dearer_chip_link_counts_more() -> None:
    machine, nets = spinnaker2(2), dense(200)
    placement = run("row_major", nets, machine)
    usual = placement_cost(nets, placement, machine)
    dear = placement_cost(nets, placement, machine.with_constants(link__hop_weight=50))
    assert dataclasses.replace(dear, total=usual.total) == usual
    assert dear.total == pytest.approx(usual.noc_hops + 50 * usual.chip_hops)


def test_spread_loads_every_chip_alike() -> None:
    machine = spinnaker2(5)
    chip = run("spread", sheet(8, 6), machine) // machine.pes_per_chip
    assert np.bincount(chip, minlength=5).max() == 10  # 48 parts
