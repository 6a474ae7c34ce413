"""A whole sequence through a network: component after component, each in its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.network.network import Network
from neuromorph.train.component import Given, Loop, Member, Product, Result, run
from neuromorph.train.layout import Group, Layout
from neuromorph.train.noise import NoiseSource
from neuromorph.train.outputs import Outputs
from neuromorph.train.parameters import PopulationValues
from neuromorph.train.plan import Plan
from neuromorph.train.sources import SourceRows
from neuromorph.train.state import State
from neuromorph.train.step import PopulationStep
from neuromorph.train.weights import ProjectionWeights


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
        self.done = 0 if state is None else state.step
        self.x = {
            p.name: values.given(x[p.name], device)
            for p, values in zip(parts.network.populations, parts.values, strict=True)
            if p.name in x and isinstance(values, SourceRows)
        }
        self.steps, self.batch = self._size(steps, batch)
        self.rows: dict[int, tuple[int, Tensor]] = {}  # what each population sends: (step of the engine, rows)
        self.results: dict[int, tuple[Result, int]] = {}  # of each population, and its place in its component
        self.first: dict[int, int] = {}
        self.cells: dict[str, tuple[Tensor, ...]] = {}
        self.initial: dict[str, tuple[Tensor, ...]] = {}
        self.kept_reach = parts.reach

    def _size(self, steps: int | None, batch: int | None) -> tuple[int, int]:
        shapes = {(t.shape[0], t.shape[1]) for t in self.x.values()}
        if len(shapes) > 1:
            named = ", ".join(f"{name} {tuple(t.shape[:2])}" for name, t in self.x.items())
            raise NetworkError(f"train.Module: inputs differ in (steps, batch): {named}; give equal ones")
        if not shapes and steps is None:
            raise NetworkError("train.Module: nothing is given; give x, or steps= for sources that replay")
        found = shapes.pop() if shapes else (steps or 0, (1 if self.state is None else self.state.batch))
        for name, wanted, got in (("steps", steps, found[0]), ("batch", batch, found[1])):
            if wanted is not None and shapes and wanted != got:
                raise NetworkError(f"train.Module: {name}={wanted}, but x has {got}; leave {name}= out")
        if not self.x and batch is not None:
            found = (found[0], batch)
        if self.state is not None and self.state.batch != found[1]:
            raise NetworkError(
                f"train.Module: the state is of a batch of {self.state.batch}, x of {found[1]}; start from state=None, "
                "or take some of its samples with state.select(...)"
            )
        return found

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
        parts, lags = self.parts, self.parts.plan.lags
        lag = lags[layout.members[0]]
        first = lag + self.done
        if self.state is None and not self._rests(layout, lag):
            first = 0
        last = lag + self.done + self.steps
        members, states, params, history = [], [], [], []
        noise = []
        for p in layout.members:
            step, values, name = parts.steps[p], parts.values[p], parts.network.populations[p].name
            assert step is not None
            assert isinstance(values, PopulationValues)
            size = parts.network.populations[p].size
            own = [layout.ports[p, k] for k in range(len(step.program.ports))]
            offsets = tuple((*own[port], offset) for port, offset in step.stepped.offsets.items())
            members.append(Member(step, size, tuple(own), offsets))
            self.initial[name] = tuple(values.initial(self.batch))
            states.append(list(self.initial[name] if self.state is None else self.state.cells[name]))
            params.append(values.slots(self.device))
            rows = self.kept_reach[1][p]
            history.append(
                torch.zeros((rows, self.batch, size), dtype=parts.dtype, device=self.device)
                if self.state is None
                else self.state.emitted[name]
            )
            begin = parts.network.populations[p].first_id
            noise.append(
                NoiseSource(self.seed, self.batch, begin, size, step.words, last, self.device) if step.random else None
            )
        floats, whole = self._inputs(layout.inputs, first, last), self._inputs(layout.whole_inputs, first, last)
        additions = [
            parts.weights[j].convolved(self._between(pre, first - delay, last - delay))
            for j, pre, delay, _, _ in layout.convolutions
        ]
        loop = Loop(
            tuple(members),
            layout.width,
            layout.whole_width,
            tuple(Product(k, g.start, g.stop) for k, g in enumerate(layout.inputs)),
            tuple(Product(layout.members.index(g.pre), g.start, g.stop, g.delay) for g in layout.lines),
            tuple(Product(k, g.start, g.stop) for k, g in enumerate(layout.whole_inputs)),
            tuple(Product(layout.members.index(g.pre), g.start, g.stop, g.delay) for g in layout.whole_lines),
            tuple((start, stop) for *_, start, stop in layout.convolutions),
            first,
            last - first,
            self.batch,
            tuple(parts.outputs.fired(parts.network.populations[p].name) for p in layout.members),
            tuple(self._recorded(p) for p in layout.members),
            tuple(noise),
            parts.dtype,
            self.device,
        )
        given = Given(
            [*floats, *whole],
            additions,
            [self._matrix(g) for g in (*layout.inputs, *layout.whole_inputs)],
            [self._matrix(g) for g in (*layout.lines, *layout.whole_lines)],
            history,
            params,
            states,
        )
        result = run(loop, given)
        for k, p in enumerate(layout.members):
            self.results[p] = result, k
            self.first[p] = first
            self.rows[p] = first, self._transformed(p, result.events[k])
            self.cells[parts.network.populations[p].name] = tuple(result.states[k])

    def _rests(self, layout: Layout, lag: int) -> bool:
        """Whether nothing can happen in a component before its first input."""
        for j in self.parts.plan.links:
            if j.post in layout.members and not j.inside and self.rows[j.pre][0] + j.delay < lag:
                return False
        gradient = torch.is_grad_enabled()
        for p in layout.members:
            step = self.parts.steps[p]
            assert step is not None
            indicator = self.parts.outputs.fired(step.name)
            if not all(step.at(t, gradient, indicator)[0].resting for t in range(lag)):
                return False
        return True

    def _inputs(self, groups: Sequence[Group], first: int, last: int) -> list[Tensor]:
        return [self._between(g.pre, first - g.delay, last - g.delay) for g in groups]

    def _matrix(self, group: Group) -> Tensor:
        """Weights of a product, port beside port."""
        blocks = []
        for projections in group.ports:
            block = self.parts.weights[projections[0]].matrix(group.delay)
            for other in projections[1:]:
                block = block + self.parts.weights[other].matrix(group.delay)
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks, 1)

    def _recorded(self, index: int) -> tuple[int, ...]:
        step = self.parts.steps[index]
        assert step is not None
        names = [slot.name for slot in step.program.states]
        return tuple(names.index(name) for name in self.parts.outputs.states(step.name))

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
            sent[name] = self._last(
                rows, self.kept_reach[0][index], None if self.state is None else self.state.sent[name]
            )
            if index in self.results:
                result, place = self.results[index]
                before = None if self.state is None else self.state.emitted[name]
                emitted[name] = self._last(result.events[place], self.kept_reach[1][index], before)
        return State(self.done + self.steps, self.cells, self.initial, emitted, sent)

    def _last(self, rows: Tensor, count: int, before: Tensor | None) -> Tensor:
        """The last rows of a sequence, with those before it where it is shorter."""
        missing = count - len(rows)
        if missing <= 0:
            return rows[len(rows) - count :]
        old = rows.new_zeros((missing, *rows.shape[1:])) if before is None else before[len(before) - missing :]
        return torch.cat([old, rows])
