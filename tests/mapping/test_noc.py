"""The network models against closed forms, a reference simulator's curve, and a slow model of the same queues."""

import heapq

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import random_fanout, random_placement

from neuromorph.errors import MappingError
from neuromorph.mapping.machine import LINK_CLASSES, spinnaker2
from neuromorph.mapping.noc import forest, link_report, md1_wait, replay, send_packets, simulate, timing
from neuromorph.mapping.noc.mesh import mesh_paths
from neuromorph.mapping.route import Routes, link_steps, route_network

Trees = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]


def chain(length: int) -> Trees:
    return np.array([0, length]), np.arange(length, dtype=np.int32), np.arange(-1, length - 1, dtype=np.int32)


def test_an_empty_network_takes_the_sum_of_the_latencies() -> None:
    service, latency = np.full(5, 1.0), np.array([3.0, 5, 7, 11, 13])
    flow = simulate(forest(*chain(5), service, latency), np.zeros(3, np.int64), np.array([200.0, 0, 100]))
    assert flow.last.tolist() == [239.0, 39.0, 139.0]
    assert flow.mean_latency == 39.0
    assert flow.makespan == 239.0
    assert flow.wait.sum() == 0
    assert flow.peak.tolist() == [1] * 5
    assert flow.packets.tolist() == [3] * 5


def test_packets_of_one_moment_queue_in_their_order() -> None:
    flow = simulate(forest(*chain(2), np.array([2.0, 3.0]), np.array([10.0, 1.0])), np.zeros(4, np.int64), np.zeros(4))
    # The second link serves one every 3: it is free at 10, 13, 16, 19.
    assert flow.last.tolist() == [11.0, 14.0, 17.0, 20.0]
    assert flow.peak.tolist() == [4, 2]
    assert flow.wait.tolist() == [2.0 + 4 + 6, 1.0 + 2 + 3]


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_one_link_is_an_md1_queue(load: float) -> None:
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.exponential(1 / load, 400_000))
    flow = simulate(forest(*chain(1), np.ones(1), np.ones(1)), np.zeros(len(time), np.int64), time)
    want = md1_wait(np.array([load]), np.ones(1))[0]
    assert want == load / (2 * (1 - load))
    assert flow.mean_latency - 1 == pytest.approx(want, rel=0.04)


def test_md1_waits_are_infinite_from_full_load() -> None:
    assert md1_wait(np.array([0.0, 1.0, 2.0]), np.ones(3)).tolist() == [0.0, np.inf, np.inf]


@st.composite
def flows(draw: st.DrawFn) -> tuple[Trees, npt.NDArray[np.float64], npt.NDArray[np.float64], list[int], list[float]]:
    links = draw(st.integers(1, 5))
    ptr, link, parent = [0], [], []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(st.integers(1, 6))
        parent += [-1, *(draw(st.integers(0, k - 1)) for k in range(1, size))]
        link += draw(st.lists(st.integers(0, links - 1), min_size=size, max_size=size))
        ptr.append(len(link))
    service = draw(st.lists(st.integers(1, 9), min_size=links, max_size=links))
    latency = draw(st.lists(st.integers(1, 9), min_size=links, max_size=links))
    packets = draw(st.integers(1, 25))
    tree = draw(st.lists(st.integers(0, len(ptr) - 2), min_size=packets, max_size=packets))
    # Some packets far apart, so that the calendar turns over more than once.
    time = draw(st.lists(st.integers(0, 40) | st.integers(0, 10**7), min_size=packets, max_size=packets))
    trees = np.array(ptr), np.array(link, np.int32), np.array(parent, np.int32)
    return trees, np.array(service, float), np.array(latency, float), tree, [float(t) for t in time]


