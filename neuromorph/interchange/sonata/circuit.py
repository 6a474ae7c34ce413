"""A SONATA circuit as data: nodes, edges, and what its configuration says of the simulation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.sonata.attributes import Attributes, Group, Ints, integers, read_attributes, read_types
from neuromorph.interchange.sonata.config import read_config
from neuromorph.units import Quantity, ms

if TYPE_CHECKING:
    import h5py


ELSEWHERE = {
    "connection_overrides": "changes of weights and delays by rules have no equivalent; write them into the edges",
    "node_set": 'a part of the circuit cannot be taken alone; switch other files off with "enabled": false',
}
"""Sections that would change what is simulated."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """One population of nodes.

    Attributes
    ----------
    name : str
    attributes : Attributes
        In the order of the node ids, which are 0 to n - 1.
    """

    name: str
    attributes: Attributes

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.attributes.size


@dataclass(frozen=True, eq=False)
class Edges:
    """One population of edges.

    Attributes
    ----------
    name : str
    source, target : str
        Populations of nodes.
    source_ids, target_ids : int64 (edges,)
    attributes : Attributes
    """

    name: str
    source: str
    target: str
    source_ids: Ints
    target_ids: Ints
    attributes: Attributes

    @property
    def size(self) -> int:
        """Number of edges."""
        return len(self.source_ids)


@dataclass(frozen=True, eq=False)
class Circuit:
    """What the files of a SONATA network and its configuration say.

    Attributes
    ----------
    name : str
    nodes : mapping of str to Nodes
    edges : mapping of str to Edges
    components, run, inputs, reports, node_sets : mapping
        The sections of the configuration; paths are absolute.
    simulator : str
        The configuration's ``target_simulator``.
    """

    name: str
    nodes: Mapping[str, Nodes]
    edges: Mapping[str, Edges]
    components: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    node_sets: Mapping[str, Any] = field(default_factory=dict)
    simulator: str = ""

    @property
    def dt(self) -> Quantity | None:
        """The step of the simulation, if the configuration has one."""
        return float(self.run["dt"]) * ms if "dt" in self.run else None

    @property
    def duration(self) -> Quantity | None:
        """How long the simulation runs, if the configuration says so."""
        stop = self.run.get("tstop", self.run.get("duration"))
        return None if stop is None else float(stop) * ms

    @property
    def counts_up(self) -> bool:
        """Whether spikes between two steps count at the second, as they do in NEST."""
        return self.simulator.upper() == "NEST"

    def folder(self, *names: str) -> Path | None:
        """The first of these components that the configuration has."""
        return next((Path(self.components[name]) for name in names if name in self.components), None)

    def __repr__(self) -> str:
        nodes = ", ".join(f"{n.name} ({n.size:,})" for n in self.nodes.values())
        edges = ", ".join(f"{e.name} ({e.size:,})" for e in self.edges.values())
        return f"<Circuit {self.name}: nodes {nodes or 'none'}; edges {edges or 'none'}>"


def read_circuit(source: str | PathLike[str] | Mapping[str, Any]) -> Circuit:
    """Read a SONATA circuit: its configuration, nodes, edges, type tables and node sets.

    Parameters
    ----------
    source : path or mapping
        A circuit or simulation configuration (.json), or its content: for files alone, ``{"networks": {"nodes":
        [{"nodes_file": ..., "node_types_file": ...}], "edges": [{"edges_file": ..., "edge_types_file": ...}]}}``.

    Raises
    ------
    NetworkError
        If a file is missing or damaged.
    CheckError
        If populations are missing or ids do not exist: everything that is wrong is listed.
    """
    config, _ = read_config(source)
    name = Path(source).parent.resolve().name if isinstance(source, str | PathLike) else "sonata"
    networks = config.get("networks")
    if not isinstance(networks, Mapping) or not networks.get("nodes"):
        raise NetworkError(f"SONATA circuit {name}: the configuration names no node files under networks/nodes")
    problems = [
        f"networks/{other}: {what}"
        for other, what in {"gap_juncs": "gap junctions have no equivalent between point neurons"}.items()
        if networks.get(other)
    ]
    problems += [f"{section}: {what}" for section, what in ELSEWHERE.items() if config.get(section)]
    nodes: dict[str, Nodes] = {}
    edges: dict[str, Edges] = {}
    for table in _enabled(networks["nodes"]):
        types = read_types(_path(table, "node_types_file"), "node_type_id")
        with _populations(table, "nodes") as groups:
            for label, group in groups.items():
                if label in nodes:
                    problems.append(f"nodes {label}: two files have this population")
                nodes[label] = _read_nodes(label, group, types)
    for table in _enabled(networks.get("edges") or ()):
        types = read_types(_path(table, "edge_types_file"), "edge_type_id")
        with _populations(table, "edges") as groups:
            for label, group in groups.items():
                if label in edges:
                    problems.append(f"edges {label}: two files have this population")
                edges[label] = _read_edges(label, group, types)
    for made in edges.values():
        problems += _ends(made, nodes)
    if problems:
        raise CheckError(f"SONATA circuit {name}", problems)
    sections = {key: config.get(key) or {} for key in ("components", "run", "inputs", "reports")}
    simulator = str(config.get("target_simulator", ""))
    return Circuit(name, nodes, edges, **sections, node_sets=_node_sets(config), simulator=simulator)


def _enabled(tables: Any) -> list[Mapping[str, Any]]:
    """Entries of a list of files, but for those that are switched off."""
    return [table for table in tables if table.get("enabled") is not False]


def _path(table: Mapping[str, Any], name: str) -> Path | None:
    given = table.get(name)
    return None if given in (None, "", "NULL") else Path(str(given))


@contextmanager
def _populations(table: Mapping[str, Any], kind: str) -> Iterator[dict[str, h5py.Group]]:
    """The populations of a file of nodes or edges."""
    import h5py

    path = _path(table, f"{kind}_file")
    if path is None:
        raise NetworkError(f"networks/{kind}: an entry has no {kind}_file; it has {', '.join(table) or 'nothing'}")
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError:
        raise NetworkError(f"{path}: no such file", path=str(path)) from None
    except OSError as error:
        raise NetworkError(f"{path}: not an HDF5 file that can be read ({error})", path=str(path)) from error
    with file:
        if not isinstance(file.get(kind), h5py.Group):
            raise NetworkError(f"{path}: no SONATA {kind} file; it has no /{kind}", path=str(path))
        yield {name: group for name, group in file[kind].items() if isinstance(group, h5py.Group)}


def _read_nodes(name: str, group: h5py.Group, types: Any) -> Nodes:
    made = read_attributes(f"nodes {name}", group, "node", types)
    if "node_id" not in group:
        return Nodes(name, made)
    ids = integers(f"nodes {name}", group, "node_id")
    if np.array_equal(ids, np.arange(made.size)):
        return Nodes(name, made)
    if len(ids) != made.size:
        raise NetworkError(f"nodes {name}: {made.size} types, but {len(ids)} in node_id", size=made.size)
    if not np.array_equal(np.sort(ids), np.arange(made.size)):
        raise NetworkError(
            f"nodes {name}: {made.size} nodes, but ids from {ids.min()} to {ids.max()}, or some twice; SONATA counts "
            f"them from 0 to {made.size - 1}",
            size=made.size,
        )
    order = np.argsort(ids)
    groups = tuple(Group(ids if g.members is None else ids[g.members], g.columns) for g in made.groups)
    return Nodes(name, replace(made, codes=made.codes[order], groups=groups))


def _read_edges(name: str, group: h5py.Group, types: Any) -> Edges:
    made = read_attributes(f"edges {name}", group, "edge", types)
    ends: dict[str, tuple[str, npt.NDArray[np.int64]]] = {}
    for side in ("source", "target"):
        dataset = group.get(f"{side}_node_id")
        if dataset is None or "node_population" not in dataset.attrs:
            missing = "dataset" if dataset is None else "attribute node_population of"
            raise NetworkError(f"edges {name}: the {missing} {side}_node_id is missing")
        found = integers(f"edges {name}", group, f"{side}_node_id")
        if len(found) != made.size:
            raise NetworkError(f"edges {name}: {made.size} types, but {len(found)} in {side}_node_id")
        population = dataset.attrs["node_population"]
        label = population.decode() if isinstance(population, bytes) else str(population)
        ends[side] = label, found
    (source, source_ids), (target, target_ids) = ends["source"], ends["target"]
    return Edges(name, source, target, source_ids, target_ids, made)


def _ends(edges: Edges, nodes: Mapping[str, Nodes]) -> list[str]:
    problems = []
    for side, population, ids in (
        ("source", edges.source, edges.source_ids),
        ("target", edges.target, edges.target_ids),
    ):
        if population not in nodes:
            problems.append(f"edges {edges.name}: {side} population {population} is in no node file; add the file")
        elif len(ids) and not (ids.min() >= 0 and ids.max() < nodes[population].size):
            problems.append(
                f"edges {edges.name}: {side} node {ids.max()}; {population} has nodes 0 to {nodes[population].size - 1}"
            )
    return problems


def _node_sets(config: Mapping[str, Any]) -> dict[str, Any]:
    sets: dict[str, Any] = {}
    if isinstance(path := config.get("node_sets_file"), str):
        try:
            sets.update(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise NetworkError(f"{path}: no node sets that can be read ({error})", path=path) from error
    if isinstance(given := config.get("node_sets"), Mapping):
        sets.update(given)
    return sets
