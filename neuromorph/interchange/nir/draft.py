"""A network as nodes and edges of a NIR graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.cells import Cell
from neuromorph.interchange.nir.equations import without_bias
from neuromorph.interchange.nir.layers import Chain, Clock, Layer, chains, windowed_shapes, with_bias
from neuromorph.interchange.nir.linear import Shape
from neuromorph.interchange.nir.neurons import TIMES
from neuromorph.interchange.nir.options import Options
from neuromorph.interchange.nir.schedule import schedule
from neuromorph.network import Network, Population, Projection
from neuromorph.network.rules import OneToOne

#: Projections onto a population as chains of nodes, and the current that they reach; empty: the membrane.
Incoming: TypeAlias = "list[tuple[Projection, list[Chain], str]]"


def draw(
    network: Network, cells: Mapping[str, Cell], options: Options, outputs: Sequence[str], problems: list[str]
) -> Draft:
    """The graph of a network.

    Parameters
    ----------
    network : Network
    cells : dict of str to Cell
        By population.
    options : Options
    outputs : sequence of str
        Populations.
    problems : list of str
        What NIR cannot say is added; the graph is then not whole.
    """
    inputs = [name for name, found in cells.items() if found.kind == "Input"]
    ends = {(j.pre.name, j.post.name): 0 for j in network.projections}
    return _Writer(network, dict(cells), options, problems, schedule(cells, inputs, ends).late).graph(outputs)


@dataclass
class Draft:
    """Nodes and edges as they are made.

    Attributes
    ----------
    nodes : dict of str to Layer
        Neurons, inputs and outputs among them.
    edges : list of (str, str)
    """

    nodes: dict[str, Layer] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, node: Layer) -> str:
        """Add a node; its name, which is another if this one is taken."""
        plain = name.replace("/", "_")  # which parts paths in HDF5
        chosen, number = plain, 1
        while chosen in self.nodes:
            number += 1
            chosen = f"{plain}_{number}"
        self.nodes[chosen] = node
        return chosen


@dataclass
class _Writer:
    """What is known while a graph is made.

    Attributes
    ----------
    late : set of (str, str)
        Connections of populations that close a loop.
    exits : dict of str to str
        By population: the node from which its projections come.
    """

    network: Network
    cells: dict[str, Cell]
    options: Options
    problems: list[str]
    late: frozenset[tuple[str, str]]
    made: Draft = field(default_factory=Draft)
    exits: dict[str, str] = field(default_factory=dict)

    def graph(self, outputs: Sequence[str]) -> Draft:
        """The whole graph."""
        shapes = {p.name: self._shape(p) for p in self.network.populations}
        incoming = {p.name: self._incoming(p, shapes) for p in self.network.populations}
        if self.problems:
            return self.made
        ends = {name: f"output_{name}" if len(outputs) > 1 else "output" for name in outputs}
        for population in self.network.populations:
            name = population.name
            if not self._passes(name, incoming[name], ends):
                self.exits[name] = self.made.add(name, self._node(name, shapes[name], name in ends))
        for name, node in list(self.exits.items()):
            ways = {"": node} | {
                current: self.made.add(f"{name}_{current}", self._layer(found, shapes[name]))
                for current, found in self.cells[name].currents.items()
                if any(reached == current for *_, reached in incoming[name])
            }
            self.made.edges += [(way, node) for way in ways.values() if way != node]
            for projection, chosen, reached in incoming[name]:
                for chain in chosen:
                    self._chain(projection, chain, ways[reached], incoming)
        for name, end in ends.items():
            if self.made.nodes[self._exit(name, incoming)].type != "Output":
                last = self.made.add(end, Layer("Output", {"shape": np.array(shapes[name])}))
                self.made.edges.append((self._exit(name, incoming), last))
        return self.made

    def _passes(self, name: str, incoming: Incoming, ends: Mapping[str, str]) -> bool:
        """Whether a population needs no node: it only hands on what one chain of maps brings."""
        if not self._relays(name) or name in ends or len(incoming) != 1:
            return False
        ((projection, found, _),) = incoming
        return len(found) == 1 and bool(found[0]) and (projection.pre.name, name) not in self.late

    def _node(self, name: str, shape: Shape, output: bool) -> Layer:
        found = self.cells[name]
        if found.kind == "Input":
            return Layer("Input", {"shape": np.array(shape)})
        if found.kind == "Sum":
            if output and not self._relays(name):
                return Layer("Output", {"shape": np.array(shape)})
            return Layer("Scale", {"scale": np.ones(shape)})
        return self._layer(found, shape)

    def _layer(self, found: Cell, shape: Shape) -> Layer:
        unit = self.options.time_unit
        values = {}
        for key, value in found.values.items():
            if key in TIMES:
                value = value / unit
            elif key == "r" and found.kind in ("I", "IF"):
                value = value * unit
            values[key] = value.reshape(shape)
        return Layer(found.kind, values)

    def _chain(self, projection: Projection, chain: Chain, node: str | None, incoming: Mapping[str, Incoming]) -> str:
        """One chain, from its source to ``node``; None: its last node, which is told, stands for the target."""
        before = self._exit(projection.pre.name, incoming)
        if not chain and (before, node) in self.made.edges:  # a graph has each edge once
            chain = (Layer("Scale", {"scale": np.ones(projection.pre.size)}),)
        names = _layer_names(projection.name, chain)
        if node is None:
            names[-1] = projection.post.name
        for layer, name in zip(chain, names, strict=True):
            after = self.made.add(name, layer)
            self.made.edges.append((before, after))
            before = after
        if node is not None:
            self.made.edges.append((before, node))
        return before

    def _exit(self, name: str, incoming: Mapping[str, Incoming]) -> str:
        """The node from which a population's projections come."""
        if name not in self.exits:
            ((projection, (chain,), _),) = incoming[name]
            self.exits[name] = self._chain(projection, chain, None, incoming)
        return self.exits[name]

    # --- what lies between ----------------------------------------------------------------------------------------
    def _shape(self, population: Population) -> Shape:
        """The shape that a population's node has: an image where convolutions and pooling see it, else as it is."""
        into = [j for j in self.network.projections if j.post is population]
        onward = [j for j in self.network.projections if j.pre is population]
        made = [shapes[1] for j in into if (shapes := windowed_shapes(j)) is not None]
        seen = [shapes[0] for j in onward if (shapes := windowed_shapes(j)) is not None]
        if self.cells[population.name].kind == "Sum" and onward and not seen:
            return (population.size,)
        if made or seen:
            return (made or seen)[0]
        matrices = any(not isinstance(j.rule, OneToOne) for j in into)
        return (population.size,) if matrices else population.shape

    def _incoming(self, population: Population, shapes: Mapping[str, Shape]) -> Incoming:
        """A population's projections as chains of nodes, one of which brings its bias."""
        name, found = population.name, self.cells[population.name]
        parts: Incoming = []
        for projection in self.network.projections:
            if projection.post is not population:
                continue
            pre = projection.pre.name
            ways = {"": found, **found.currents}
            gains = {way: cell.gains[projection.port] for way, cell in ways.items() if projection.port in cell.gains}
            gains = gains or {"": np.zeros(())}  # a port without effect
            for way, gain in gains.items():
                try:
                    clock = self._clock(projection, way)
                    made = chains(projection, gain, shapes[pre], shapes[name], clock, self.network.seed)
                except NetworkError as error:
                    self.problems.append(f"projection {projection.name}: {error}")
                    made = []
                parts.append((projection, made, way))
        if not np.any(found.bias):
            return parts
        direct = [k for k, (*_, way) in enumerate(parts) if not way]
        for k in sorted(direct, key=lambda k: (parts[k][0].pre.name, name) in self.late):
            changed = with_bias(parts[k][1], found.bias)
            if changed is not None:
                return [*parts[:k], (parts[k][0], changed, ""), *parts[k + 1 :]]
        try:
            self.cells[name] = without_bias(found)
        except NetworkError as error:
            self.problems.append(f"population {name}: {error}")
        return parts

    def _clock(self, projection: Projection, way: str) -> Clock:
        pre, post = projection.pre.name, projection.post.name
        sooner = int((way, projection.port) in self.cells[post].later)
        dt, unit = self.options.dt, self.options.time_unit
        if self.options.forward == "next":
            # What is linear takes a step as a population and none as a node: both its steps are told. A current takes
            # none as a state and one as a node.
            relayed = self._relays(pre) or self._relays(post)
            return Clock(bool(way) - sooner, not relayed, dt, unit, least=int(bool(way)))
        # Readers agree that a population's own events arrive in the next step; longer loops are told with a delay.
        undelayed = self.cells[post].start - self.cells[pre].start - sooner
        return Clock(undelayed, pre == post and not way, dt, unit)

    def _relays(self, name: str) -> bool:
        """Whether a population is linear and sends to another."""
        return self.cells[name].kind == "Sum" and any(j.pre.name == name for j in self.network.projections)


def _layer_names(projection: str, chain: Chain) -> list[str]:
    """Names of the nodes of a chain: the projection's, or its parts where it was made of as many nodes."""
    base = projection.replace(" -> ", "_to_")
    parts = base.split("+")
    if len(parts) != sum(layer.carries for layer in chain):
        parts = [base] * len(chain)
    left = iter(parts)
    names = [next(left) if layer.carries else f"{base}_{layer.type.lower()}" for layer in chain]
    return names if any(layer.carries for layer in chain) else [base, *names[1:]][: len(chain)]