@settings(max_examples=150, deadline=None)
@given(flows())
def test_the_event_model_is_a_queue_at_every_link(
    case: tuple[Trees, npt.NDArray[np.float64], npt.NDArray[np.float64], list[int], list[float]],
) -> None:
    """Against a heap of arrivals, the textbook form of the same model (ties: by injection)."""
    (ptr, link, parent), service, latency, tree, time = case
    flow = simulate(forest(ptr, link, parent, service, latency), np.array(tree), np.array(time))
    rank = {p: r for r, p in enumerate(sorted(range(len(time)), key=lambda p: (time[p], p)))}
    heap = [(time[p], rank[p], int(ptr[tree[p]]), p) for p in range(len(time))]
    heapq.heapify(heap)
    free = dict.fromkeys(range(len(service)), -np.inf)
    last = dict.fromkeys(range(len(time)), -np.inf)
    passed = [0] * len(service)
    while heap:
        t, r, hop, p = heapq.heappop(heap)
        one = int(link[hop])
        start = max(t, free[one])
        free[one] = start + service[one]
        passed[one] += 1
        base = int(ptr[tree[p]])
        after = [k for k in range(base, int(ptr[tree[p] + 1])) if parent[k] == hop - base]
        for k in after:
            heapq.heappush(heap, (start + latency[one], r, k, p))
        if not after:
            last[p] = max(last[p], start + latency[one])
    assert flow.last.tolist() == [last[p] for p in range(len(time))]
    assert flow.packets.tolist() == passed
    assert int(flow.copies.sum()) == sum(
        sum(int((parent[ptr[g] : ptr[g + 1]] == k).sum()) == 0 for k in range(ptr[g + 1] - ptr[g])) for g in tree
    )


# BookSim 2, 8 x 8 mesh, 8 virtual channels of 8 flits, one-flit packets, uniform traffic: load in flits per node and
# cycle, mean latency in cycles (mean of three seeds).
BOOKSIM = [(0.01, 27.01), (0.05, 27.10), (0.1, 27.28), (0.15, 27.48), (0.2, 27.85), (0.25, 28.38)]


@pytest.mark.parametrize(("load", "cycles"), BOOKSIM)
def test_an_8_x_8_mesh_agrees_with_booksim_to_three_per_cent(load: float, cycles: float) -> None:
    ptr, link, parent, service, latency = mesh_paths(8)
    rng = np.random.default_rng(1)
    time, source = np.nonzero(rng.random((6000, 64)) < load)
    tree = source * 64 + rng.integers(0, 64, len(source))
    flow = simulate(forest(ptr, link, parent, service, latency), tree, time.astype(float))
    assert flow.mean_latency == pytest.approx(cycles, rel=0.03)


def small_network() -> tuple[Routes, npt.NDArray[np.float64]]:
    spread = random_fanout(400, 120, 8)
    routing = route_network(spread, random_placement(120, MACHINE), MACHINE)
    return routing.routes, routing.keys.weight


MACHINE = spinnaker2(3)


@pytest.mark.parametrize("payload", [0, 32, 64, 128])
def test_a_lonely_packet_takes_the_time_of_its_path(payload: int) -> None:
    routes, _ = small_network()
    times = timing(MACHINE, payload)
    for g in range(0, routes.n_groups, 17):
        flow = send_packets(routes, MACHINE, np.array([g]), np.zeros(1), payload)
        ptr, link, parent = link_steps(routes, MACHINE, np.array([g]))
        at = np.zeros(len(link))
        for k in range(len(link)):
            at[k] = times.latency[link[k]] + (at[parent[k]] if parent[k] >= 0 else 0.0)
        # Copies to two tiles leave the router one after the other, so paths that share links may wait a little.
        assert at.max() <= flow.last[0] <= at.max() + 40 * times.service.max()
        assert flow.packets.sum() == ptr[-1]


def test_times_of_one_hop_are_those_of_the_machine() -> None:
    times, kinds = timing(MACHINE), MACHINE.link_class
    noc = kinds == LINK_CLASSES.index("NoC")
    assert times.latency[noc] == pytest.approx(5 / 300e6)
    assert times.service[noc] == pytest.approx(1 / 300e6)
    board = kinds == LINK_CLASSES.index("board link")
    assert times.service[board] == pytest.approx(16e-9)
    assert timing(MACHINE, 32).service[board] == pytest.approx(16e-9), "32 bits of payload fit the 96-bit packet"
    assert timing(MACHINE, 128).service[board] == pytest.approx(32e-9)
    assert times.service[kinds == LINK_CLASSES.index("event router")] == pytest.approx(1 / 1.2e9)


