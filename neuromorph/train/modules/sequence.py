"""A whole sequence through a network: component after component, each in its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.network.network import Network
from neuromorph.train.modules.component import run
from neuromorph.train.modules.kept import KeptMatrices
from neuromorph.train.modules.layout import Group, Layout
from neuromorph.train.modules.loop import Given, Loop, Member, Product, Result
from neuromorph.train.modules.noise import NoiseSource
from neuromorph.train.modules.outputs import Outputs
from neuromorph.train.modules.parameters import PopulationValues
from neuromorph.train.modules.plan import Plan
from neuromorph.train.modules.sources import SourceRows
from neuromorph.train.modules.state import State
from neuromorph.train.modules.step import PopulationStep
from neuromorph.train.modules.weights import ProjectionWeights


@dataclass(frozen=True)
class Parts:
    """What a module is made of; lists are by index of population or projection."""

    network: Network
    plan: Plan
    layouts: tuple[Layout | None, ...]  # of each component; None: a source
    steps: Sequence[PopulationStep | None]
    values: Sequence[PopulationValues | SourceRows]
    weights: Sequence[ProjectionWeights]
    after: Mapping[int, nn.Module]
    outputs: Outputs
    dtype: torch.dtype
    kept: KeptMatrices

    @property
    def reach(self) -> tuple[list[int], list[int]]:
        """For each population, how many of its last rows others and its own component still need after a call."""
        sent, emitted = [0] * len(self.values), [0] * len(self.values)
        lags = self.plan.lags
        for j in self.plan.links:
            if j.inside:
                emitted[j.pre] = max(emitted[j.pre], j.delay)
            else:
                sent[j.pre] = max(sent[j.pre], lags[j.pre] + j.delay - lags[j.post])
        return sent, emitted


class Call:
    """One call of a module.

    Parameters
    ----------
    parts : Parts
    x : mapping of str to Tensor
    state : State or None
    steps, batch : int or None
    seed : int
    device : torch.device
    """

    def __init__(
        self,
        parts: Parts,
        x: Mapping[str, Tensor],
        state: State | None,
        steps: int | None,
        batch: int | None,
        seed: int,
        device: torch.device,
    ) -> None:
        self.parts, self.state, self.device, self.seed = parts, state, device, seed
        if state is not None:
            self._check_state(state)
        self.done = 0 if state is None else state.step
        self.x = {
            p.name: values.given(x[p.name], device)
            for p, values in zip(parts.network.populations, parts.values, strict=True)
            if p.name in x and isinstance(values, SourceRows)
        }
        self.steps, self.batch = self._size(steps, batch)
        self.rows: dict[int, tuple[int, Tensor]] = {}  # what each population sends: (step of the engine, rows)
        self.results: dict[int, tuple[Result, int]] = {}  # of each population, and its place in its component
        self.cells: dict[str, tuple[Tensor, ...]] = {}
        self.initial: dict[str, tuple[Tensor, ...]] = {}
        self.reach = parts.reach

    def _size(self, steps: int | None, batch: int | None) -> tuple[int, int]:
        for name, wanted, least in (("steps", steps, 0), ("batch", batch, 1)):
            if wanted is not None and (not isinstance(wanted, int) or wanted < least):
                raise NetworkError(f"train.Module: {name}={wanted!r}; give an int of at least {least}")
        shapes = {(t.shape[0], t.shape[1]) for t in self.x.values()}
        if len(shapes) > 1:
            named = ", ".join(f"{name} {tuple(t.shape[:2])}" for name, t in self.x.items())
            raise NetworkError(f"train.Module: inputs differ in (steps, batch): {named}; give equal ones")
        if not shapes:
            if steps is None:
                raise NetworkError("train.Module: nothing is given; give x, or steps= for sources that replay")
            shapes = {(steps, batch or (1 if self.state is None else self.state.batch))}
        found = shapes.pop()
        for name, wanted, got in (("steps", steps, found[0]), ("batch", batch, found[1])):
            if wanted is not None and wanted != got:
                raise NetworkError(f"train.Module: {name}={wanted}, but x has {got}; leave {name}= out")
        if found[1] == 0:
            raise NetworkError("train.Module: x has a batch of 0 samples; give at least one")
        if self.state is not None and self.state.batch != found[1]:
            raise NetworkError(
                f"train.Module: the state is of a batch of {self.state.batch}, x of {found[1]}; start from state=None, "
                "or take some of its samples with state.select(...)"
            )
        return found

    def _check_state(self, state: State) -> None:
        """Raise a NetworkError unless the state is one of this network."""
        if not isinstance(state, State):
            raise NetworkError(f"train.Module: state is {type(state).__name__}; give what a call returned, or None")
        sizes = {p.name: p.size for p in self.parts.network.populations}
        theirs = {name: rows.shape[-1] for name, rows in state.sent.items()}
        if theirs != sizes:
            raise NetworkError(
                f"train.Module: the state is of a network with {_listed(theirs)}; this one has {_listed(sizes)}"
            )

    def run(self) -> tuple[dict[str, Tensor], State]:
        """Run every component."""
        for members, layout in zip(self.parts.plan.components, self.parts.layouts, strict=True):
            if layout is None:
                self._source(members[0])
            else:
                self._component(layout)
        outputs = {o.name: self._output(o.population, o.what, o.is_state) for o in self.parts.outputs.each}
        return outputs, self._state()

    def _source(self, index: int) -> None:
        values = self.parts.values[index]
        assert isinstance(values, SourceRows)
        self.rows[index] = self.done, self._transformed(index, self.events(values))

    def events(self, source: SourceRows) -> Tensor:
        """What a source emits: what is given for it, else its own events."""
        given = self.x.get(source.name)
        return source.replayed(self.done, self.steps, self.batch, self.device) if given is None else given

    def _transformed(self, index: int, rows: Tensor) -> Tensor:
        transform = self.parts.after.get(index)
        return rows if transform is None else transform(rows)

    def _between(self, index: int, first: int, last: int) -> Tensor:
        """What a population sends in the steps ``first`` to ``last`` of the engine."""
        start, rows = self.rows[index]
        if first >= start:
            return rows[first - start : last - start]
        missing = min(start, last) - first
        if self.state is None:
            before = rows.new_zeros((missing, *rows.shape[1:]))
        else:
            history = self.state.sent[self.parts.network.populations[index].name]
            from_end = start - first
            before = history[len(history) - from_end : len(history) - from_end + missing]
        return torch.cat([before, rows[: max(last - start, 0)]])

    def _component(self, layout: Layout) -> None:
        parts, names = self.parts, [self.parts.network.populations[p].name for p in layout.members]
        lag = parts.plan.lags[layout.members[0]]
        first, last = lag + self.done, lag + self.done + self.steps
        params = [self._own(p)[1].slots(self.device) for p in layout.members]
        lines = [self._matrix(g) for g in (*layout.lines, *layout.whole_lines)]
        if self.state is None and not self._rests(layout, lag, params, lines):
            first = 0
        initial = self._initial(layout, self.batch)
        if self.state is None:
            states, history = initial, self._no_events(layout, self.batch)
        else:
            states = [list(self.state.cells[name]) for name in names]
            history = [self.state.emitted[name] for name in names]
        given = Given(
            [self._between(g.pre, first - g.delay, last - g.delay) for g in (*layout.inputs, *layout.whole_inputs)],
            [
                parts.weights[j].convolved(self._between(pre, first - delay, last - delay))
                for j, pre, delay, _, _ in layout.convolutions
            ],
            [self._matrix(g) for g in (*layout.inputs, *layout.whole_inputs)],
            lines,
            history,
            params,
            states,
        )
        result = run(self._loop(layout, first, last - first, self.batch), given)
        for k, (p, name) in enumerate(zip(layout.members, names, strict=True)):
            self.results[p] = result, k
            self.rows[p] = first, self._transformed(p, result.events[k])
            self.cells[name], self.initial[name] = tuple(result.states[k]), tuple(initial[k])

    def _own(self, index: int) -> tuple[PopulationStep, PopulationValues]:
        step, values = self.parts.steps[index], self.parts.values[index]
        assert step is not None
        assert isinstance(values, PopulationValues)
        return step, values

    def _initial(self, layout: Layout, batch: int) -> list[list[Tensor]]:
        return [self._own(p)[1].initial(batch) for p in layout.members]

    def _no_events(self, layout: Layout, batch: int) -> list[Tensor]:
        """Events before the first step."""
        sizes = [self.parts.network.populations[p].size for p in layout.members]
        reach = [self.reach[1][p] for p in layout.members]
        return [
            torch.zeros((rows, batch, size), dtype=self.parts.dtype, device=self.device)
            for rows, size in zip(reach, sizes, strict=True)
        ]

    def _loop(self, layout: Layout, first: int, steps: int, batch: int, *, alone: bool = False) -> Loop:
        """A component over some steps of the engine; ``alone``: without what comes from outside."""
        parts = self.parts
        members, noise, indicators, recorded = [], [], [], []
        for p in layout.members:
            (step, _), population = self._own(p), parts.network.populations[p]
            places = tuple(layout.ports[p, k] for k in range(len(step.program.ports)))
            offsets = tuple((*places[port], offset) for port, offset in step.stepped.offsets.items())
            members.append(Member(step, population.size, places, offsets))
            ids = population.first_id, population.size
            last = first + steps
            noise.append(NoiseSource(self.seed, batch, *ids, step.words, last, self.device) if step.random else None)
            indicators.append(parts.outputs.fired(step.name))
            slots = [slot.name for slot in step.program.states]
            recorded.append(tuple(slots.index(name) for name in parts.outputs.states(step.name)))

        def inside(groups: Sequence[Group]) -> tuple[Product, ...]:
            return tuple(Product(layout.members.index(g.pre), g.start, g.stop, g.delay) for g in groups)

        def outside(groups: Sequence[Group]) -> tuple[Product, ...]:
            return () if alone else tuple(Product(k, g.start, g.stop) for k, g in enumerate(groups))

        return Loop(
            tuple(members),
            layout.width,
            layout.whole_width,
            outside(layout.inputs),
            inside(layout.lines),
            outside(layout.whole_inputs),
            inside(layout.whole_lines),
            () if alone else tuple((start, stop) for *_, start, stop in layout.convolutions),
            first,
            steps,
            batch,
            tuple(indicators),
            tuple(recorded),
            tuple(noise),
            parts.dtype,
            self.device,
        )

    def _rests(self, layout: Layout, lag: int, params: list[list[Tensor]], lines: list[Tensor]) -> bool:
        """Whether nothing happens in a component before its first input, so that its steps up to then need not be done.

        Where the programs do not say so, the steps are tried on one sample.
        """
        for j in self.parts.plan.links:
            if j.post in layout.members and not j.inside and self.rows[j.pre][0] + j.delay < lag:
                return False
        steps = [self._own(p)[0] for p in layout.members]
        if all(step.at(t, False, False)[0].resting for step in steps for t in range(lag)):
            return True
        if any(step.random for step in steps):
            return False
        if self.device.type == "meta":  # no values to try
            return True
        with torch.no_grad():
            before = self._initial(layout, 1)
            given = Given([], [], [], lines, self._no_events(layout, 1), params, before)
            after = run(self._loop(layout, 0, lag, 1, alone=True), given)
        pairs = [pair for a, b in zip(before, after.states, strict=True) for pair in zip(a, b, strict=True)]
        return all(torch.equal(a, b) for a, b in pairs) and not any(bool(events.any()) for events in after.events)

    def _matrix(self, group: Group) -> Tensor:
        """Weights of a product, port beside port."""
        weights = [self.parts.weights[j] for projections in group.ports for j in projections]
        if all(each.dense for each in weights):
            return self._made(group)
        return self.parts.kept.get(group, [each.weight for each in weights], lambda: self._made(group))

    def _made(self, group: Group) -> Tensor:
        blocks = []
        for projections in group.ports:
            block = self.parts.weights[projections[0]].matrix(group.delay)
            for other in projections[1:]:
                block = block + self.parts.weights[other].matrix(group.delay)
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks, 1)

    def _output(self, name: str, what: str, is_state: bool) -> Tensor:
        index = self.parts.network[name].index
        if what == "events" or index not in self.results:
            rows = self.rows[index][1]
            return (rows if what == "events" else (rows != 0).to(self.parts.dtype))[len(rows) - self.steps :]
        result, place = self.results[index]
        if what == "fired":
            stack = result.fired[place]
        elif is_state:
            stack = result.recorded[place][self.parts.outputs.states(name).index(what)]
        else:
            stack = result.observed[place][self.parts.outputs.observed(name).index(what)]
        assert stack is not None
        return stack[len(stack) - self.steps :]

    def _state(self) -> State:
        emitted, sent = {}, {}
        populations = self.parts.network.populations
        for index, (_, rows) in self.rows.items():
            name = populations[index].name
            sent[name] = self._last(rows, self.reach[0][index], None if self.state is None else self.state.sent[name])
            if index in self.results:
                result, place = self.results[index]
                before = None if self.state is None else self.state.emitted[name]
                emitted[name] = self._last(result.events[place], self.reach[1][index], before)
        return State(self.done + self.steps, self.cells, self.initial, emitted, sent)

    def _last(self, rows: Tensor, count: int, before: Tensor | None) -> Tensor:
        """The last rows of a sequence, with those before it where it is shorter."""
        missing = count - len(rows)
        if missing <= 0:
            return rows[len(rows) - count :]
        old = rows.new_zeros((missing, *rows.shape[1:])) if before is None else before[len(before) - missing :]
        return torch.cat([old, rows])


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in sizes.items())
