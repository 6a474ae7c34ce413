"""The network as a pipeline: which populations form loops, and how many steps behind the input each one is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork


def loops(lowered: LoweredNetwork) -> npt.NDArray[np.int64]:
    """A number for each population that those share from which each other is reached, int64 (populations,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(lowered.populations)
    further = [(p.follows.population, p.index) for p in lowered.populations if p.follows is not None]
    ends = np.array([*((s.pre, s.post) for s in lowered.projections), *further], np.int64).reshape(-1, 2)
    joined = coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(joined.tocsr(), directed=True, connection="strong")[1], np.int64)


def recurrent(lowered: LoweredNetwork) -> npt.NDArray[np.bool_]:
    """Whether each projection lies in a loop of populations, bool (projections,)."""
    member = loops(lowered)
    return np.array([member[s.pre] == member[s.post] for s in lowered.projections], bool)


def lags(lowered: LoweredNetwork) -> npt.NDArray[np.int64]:
    """Fewest steps after which an event of a source of events acts on each population, int64 (populations,).

    0 for sources, and for what no source reaches.
    """
    unknown = np.iinfo(np.int64).max
    lag = np.array([0 if p.replay is not None else unknown for p in lowered.populations], np.int64)
    shortest = [int(s.delays.min()) if s.count else unknown for s in lowered.projections]
    for _ in lowered.populations:
        for s, delay in zip(lowered.projections, shortest, strict=True):
            if unknown not in (lag[s.pre], delay):
                lag[s.post] = min(lag[s.post], lag[s.pre] + delay)
        for p in lowered.populations:
            if p.follows is not None:
                lag[p.index] = lag[p.follows.population]
    lag[lag == unknown] = 0
    return lag
