"""Times of PEs without a barrier: against a plain recursion, cycle means, and the longest path through them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.mapping.pipeline.chips import Ways
from neuromorph.mapping.pipeline.chips._kernels import longest_path, run

WAKE = 1.5


@st.composite
def systems(draw: st.DrawFn, steps: int | None = None, stages: int = 3) -> dict[str, Any]:
    """PEs that send to one another, with what each step costs them; whole numbers, so that sums are exact."""
    parts = draw(st.integers(1, 4))
    steps = steps or draw(st.integers(1, 6))
    pairs = sorted(draw(st.sets(st.tuples(st.integers(0, parts - 1), st.integers(0, parts - 1)), max_size=8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def costs(low: int, high: int) -> npt.NDArray[np.float64]:
        return rng.integers(low, high, (steps, parts)).astype(float)

    sender, receiver = np.array(pairs, np.int64).reshape(-1, 2).T
    latency = rng.integers(0, 6, len(pairs)).astype(float)
    return {
        "work": costs(2, 20),
        "others": costs(0, 4),
        "take": np.stack([costs(0, 12) * (rng.random(parts) < 0.7) for _ in range(stages)], 1),
        "network": costs(0, 25) * (rng.random((steps, parts)) < 0.2),
        "last": costs(0, 4),
        "senders": Ways.of(receiver, sender, latency, parts, rng.integers(0, stages, len(pairs))),
        "room": Ways.of(sender, receiver, latency, parts),
    }


def arguments(system: dict[str, Any], depth: int) -> tuple[Any, ...]:
    s, r = system["senders"], system["room"]
    costs = (system[name] for name in ("work", "others", "take", "network", "last"))
    return *costs, s.ptr, s.other, s.latency, s.stage, r.ptr, r.other, r.latency, depth, WAKE


def kernel(system: dict[str, Any], depth: int, pace: float = 0.0) -> tuple[npt.NDArray[np.float64], ...]:
    compiled: Any = run
    found: tuple[npt.NDArray[np.float64], ...]
    found = compiled(*arguments(system, depth), np.full(system["work"].shape[1], pace))
    return found


def plain(system: dict[str, Any], depth: int, pace: float = 0.0) -> npt.NDArray[np.float64]:
    """When each PE is done with each step, by recursion over what it waits for; (steps, parts)."""
    work, known = system["work"], {}

    def begins(k: int, p: int) -> float:
        waits = [k * pace]
        if k:
            waits += [done(k - 1, p), begins(k - 1, p) + system["network"][k - 1, p]]
        waits += [done(k - depth, q) + way for q, way in others(system["room"], p) if k >= depth]
        return max(waits)

    def arrives(k: int, q: int) -> float:
        return max(begins(k, q) + work[k, q], begins(k, q) + WAKE + system["network"][k, q])

    def taken(k: int, p: int) -> float:
        """One server of packets: those of the stages in the order in which they come."""
        come: dict[int, float] = dict.fromkeys(range(system["take"].shape[1]), 0.0)
        ways = system["senders"]
        for i in range(ways.ptr[p], ways.ptr[p + 1]):
            come[ways.stage[i]] = max(come[ways.stage[i]], begins(k, ways.other[i]) + WAKE + ways.latency[i])
        time = begins(k, p) + work[k, p] + system["others"][k, p]
        for stage in sorted(come, key=lambda stage: come[stage]):
            if system["take"][k, stage, p]:
                time = max(time, come[stage]) + system["take"][k, stage, p]
        return float(time)

    def done(k: int, p: int) -> float:
        if (k, p) not in known:
            waits = [taken(k, p)]
            waits += [arrives(k, q) + way + system["last"][k, p] for q, way in others(system["senders"], p)]
            known[k, p] = max(waits)
        return known[k, p]

    return np.array([[done(k, p) for p in range(work.shape[1])] for k in range(len(work))])


def others(ways: Ways, part: int) -> list[tuple[int, float]]:
    own = slice(ways.ptr[part], ways.ptr[part + 1])
    return list(zip(ways.other[own].tolist(), ways.latency[own].tolist(), strict=True))


@settings(max_examples=60)
@given(systems(), st.integers(1, 4), st.sampled_from([0.0, 17.0]))
def test_times_are_those_of_a_plain_recursion(system: dict[str, Any], depth: int, pace: float) -> None:
    assert np.array_equal(kernel(system, depth, pace)[2], plain(system, depth, pace))


@settings(max_examples=40)
@given(systems())
def test_more_room_never_delays_a_step(system: dict[str, Any]) -> None:
    done = [kernel(system, depth)[2] for depth in (1, 2, 3, len(system["work"]))]
    for less, more in pairwise(done):
        assert (more <= less).all()


@settings(max_examples=40)
@given(systems(), st.integers(1, 3))
def test_the_longest_path_is_all_of_the_time(system: dict[str, Any], depth: int) -> None:
    times = kernel(system, depth)
    compiled: Any = longest_path
    spent = compiled(*arguments(system, depth), *times)
    assert spent.sum() == times[2][-1].max()
    assert (spent >= 0).all()


def cycle_mean(system: dict[str, Any]) -> float:
    """Largest mean time a step of any cycle of waits, without limits of room, by Karp's theorem on plain lists."""
    work, last, network = (system[name][0] for name in ("work", "last", "network"))
    take, told = system["take"][0, 0], system["others"][0]
    parts = len(work)
    weight = np.full((parts, parts), -np.inf)  # from the beginning of one's step to that of another's next one
    for p in range(parts):
        weight[p, p] = max(work[p] + told[p] + take[p], network[p])
        for q, way in others(system["senders"], p):
            come = WAKE + way + take[p] if take[p] else 0.0
            weight[q, p] = max(weight[q, p], max(work[q], WAKE + network[q]) + way + last[p], come)
    best = -np.inf
    for root in range(parts):
        far = np.full((parts + 1, parts), -np.inf)
        far[0, root] = 0.0
        for n in range(parts):
            far[n + 1] = (far[n][:, None] + weight).max(0)
        for p in range(parts):
            if np.isfinite(far[parts, p]):
                best = max(best, min((far[parts, p] - far[n, p]) / (parts - n) for n in range(parts)))
    return best


@settings(max_examples=40)
@given(systems(steps=1, stages=1))
def test_with_endless_room_the_slowest_cycle_sets_the_pace(system: dict[str, Any]) -> None:
    many = 240
    same = {name: np.repeat(system[name], many, 0) for name in ("work", "others", "take", "network", "last")}
    done = kernel(system | same, many)[2]
    period = 12  # of four PEs at most, cycles have one to four steps
    assert (done[-1] - done[-1 - period]).max() / period == pytest.approx(cycle_mean(system), rel=1e-12)
