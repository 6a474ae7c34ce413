"""What was lifted from a Nengo model, as a network whose steps are parts of Nengo's.

An event needs one step to arrive; in Nengo, a decoded value acts in the step after the spikes, and what a node gives
acts at once. So one step of Nengo is a *cycle* of several steps of the network. For each stage of cells, in turn, what
the host gives is sent, and the cells make their step; then the relays make theirs, and send. Whoever is not in turn
keeps its states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import getmembers
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sparse
from nengo.builder.signal import Signal
from nengo.params import Parameter

from neuromorph.interchange.nengo.arrivals import PLAIN, Entry, arrivals, entered
from neuromorph.interchange.nengo.factoring import FULL
from neuromorph.interchange.nengo.filters import Inputs
from neuromorph.interchange.nengo.kernels import Kernel
from neuromorph.interchange.nengo.lift import Cells, Lifted, Relay
from neuromorph.interchange.nengo.neurons import UPDATES, event_unit
from neuromorph.interchange.nengo.transforms import Shared
from neuromorph.language import Event, Expr, Neuron, Param, State, make_neuron, step, trunc_div, where
from neuromorph.network import Dense, Live, Network, Population, PortRef, Sparse


@dataclass(frozen=True, eq=False)
class Place:
    """Where a signal of Nengo is in the network.

    Attributes
    ----------
    signal : Signal
    population : str
    part : slice
        Of its neurons.
    state : str or None
        None: what they send.
    unit : float
        Nengo's number for a 1 of the network.
    """

    signal: Signal
    population: str
    part: slice
    state: str | None = None
    unit: float = 1.0


@dataclass(frozen=True, eq=False)
class Circuit:
    """A network and where Nengo's signals are in it.

    Attributes
    ----------
    network : Network
    given : tuple of tuple of Place
        By stage: what the host gives.
    wanted : tuple of tuple of Place
        By stage: outputs and states of cells that the host reads.
    values : tuple of Place
        Values of relays that the host reads.
    apart : bool
        Whether relays have a step of their own at the end of a cycle.
    """

    network: Network
    given: tuple[tuple[Place, ...], ...]
    wanted: tuple[tuple[Place, ...], ...]
    values: tuple[Place, ...]
    apart: bool


def circuit(lifted: Lifted, dt: float) -> Circuit:
    """The network of what was lifted.

    Parameters
    ----------
    lifted : Lifted
    dt : float
        Length of Nengo's step in seconds; of the network's, too, as far as equations go.
    """
    return _Building(lifted, dt).circuit()


class _Building:
    def __init__(self, lifted: Lifted, dt: float) -> None:
        self._lifted = lifted
        self._dt = dt
        self._net = Network(0, "Nengo")
        self._relaying = 2 * lifted.stages if lifted.apart else 0
        self._period = 2 * lifted.stages + lifted.apart
        self._places: dict[Signal, Place] = {}
        self._populations: dict[str, Population] = {}
        self._ports: dict[str, Mapping[Entry, str]] = {}
        self._arriving = {c.output: arrivals(c) for c in lifted.cells}

    def circuit(self) -> Circuit:
        lifted = self._lifted
        given = tuple(self._live(stage, signals) for stage, signals in enumerate(lifted.given))
        states: list[list[Place]] = [[] for _ in lifted.given]
        for stage in range(lifted.stages):
            for group in _groups([c for c in lifted.cells if c.stage == stage], self._kind):
                states[stage] += self._cells(stage, group)
        for relays in _groups(lifted.relays, lambda relay: relay.filter):
            self._relays(relays)
        self._connect(given)
        outputs = [[self._places[c.output] for c in lifted.cells if c.stage == k] for k in range(lifted.stages)]
        wanted = tuple(
            tuple(place for place in (*outputs[k], *states[k]) if place.signal in lifted.wanted)
            for k in range(lifted.stages)
        )
        values = tuple(self._places[r.value] for r in lifted.relays if r.value in lifted.wanted)
        return Circuit(self._net, given, wanted, values, lifted.apart)

    def _live(self, stage: int, signals: Sequence[Signal]) -> tuple[Place, ...]:
        """A source of what the host gives to a stage."""
        name = f"given {stage}"
        parts = _parts(signal.size for signal in signals)
        if parts:
            self._populations[name] = self._net.population(Live(parts[-1].stop, graded=True), name=name, record=False)
        return tuple(Place(signal, name, part) for signal, part in zip(signals, parts, strict=True))

    def _cells(self, stage: int, group: Sequence[Cells]) -> list[Place]:
        """One population of ensembles whose neurons are alike; where their states are."""
        kind = group[0].operator.neurons
        name = self._name(type(kind).__name__)
        inputs, ports, gains = entered(self._entries(group[0]))
        bias = Param(0.0)
        initial = {
            key: np.concatenate([np.asarray(c.operator.state[key].initial_value, np.float64) for c in group])
            for key in group[0].operator.state
        }
        update = UPDATES[type(kind).__name__]
        symbols, values = update(kind, initial, inputs.arriving + bias, inputs.present + bias)
        neuron = self._in_turn(name, {"bias": bias, **inputs.symbols, **symbols}, 2 * stage + 1)
        constant = np.concatenate([c.current.constant for c in group])
        factors = {n: np.concatenate([self._arriving[c.output][1][e] for c in group]) for e, n in gains.items()}
        parts = _parts(c.size for c in group)
        self._add(neuron(bias=constant, **factors, **values), parts[-1].stop, name)
        self._ports[name] = ports
        unit = event_unit(kind, self._dt)
        places = []
        for c, part in zip(group, parts, strict=True):
            self._places[c.output] = Place(c.output, name, part, None, unit)
            places += [Place(signal, name, part, key) for key, signal in c.operator.state.items()]
        return places

    def _relays(self, group: Sequence[Relay]) -> None:
        """One population of values behind the same filter."""
        inputs = Inputs([group[0].filter], {}, None)
        name = self._name(group[0].filter.name)
        value = State(0.0)
        value.next = inputs.arriving
        symbols = {**inputs.symbols, "value": value, "sent": Event(when=value != 0.0, value=value)}
        parts = _parts(relay.size for relay in group)
        self._add(self._in_turn(name, symbols, self._relaying)(), parts[-1].stop, name)
        for relay, part in zip(group, parts, strict=True):
            self._places[relay.value] = Place(relay.value, name, part, "value")

    def _in_turn(self, name: str, symbols: Mapping[str, Any], turn: int) -> Neuron:
        """A neuron that makes its step once in a cycle."""
        now: Expr = step - trunc_div(step, self._period) * self._period == turn
        for symbol in symbols.values():
            if isinstance(symbol, State) and symbol.rules.keys() - {"next", "reset"}:
                raise NotImplementedError(f"{name}: a state advances by {', '.join(symbol.rules)}; there is .next only")
            if isinstance(symbol, State) and "next" in symbol.rules:
                symbol.rules["next"] = where(now, symbol.rules["next"], symbol)
            elif isinstance(symbol, Event):
                symbol.when = now & symbol.when
        return make_neuron(name, symbols, doc="From Nengo, in turn.")

    def _connect(self, given: Sequence[Sequence[Place]]) -> None:
        """Projections of all matrices, those between the same populations joined."""
        joined: dict[tuple[str, PortRef, int], list[Any]] = defaultdict(list)
        stages = {c.output: c.stage for c in self._lifted.cells}
        for c in self._lifted.cells:
            target, turn = self._places[c.output], 2 * c.stage + 1
            sources = {place.signal: place for place in given[c.stage]}
            for arrival in self._arriving[c.output][0]:
                place = sources.get(arrival.source) or self._places[arrival.source]
                if arrival.straight:
                    delay = self._period + turn - (2 * stages[arrival.source] + 1)
                elif arrival.source in sources:
                    delay = 1
                else:
                    delay = turn - self._relaying + self._period * self._lifted.apart
                port = self._populations[target.population].port(self._ports[target.population][arrival.entry])
                joined[place.population, port, delay].append((arrival.matrix * place.unit, place, target))
        for relay in self._lifted.relays:
            target = self._places[relay.value]
            for signal, matrix in relay.input.terms.items():
                place = self._places[signal]
                delay = 2 * self._lifted.stages - 2 * stages[signal] - 1
                even = matrix.even() if isinstance(matrix, Kernel) else matrix
                synapses = (matrix.matrix() if even is None else even) * place.unit
                port = self._populations[target.population].port(relay.filter.name)
                joined[place.population, port, delay].append((synapses, place, target))
        for (pre, port, delay), entries in joined.items():
            source = self._populations[pre]
            for number, rule in enumerate(_rules(entries, (source.size, port.population.size))):
                name = f"{pre} -> {port}, {delay}" + (f", kernel {number}" if number else "")
                self._net.project(source, port, rule, delay=delay, name=name)

    def _kind(self, cells: Cells) -> tuple[Any, ...]:
        """What neurons have in common that can be one population: all but where they start."""
        kind = cells.operator.neurons
        names = [name for name, member in getmembers(type(kind)) if isinstance(member, Parameter)]
        own = ((name, getattr(kind, name)) for name in names if name != "initial_state")
        return type(kind), self._entries(cells), *own

    def _entries(self, cells: Cells) -> tuple[Entry, ...]:
        """The ways by which something arrives, in the order of their filters."""
        found = {arrival.entry for arrival in self._arriving[cells.output][0]} - {PLAIN}
        return tuple(sorted(found, key=lambda entry: (entry.filter.name, repr(entry))))

    def _add(self, neuron: Neuron, size: int, name: str) -> None:
        self._populations[name] = self._net.population(neuron, size, name, record=False)

    def _name(self, wanted: str) -> str:
        count = sum(name.rsplit(" ", 1)[0] == wanted for name in self._populations)
        return f"{wanted} {count}"


def _groups(items: Iterable[Any], key: Any) -> list[list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return list(found.values())


def _parts(sizes: Iterable[int]) -> list[slice]:
    """Consecutive slices of these sizes."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice(first, last) for first, last in pairwise(ends)]


