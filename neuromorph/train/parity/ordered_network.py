"""A lowered network's events and states in PyTorch, bit for bit those of the engines.

Every sum is taken in the engines' order (:mod:`.sums`) and every operation rounded as they round it (:mod:`.exact`),
so that nothing is left in which the two could differ. Populations that depend on one another advance step by step;
what reaches them from populations that are through already is added for all steps at once where it comes first in a
sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.train.parity.exact import DTYPES, ExactPopulation
from neuromorph.train.parity.sums import Term, terms

WINDOW_BYTES = 1 << 26
"""Longer sequences are cut into windows whose events and sums take about as much."""


@dataclass(frozen=True)
class Carried:
    """Where an evaluation stands, to go on from.

    Attributes
    ----------
    clock : int
        Steps of input that are done.
    states : dict of str to tuple of Tensor (batch, n)
        By population, in the order of its program.
    fired, values : dict of str to Tensor (rows, batch, n)
        Events that may still arrive, the last ones last.
    """

    clock: int
    states: Mapping[str, Sequence[Tensor]]
    fired: Mapping[str, Tensor]
    values: Mapping[str, Tensor]


@dataclass(frozen=True)
class Sequences:
    """What happened; all (steps, batch, n), by population.

    Attributes
    ----------
    fired : dict of str to Tensor of bool
    values : dict of str to Tensor
        Of events, 0 where there is none.
    seen : dict of (population, name) to Tensor
        States after the step and named intermediates, as far as the network records them.
    """

    fired: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    seen: Mapping[tuple[str, str], Tensor]


class OrderedNetwork:
    """A lowered network, evaluated in the engines' order.

    Parameters
    ----------
    lowered : LoweredNetwork
    lags : mapping of str to int
        Steps that each population is behind the sources, whose lag is 0: row t of what it gives is what the engines
        have in step ``t + lag``. A population's lag exceeds that of one that sends to it by the delay at most.
    """

    def __init__(self, lowered: LoweredNetwork, lags: Mapping[str, int]) -> None:
        self.lowered = lowered
        self.kind = DTYPES[lowered.dtype]
        self.lags = [lags[p.name] for p in lowered.populations]
        self.programs = [None if p.program is None else ExactPopulation(p, lowered.seed) for p in lowered.populations]
        self.terms = terms(lowered)
        self._rows = [0] * len(lowered.populations)  # of events to keep
        for (post, _), several in self.terms.items():
            for term in several:
                self._rows[term.pre] = max(self._rows[term.pre], self.distance(term, post))
        self._components = _components(self)

    def distance(self, term: Term, post: int) -> int:
        """Rows from an event to its arrival."""
        return term.delay + self.lags[term.pre] - self.lags[post]

    def run(
        self, x: Mapping[str, Tensor], steps: int, batch: int, carried: Carried | None = None
    ) -> tuple[Sequences, Carried]:
        """Evaluate a sequence.

        Parameters
        ----------
        x : mapping of str to Tensor (steps, batch, n)
            Events of every source on the CPU; 0 where there is none.
        steps, batch : int
        carried : Carried, optional
            Where to go on; default: the initial states, and nothing that happened before.
        """
        parts = []
        with torch.no_grad():
            if carried is None:
                carried = self._start(batch)
            for first in range(0, max(steps, 1), self._most_rows(batch)):
                window = slice(first, min(steps, first + self._most_rows(batch)))
                part, carried = self._run(
                    {name: events[window] for name, events in x.items()}, carried, window.stop - first
                )
                parts.append(part)
        return _joined(parts), carried

    def _most_rows(self, batch: int) -> int:
        width = sum(p.size * (2 + len(p.program.ports if p.program else ())) for p in self.lowered.populations)
        return max(1, WINDOW_BYTES // (batch * width * self.kind.itemsize))

    def _start(self, batch: int) -> Carried:
        """Where populations with a lag are when the first input comes."""
        ahead, populations = max(self.lags), self.lowered.populations
        shapes = {p.name: (rows, batch, p.size) for p, rows in zip(populations, self._rows, strict=True)}
        carried = Carried(
            -ahead,
            self.initial(batch),
            {name: torch.zeros(shape, dtype=torch.bool) for name, shape in shapes.items()},
            {name: torch.zeros(shape, dtype=self.kind) for name, shape in shapes.items()},
        )
        silence = {p.name: torch.zeros((ahead, batch, p.size), dtype=self.kind) for p in populations}
        return self._run(silence, carried, ahead)[1] if ahead else carried

    def initial(self, batch: int) -> dict[str, tuple[Tensor, ...]]:
        """States before the first step of every population that has a program."""
        programs = (program for program in self.programs if program is not None)
        return {program.lowered.name: tuple(program.initial(batch)) for program in programs}

    def _run(self, x: Mapping[str, Tensor], carried: Carried, steps: int) -> tuple[Sequences, Carried]:
        """A window that is worked on as a whole."""
        events = []
        for p in self.lowered.populations:
            before = carried.values[p.name]
            now = x[p.name].to(self.kind) if p.program is None else before.new_zeros((steps, *before.shape[1:]))
            fired = torch.cat([carried.fired[p.name], now != 0])
            events.append(_Events(len(before), fired, torch.cat([before, now])))
        states: dict[str, Sequence[Tensor]] = {}
        seen: dict[tuple[str, str], Tensor] = {}
        for members in self._components:
            running = [_Running(self, k, set(members), events, carried, steps) for k in members if self.programs[k]]
            for row in range(steps):
                for population in running:
                    population.advance(row)
            for population in running:
                states[population.name] = population.states
                seen |= population.seen
        names = [p.name for p in self.lowered.populations]
        pairs = list(zip(names, events, strict=True))
        after = Carried(
            carried.clock + steps,
            states,
            {name: e.fired[len(e.fired) - e.before :].clone() for name, e in pairs},
            {name: e.values[len(e.values) - e.before :].clone() for name, e in pairs},
        )
        done = Sequences(
            {name: e.fired[e.before :] for name, e in pairs}, {name: e.values[e.before :] for name, e in pairs}, seen
        )
        return done, after


@dataclass(frozen=True)
class _Events:
    """Events of a population: ``before`` rows of earlier windows, then those of this one."""

    before: int
    fired: Tensor
    values: Tensor


class _Running:
    """A population in a window: its sums, and its states as they are now."""

    def __init__(
        self,
        network: OrderedNetwork,
        index: int,
        together: set[int],
        events: Sequence[_Events],
        carried: Carried,
        steps: int,
    ) -> None:
        program = network.programs[index]
        assert program is not None
        assert program.lowered.program is not None
        self._program, self._events = program, events[index]
        self.name = program.lowered.name
        self.states = carried.states[self.name]
        self._step = carried.clock + network.lags[index]
        batch, size = self._events.fired.shape[1:]
        self._row = np.zeros(1, np.int64)
        self._sums: list[Tensor] = []
        self._add: list[Callable[[], None]] = []
        for port, slot in enumerate(program.lowered.program.ports):
            kind = torch.int64 if slot.type is Type.INT else network.kind
            self._sums.append(torch.zeros((steps, batch, size), dtype=kind))
            several = network.terms.get((index, port), ())
            at_once = next((k for k, term in enumerate(several) if term.pre in together), len(several))
            for k, term in enumerate(several):
                source = events[term.pre]
                add = term.adder(
                    self._row,
                    source.before - network.distance(term, index),
                    steps if k < at_once else 1,
                    source.fired.numpy(),
                    source.values.numpy(),
                    self._sums[-1].numpy(),
                )
                if k < at_once:
                    add()
                else:
                    self._add.append(add)
        self.seen = {
            (self.name, name): torch.zeros((steps, batch, size), dtype=kind) for name, kind in program.recorded()
        }

    def advance(self, row: int) -> None:
        """Do the step that gives a row of the window."""
        step = self._step + row
        if step < 0:
            return
        self._row[0] = row
        for add in self._add:
            add()
        done = self._program.advance(self.states, [sums[row] for sums in self._sums], step)
        self.states = done.states
        if done.fired is not None:
            at = self._events.before + row
            self._events.fired[at] = done.fired
            self._events.values[at] = done.fired if done.value is None else torch.where(done.fired, done.value, 0.0)
        for (_, name), rows in self.seen.items():
            rows[row] = done.named[name]


def _components(network: OrderedNetwork) -> list[list[int]]:
    """Populations in an order in which each comes after all that send to it, or together with them."""
    from networkx import DiGraph, condensation, topological_sort

    graph = DiGraph()
    graph.add_nodes_from(range(len(network.programs)))
    at_once = graph.copy()  # what arrives in the row in which it was sent
    for (post, _), several in network.terms.items():
        for term in several:
            graph.add_edge(term.pre, post)
            if network.distance(term, post) == 0:
                at_once.add_edge(term.pre, post)
    rank = {k: place for place, k in enumerate(topological_sort(at_once))}
    condensed = condensation(graph)
    return [sorted(condensed.nodes[k]["members"], key=rank.__getitem__) for k in topological_sort(condensed)]


def _joined(parts: Sequence[Sequences]) -> Sequences:
    """Windows one after the other."""
    if len(parts) == 1:
        return parts[0]
    fired, values, seen = ([getattr(part, name) for part in parts] for name in ("fired", "values", "seen"))
    return Sequences(
        *({name: torch.cat([part[name] for part in each]) for name in each[0]} for each in (fired, values, seen))
    )
