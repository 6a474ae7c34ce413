"""Random fanouts and placements for the tests of keys, routes and tables (``from routing_cases import ...``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from neuromorph.mapping.machine import Machine, spinnaker2
from neuromorph.mapping.route import Fanout


def fanout_of(part: list[int], rows: list[list[int]], weight: npt.NDArray[np.float64], n_parts: int) -> Fanout:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    parts = np.array([p for row in rows for p in sorted(row)], np.int32)
    return Fanout(np.array(part, np.int32), ptr, parts, weight, n_parts)


def random_fanout(neurons: int, n_parts: int, reach: int, seed: int = 0) -> Fanout:
    """Neurons whose destinations are near their own part, with a few that send nothing."""
    rng = np.random.default_rng(seed)
    part = np.sort(rng.integers(0, n_parts, neurons))
    rows = [
        np.unique((p + rng.integers(-reach, reach + 1, rng.integers(0, reach + 1))) % n_parts).tolist() for p in part
    ]
    return fanout_of(part.tolist(), rows, rng.random(neurons), n_parts)


def random_placement(n_parts: int, machine: Machine, seed: int = 0) -> npt.NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    return rng.choice(machine.usable_pes, n_parts, replace=False).astype(np.int32)


@st.composite
def routed(draw: st.DrawFn, entries: int | None = None) -> tuple[Fanout, npt.NDArray[np.int32], Machine]:
    """A fanout, a placement and a machine."""
    numbers = {} if entries is None else {"router__entries": float(entries)}
    machine = spinnaker2(
        draw(st.sampled_from([1, 2, 3, 7, 48])), multicast=draw(st.sampled_from(["router", "mesh"])), **numbers
    )
    n_parts = draw(st.integers(1, 14))
    neurons = draw(st.integers(1, 30))
    part = draw(st.lists(st.integers(0, n_parts - 1), min_size=neurons, max_size=neurons))
    # Few distinct sets, so that groups are shared.
    sets = draw(st.lists(st.sets(st.integers(0, n_parts - 1)), min_size=1, max_size=6))
    rows = [sorted(sets[k]) for k in draw(st.lists(st.integers(0, len(sets) - 1), min_size=neurons, max_size=neurons))]
    seed = draw(st.integers(0, 2**20))
    weight = np.random.default_rng(seed).random(neurons)
    return fanout_of(part, rows, weight, n_parts), random_placement(n_parts, machine, seed), machine
