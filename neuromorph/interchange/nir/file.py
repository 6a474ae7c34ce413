"""NIR graphs as plain data: read from a file or a graph in memory, nested graphs flattened.

The file is read with h5py alone: the ``nir`` package refuses files that its earlier versions wrote, and those are out
there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np

from neuromorph.errors import NetworkError

#: Where a graph's metadata say how it is to be read.
OPTIONS = "neuromorph"

#: Elements that a signal may have.
MOST_ELEMENTS = 2**28


@dataclass(frozen=True)
class Node:
    """One node: its type as NIR names it, and its values as the file has them (arrays, numbers, strings)."""

    name: str
    type: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return f"node {self.name} ({self.type})"

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """A value as an array; NetworkError if the node lacks it."""
        if self.values.get(name) is None:
            there = [key for key, value in self.values.items() if value is not None]
            raise NetworkError(f"{self} has no {name}; it has {', '.join(there) or 'nothing'}")
        try:
            return np.asarray(self.values[name])
        except (TypeError, ValueError, RuntimeError) as error:  # a tensor with a gradient, rows of different lengths
            raise NetworkError(f"{self}: {name} is no array: {error}") from None

    def numbers(self, name: str) -> np.ndarray[Any, Any]:
        """A value as finite real numbers: float32 if it is so given, else float64.

        Raises
        ------
        NetworkError
            If the node lacks it, or it is something else.
        """
        given = self.array(name)
        if given.dtype.kind not in "biuf":
            raise NetworkError(f"{self}: {name} is {str(given)[:40]!r}, expected numbers")
        if not np.isfinite(given).all():
            raise NetworkError(f"{self}: {name} is not finite")
        return given if given.dtype in (np.float32, np.float64) else given.astype(np.float64)

    def lengths(self, name: str) -> tuple[int, ...]:
        """A value as a shape; NetworkError if it is none."""
        given = np.atleast_1d(self.array(name))
        whole = given.ndim == 1 and given.dtype.kind in "iuf" and bool((given == np.rint(given)).all())
        if not whole or not given.size or not (given >= 1).all() or np.prod(given, dtype=float) > 2**31:
            raise NetworkError(
                f"{self}: {name} is {str(given)[:60]}, expected lengths of axes, whole numbers from 1 on"
            )
        return tuple(int(n) for n in given)


@dataclass(frozen=True)
class Graph:
    """Nodes by name and edges between them, without nesting.

    The nodes of a nested graph ``g`` are named ``g.node``; its inputs and outputs have the type ``Identity``.

    Attributes
    ----------
    nodes : dict of str to Node
    edges : tuple of (str, str)
    options : dict of str to value
        What :func:`neuromorph.to_nir` left in the graph's metadata: how it is to be read.
    """

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _sources(self) -> dict[str, list[str]]:
        sources: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in self.edges:
            sources[b].append(a)
        return sources

    def before(self, name: str) -> list[str]:
        """Nodes with an edge to ``name``."""
        return self._sources[name]

    @cached_property
    def looped(self) -> frozenset[str]:
        """Nodes that reach themselves."""
        import networkx

        graph = networkx.DiGraph(self.edges)
        groups = [group for group in networkx.strongly_connected_components(graph) if len(group) > 1]
        return frozenset().union(*groups) | {a for a, b in self.edges if a == b}


@dataclass
class _Flat:
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_graph(source: str | PathLike[str] | Any) -> tuple[Graph, list[str]]:
    """Read a graph; problems are returned, to be told together with those found later.

    Parameters
    ----------
    source : path or nir.NIRGraph

    Raises
    ------
    NetworkError
        If there is no such file or it is no NIR graph.
    """
    raw = source.to_dict() if hasattr(source, "to_dict") else _read_file(source)
    if not _is_graph(raw):
        raise NetworkError(f"{source}: holds no NIR graph; expected a group 'node' with 'nodes' and 'edges'")
    flat = _Flat()
    _flatten("", raw, flat)
    metadata = raw.get("metadata")
    options = metadata.get(OPTIONS, {}) if isinstance(metadata, Mapping) else {}
    return Graph(flat.nodes, tuple(dict.fromkeys(flat.edges)), options), flat.problems


def _read_file(source: Any) -> Any:
    import h5py

    try:
        path = fspath(source)
    except TypeError:
        raise NetworkError(f"from_nir: expected a path or a nir.NIRGraph, got {source!r:.80}") from None
    try:
        with h5py.File(path) as file:
            return _plain(file["node"]) if "node" in file else None
    except FileNotFoundError:
        raise NetworkError(f"{path}: no such file") from None
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise NetworkError(f"{path}: not a NIR file, which is HDF5, or not a whole one: {error}") from error


def _is_graph(raw: Any) -> bool:
    """Whether this has nodes, each with its values, and edges, which are pairs."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("nodes"), Mapping) or "edges" not in raw:
        return False
    edges = np.asarray(raw["edges"], dtype=object)
    pairs = (edges.ndim == 2 and edges.shape[1] == 2) or not edges.size
    return pairs and all(isinstance(node, Mapping) for node in raw["nodes"].values())