def test_analytic_and_event_model_agree_at_low_load() -> None:
    routes, weight = small_network()
    rate = weight / weight.sum() * 8e7
    report = link_report(routes, MACHINE, rate)
    assert report.utilisation.max() < 0.6
    rng = np.random.default_rng(0)
    n = 40_000
    group = rng.choice(routes.n_groups, n, p=rate / rate.sum())
    flow = send_packets(routes, MACHINE, group, np.cumsum(rng.exponential(1 / 8e7, n)))
    sent = n / 8e7
    assert flow.packets / sent == pytest.approx(report.load, abs=0.05 * report.load.max())
    mean = np.average(report.latency[group], weights=flow.copies)
    assert flow.mean_latency == pytest.approx(mean, rel=0.1)


def test_the_report_names_the_busiest_links() -> None:
    routes, weight = small_network()
    report = link_report(routes, MACHINE, weight * 1e5)
    spots = report.hot_spots(MACHINE, 3)
    assert len(spots) == 3
    assert spots[0][2] == pytest.approx(report.utilisation.max())
    assert spots[0][0].startswith("chip ")
    over = link_report(routes, MACHINE, weight * 1e9)
    assert np.isinf(over.wait[over.utilisation >= 1]).all()
    assert (over.utilisation >= 1).any()


NOTHING = forest(np.array([0, 0]), np.zeros(0, np.int32), np.zeros(0, np.int32), np.ones(1), np.ones(1))


def test_packets_need_somewhere_to_go() -> None:
    with pytest.raises(MappingError, match="no destination"):
        simulate(NOTHING, np.zeros(1, np.int64), np.zeros(1))


def test_nothing_sent_is_nothing_received() -> None:
    routes, _ = small_network()
    flow = send_packets(routes, MACHINE, np.zeros(0, np.int64), np.zeros(0))
    assert flow.makespan == 0
    assert np.isnan(flow.mean_latency)
    assert flow.packets.sum() == 0


def test_links_need_a_latency_to_lead_on() -> None:
    with pytest.raises(MappingError, match="latency above 0"):
        forest(*chain(2), np.ones(2), np.zeros(2))


def test_a_replayed_step_is_its_packets_sent_into_an_empty_machine() -> None:
    spread = random_fanout(400, 120, 8)
    routing = route_network(spread, random_placement(120, MACHINE), MACHINE)
    rng = np.random.default_rng(2)
    step = np.sort(rng.integers(0, 5, 600))
    step[step == 3] = 4  # a step without events
    neuron = rng.integers(0, 400, 600)
    interval = 50e-9
    steps = replay(routing.keys, routing.routes, MACHINE, step, neuron, interval=interval)
    assert steps.step.tolist() == [0, 1, 2, 4]
    for k, t in enumerate(steps.step.tolist()):
        group = routing.keys.group[neuron[step == t]].astype(np.int64)
        group = group[group >= 0]
        assert steps.packets[k] == len(group)
        # Every PE sends one packet each interval, in the order of its events.
        seen: dict[int, int] = {}
        time = []
        for part in routing.keys.source[group].tolist():
            time.append(seen.get(part, 0) * interval)
            seen[part] = seen.get(part, 0) + 1
        flow = send_packets(routing.routes, MACHINE, group, np.array(time))
        assert steps.makespan[k] == flow.makespan
        assert steps.mean_latency[k] == pytest.approx(flow.mean_latency)
        assert steps.peak[k] == flow.peak.max()
        assert flow.peak[steps.peak_link[k]] == flow.peak.max()
    assert steps.link_packets.sum() == sum(
        int(np.diff(link_steps(routing.routes, MACHINE, np.array([g]))[0])[0])
        for g in routing.keys.group[neuron]
        if g >= 0
    )


def test_a_replay_without_events_has_no_steps() -> None:
    spread = random_fanout(400, 120, 8)
    routing = route_network(spread, random_placement(120, MACHINE), MACHINE)
    none = np.zeros(0, np.int64)
    steps = replay(routing.keys, routing.routes, MACHINE, none, none, interval=1e-8)
    assert len(steps.step) == len(steps.makespan) == 0
    assert steps.link_packets.sum() == 0