def _rules(entries: Sequence[tuple[Any, Place, Place]], shape: tuple[int, int]) -> Iterator[Dense | Sparse | Shared]:
    """Between two populations: all matrices (size of the target, size of the source) as one, and each kernel."""
    matrices = [entry for entry in entries if not isinstance(entry[0], Shared)]
    if matrices:
        yield _joined(matrices, shape)
    for synapses, source, target in entries:
        if isinstance(synapses, Shared):
            yield synapses.within((shape[1], shape[0]), target.part.start, source.part.start)


def _joined(entries: Sequence[tuple[Any, Place, Place]], shape: tuple[int, int]) -> Dense | Sparse:
    """All matrices as one rule."""
    matrix, source, target = entries[0]
    if len(entries) == 1 and (source.part, target.part) == (slice(0, shape[0]), slice(0, shape[1])):
        joined = matrix.T.tocsr()
    else:
        parts = [(m.tocoo(), source.part.start, target.part.start) for m, source, target in entries]
        pre = np.concatenate([m.col + first for m, first, _ in parts])
        post = np.concatenate([m.row + first for m, _, first in parts])
        joined = sparse.coo_array((np.concatenate([m.data for m, _, _ in parts]), (pre, post)), shape).tocsr()
        joined.sum_duplicates()
    joined.eliminate_zeros()
    if joined.nnz > FULL * shape[0] * shape[1]:
        return Dense(joined.toarray())
    return Sparse(joined)
