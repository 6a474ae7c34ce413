"""Mt-KaHyPar as a partitioner, where the user has installed it (extra ``quality``)."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .metis import part_share
from .refine import refine

Int32 = npt.NDArray[np.int32]

SCALE = 100_000  # integer vertex weight of a vertex that fills a part
SLACK = 1.03  # parts beyond the bound, so that a balanced partition exists
_initializer: Any = None  # the library may be initialised once in a process, with its number of threads


def mtkahypar(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Mt-KaHyPar's DETERMINISTIC preset, then exact repair and refinement.

    Raises
    ------
    MappingError
        If Mt-KaHyPar is not installed.
    """
    level = as_level(graph)
    return refine(level, limits, raw(level, limits, seed))


def raw(
    graph: Hypergraph | Level,
    limits: Limits,
    seed: int = 0,
    preset: str = "DETERMINISTIC",
    reference: Int32 | None = None,
) -> Int32:
    """Partition by Mt-KaHyPar on one thread; balanced by a scalar estimate, so bytes may exceed the limit.

    A vertex weighs the larger of its share of the neurons and of the bytes that a part has left after the row table
    and groups, whose mean is taken from a ``reference`` partition (by default a sequential filling).

    Raises
    ------
    MappingError
        If Mt-KaHyPar is not installed.
    """
    level = as_level(graph)
    mtk, library = _library()
    weight = np.maximum(np.ceil(part_share(level, limits, reference) * SCALE), 1).astype(np.int64)
    k = max(2, int(np.ceil(weight.sum() * SLACK / SCALE)))
    if level.graph.n_vertices <= k:
        return np.arange(level.graph.n_vertices, dtype=np.int32)
    mtk.set_seed(seed)
    context = library.context_from_preset(getattr(mtk.PresetType, preset))
    context.set_partitioning_parameters(k, k * SCALE / float(weight.sum()) - 1.0, mtk.Objective.KM1)
    context.logging = False
    path = _write_hmetis(level, weight)
    try:
        hypergraph = library.hypergraph_from_file(path, context, mtk.FileFormat.HMETIS)
    finally:
        os.remove(path)
    found = np.asarray(hypergraph.partition(context).get_partition(), dtype=np.int32)
    used = np.unique(found)
    return np.searchsorted(used, found).astype(np.int32)


def _library() -> tuple[Any, Any]:
    global _initializer
    try:
        import mtkahypar
    except ImportError as error:
        raise MappingError(
            "partition method 'mtkahypar' needs Mt-KaHyPar, which is not installed: pip install 'neuromorph[quality]'"
        ) from error
    if _initializer is None:
        _initializer = mtkahypar.initialize(1)
    return mtkahypar, _initializer


def _write_hmetis(level: Level, weight: npt.NDArray[np.int64]) -> str:
    """Nets with at least two distinct vertices (source and pins), integer rates, to a temporary hMETIS file."""
    g = level.graph
    lines: list[str] = []
    rate = level.weight
    unit = float(rate[rate > 0].min()) / 16 if (rate > 0).any() else 1.0
    if (rate > 0).any():
        unit = max(unit, float(rate.max()) / 30_000)
    for e in np.flatnonzero(rate > 0):
        pins = g.net_pins[g.net_ptr[e] : g.net_ptr[e + 1]]
        source = int(g.net_source[e])
        members = pins if (pins == source).any() else np.append(pins, source)
        if len(members) > 1:
            lines.append(f"{max(1, round(rate[e] / unit))} " + " ".join(map(str, (members + 1).tolist())))
    handle, path = tempfile.mkstemp(suffix=".hgr")
    with os.fdopen(handle, "w") as file:
        file.write(f"{len(lines)} {g.n_vertices} 11\n")
        for line in lines:
            file.write(line + "\n")
        file.write("\n".join(map(str, weight.tolist())) + "\n")
    return path
