"""SONATA's files, written: nodes, edges with their indices, type tables, spikes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.sonata.attributes import Ints

if TYPE_CHECKING:
    import h5py

Array = npt.NDArray[Any]

MAGIC, VERSION = np.uint32(0x0A7A), np.array([0, 1], np.uint32)
"""What SONATA files have at their root."""


def write_types(path: Path, key: str, rows: Mapping[int, Mapping[str, Any]]) -> None:
    """A type table: rows by id, cells that a row lacks as NULL."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter=" ", lineterminator="\n")
        table.writerow([key, *names])
        table.writerows([number, *(row.get(name, "NULL") for name in names)] for number, row in rows.items())


def write_nodes(path: Path, population: str, types: Ints, columns: Mapping[str, Array]) -> None:
    """One population of nodes: the type of each, and what single nodes have of their own."""
    size = len(types)
    with _sonata_file(path) as file:
        group = file.create_group(f"nodes/{population}")
        group["node_id"] = np.arange(size, dtype=np.uint64)
        group["node_type_id"] = types.astype(np.uint32)
        group["node_group_id"] = np.zeros(size, np.uint16)
        group["node_group_index"] = np.arange(size, dtype=np.uint64)
        _write_group(group, columns)


def write_edges(
    path: Path,
    name: str,
    ends: tuple[str, str],
    sources: Ints,
    targets: Ints,
    sizes: tuple[int, int],
    type_id: int,
    columns: Mapping[str, Array],
) -> None:
    """One population of edges of one type, sorted by target, with both indices.

    Parameters
    ----------
    path : Path
    name : str
    ends : (str, str)
        Populations of source and target.
    sources, targets : int array (edges,)
        In the order of the sources; edges of one pair stay in their order.
    sizes : (int, int)
        Nodes of these populations.
    type_id : int
    columns : mapping of str to array (edges,)
    """
    order = np.argsort(targets, kind="stable")
    sources, targets = sources[order], targets[order]
    n = len(order)
    with _sonata_file(path) as file:
        group = file.create_group(f"edges/{name}")
        for side, population, ids in zip(("source", "target"), ends, (sources, targets), strict=True):
            dataset = group.create_dataset(f"{side}_node_id", data=ids.astype(np.uint64))
            dataset.attrs["node_population"] = population
        group["edge_type_id"] = np.full(n, type_id, np.uint32)
        group["edge_group_id"] = np.zeros(n, np.uint16)
        group["edge_group_index"] = np.arange(n, dtype=np.uint64)
        _write_group(group, {label: column[order] for label, column in columns.items()})
        _write_index(group, "source_to_target", sources, sizes[0])
        _write_index(group, "target_to_source", targets, sizes[1])


def write_spikes(path: Path, spikes: Mapping[str, tuple[npt.NDArray[np.float64], Ints]]) -> None:
    """Spikes of populations, times in ms and nodes; sorted by time as they are written."""
    import h5py

    kind = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype=np.uint8)
    with _sonata_file(path) as file:
        for population, (times, nodes) in spikes.items():
            order = np.lexsort((nodes, times))
            group = file.create_group(f"spikes/{population}")
            group.attrs.create("sorting", 2, dtype=kind)
            group.create_dataset("timestamps", data=times[order]).attrs["units"] = "ms"
            group["node_ids"] = nodes[order].astype(np.uint64)


def _sonata_file(path: Path) -> h5py.File:
    import h5py

    file = h5py.File(path, "w")
    file.attrs["magic"] = MAGIC
    file.attrs["version"] = VERSION
    return file


def _write_group(group: h5py.Group, columns: Mapping[str, Array]) -> None:
    """Group 0, which readers expect even if there is nothing in it."""
    inner = group.create_group("0")
    for label, column in columns.items():
        inner[label] = column


def _write_index(group: h5py.Group, name: str, ids: Ints, size: int) -> None:
    """Which edges each node has: rows of ranges of edges, and for each node its rows.

    libsonata and the Brain Modeling Toolkit call the latter differently by one letter, so it has both names.
    """
    order = np.argsort(ids, kind="stable")
    starts = np.ones(len(ids), bool)
    starts[1:] = (np.diff(ids[order]) != 0) | (np.diff(order) != 1)
    first = np.flatnonzero(starts)
    begin = order[first]
    length = np.diff(np.append(first, len(ids)))
    bounds = np.searchsorted(ids[order][first], np.arange(size + 1))
    index = group.create_group(f"indices/{name}")
    index["range_to_edge_id"] = np.stack([begin, begin + length], axis=1).astype(np.uint64).reshape(-1, 2)
    index["node_id_to_range"] = np.stack([bounds[:-1], bounds[1:]], axis=1).astype(np.uint64)
    index["node_id_to_ranges"] = index["node_id_to_range"]