def _plain(item: Any) -> Any:
    if hasattr(item, "items"):
        return {name: _plain(inner) for name, inner in item.items()}
    if item is None:
        raise ValueError("it links to something that it has not")
    value = item[()]
    return value.decode() if isinstance(value, bytes) else value


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _flatten(prefix: str, raw: Mapping[str, Any], flat: _Flat) -> None:
    """Add a graph whose nodes are called ``prefix + name``."""
    nodes = {str(name): node for name, node in raw["nodes"].items()}
    edges = [(_text(a), _text(b)) for a, b in raw["edges"]]
    known = set(nodes) | {
        f"{name}.{inner}" for name, node in nodes.items() for inner in (node["nodes"] if _is_graph(node) else ())
    }
    edges = _repaired(prefix, edges, known, nodes)
    for name, node in nodes.items():
        kind = " ".join(_text(node.get("type")).split())[:60]
        if kind == "NIRGraph" and _is_graph(node):
            _flatten(f"{prefix}{name}.", node, flat)
        else:
            if prefix and kind in ("Input", "Output"):
                kind = "Identity"
            values = {key: value for key, value in node.items() if key not in ("type", "metadata")}
            flat.nodes[prefix + name] = Node(prefix + name, kind, values)
    for a, b in edges:
        missing = [name for name in (a, b) if name not in known]
        flat.problems += [f"edge {prefix}{a} -> {prefix}{b}: there is no node {prefix}{name}" for name in missing]
        if not missing:
            ends = _end(prefix, a, nodes, "Output", flat), _end(prefix, b, nodes, "Input", flat)
            if ends[0] and ends[1]:
                flat.edges.append((ends[0], ends[1]))


def _end(prefix: str, name: str, nodes: Mapping[str, Any], side: str, flat: _Flat) -> str | None:
    """Where an edge really ends: for a nested graph, at its one input or output."""
    node = nodes.get(name)
    if node is None or _text(node.get("type")) != "NIRGraph":
        return prefix + name
    inner = [key for key, value in node.get("nodes", {}).items() if _text(value.get("type")) == side]
    if len(inner) != 1:
        flat.problems.append(
            f"node {prefix}{name} (NIRGraph) has {len(inner)} {side} nodes: an edge to it needs exactly one, or must "
            f"name a node in it, as in {prefix}{name}.{side.lower()}"
        )
        return None
    return f"{prefix}{name}.{inner[0]}"


def _repaired(
    prefix: str, edges: list[tuple[str, str]], known: set[str], nodes: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Edges of a graph with one name that no node has, and one node that no edge has: the two are the same.

    Published files have this, with the neuron ``lif1`` of a nested graph called ``lif`` in its edges.
    """
    named = {name for edge in edges for name in edge}
    unknown = sorted(named - known)
    lonely = sorted(name for name in nodes if not any(n == name or n.startswith(f"{name}.") for n in named))
    if len(unknown) != 1 or len(lonely) != 1:
        return edges
    warnings.warn(
        f"NIR graph {prefix.rstrip('.') or 'of the file'}: its edges name {unknown[0]!r}, which it has not, and none "
        f"names its node {lonely[0]!r}; taken to be the same",
        stacklevel=6,
    )
    swap = {unknown[0]: lonely[0]}
    return [(swap.get(a, a), swap.get(b, b)) for a, b in edges]
