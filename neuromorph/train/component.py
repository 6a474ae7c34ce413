"""Populations that reach each other, over a whole sequence: forward step by step, and back through time.

One :class:`torch.autograd.Function` for the whole loop. Products with what comes from outside are done at once for all
steps, before the loop; gradients of weights are one product each, after the loop back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from neuromorph.train.noise import NoiseSource
from neuromorph.train.printer import Printed
from neuromorph.train.step import PopulationStep


@dataclass(frozen=True)
class Product:
    """``columns [start, stop) += events @ weight``.

    Attributes
    ----------
    source : int
        Of which input (products before the loop) or member (in the loop).
    start, stop : int
    delay : int
        Steps; 0 before the loop, where inputs are shifted already.
    """

    source: int
    start: int
    stop: int
    delay: int = 0


@dataclass(frozen=True)
class Member:
    """A population of a component.

    Attributes
    ----------
    step : PopulationStep
    size : int
    ports : tuple of (start, stop)
        Columns of each port, among those of floats or of ints.
    offsets : tuple of (start, stop, slot or number)
        Columns that begin at a parameter (an int) or a number (a float) instead of 0.
    """

    step: PopulationStep
    size: int
    ports: tuple[tuple[int, int], ...]
    offsets: tuple[tuple[int, int, int | float], ...]


@dataclass(frozen=True)
class Loop:
    """A component ready to run.

    Attributes
    ----------
    members : tuple of Member
    columns, whole_columns : int
        Width of the sums of float and of int ports.
    inputs, lines : tuple of Product
        From outside, and among the members.
    whole_inputs, whole_lines : tuple of Product
        The same for int ports.
    additions : tuple of (start, stop)
        Columns of sums that were made outside.
    first : int
        Step of the engine of the first row.
    steps, batch : int
    indicators : tuple of bool
        For each member: whether its condition is an output of its own.
    recorded : tuple of tuple of int
        For each member: states to give for every step.
    noise : tuple of NoiseSource or None
        For each member.
    """

    members: tuple[Member, ...]
    columns: int
    whole_columns: int
    inputs: tuple[Product, ...]
    lines: tuple[Product, ...]
    whole_inputs: tuple[Product, ...]
    whole_lines: tuple[Product, ...]
    additions: tuple[tuple[int, int], ...]
    first: int
    steps: int
    batch: int
    indicators: tuple[bool, ...]
    recorded: tuple[tuple[int, ...], ...]
    noise: tuple[NoiseSource | None, ...]
    dtype: torch.dtype
    device: torch.device

    def zeros(self, *shape: int) -> Tensor:
        """Zeros of the loop's type, where the loop is."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def empty(self, *shape: int) -> Tensor:
        """The same, not written yet."""
        return torch.empty(shape, dtype=self.dtype, device=self.device)


@dataclass
class Given:
    """Tensors of a loop.

    Attributes
    ----------
    inputs : list of (steps, batch, n) Tensor
        One for each of ``Loop.inputs``, then one for each of ``Loop.whole_inputs``.
    additions : list of (steps, batch, width) Tensor
        Sums that were made outside.
    input_weights, line_weights : list of (n_pre, width) Tensor
        Float ones, then int ones.
    history : list of (rows, batch, size) Tensor
        Of each member: its last events before the first step.
    params : list of list of Tensor
    states : list of list of (batch, size) Tensor
    """

    inputs: list[Tensor]
    additions: list[Tensor]
    input_weights: list[Tensor]
    line_weights: list[Tensor]
    history: list[Tensor]
    params: list[list[Tensor]]
    states: list[list[Tensor]]

    def flat(self) -> list[Tensor]:
        """All tensors."""
        parts = [self.inputs, self.additions, self.input_weights, self.line_weights, self.history]
        return [t for part in (*parts, *self.params, *self.states) for t in part]

    def like(self, tensors: Sequence[Any]) -> Given:
        """The same lists of other tensors."""
        rest = list(tensors)

        def take(part: list[Tensor]) -> list[Tensor]:
            return [rest.pop(0) for _ in part]

        return Given(
            take(self.inputs),
            take(self.additions),
            take(self.input_weights),
            take(self.line_weights),
            take(self.history),
            [take(p) for p in self.params],
            [take(p) for p in self.states],
        )


@dataclass
class Result:
    """What a loop gives for each member.

    Attributes
    ----------
    events : list of (steps, batch, size) Tensor
    fired : list of (steps, batch, size) Tensor or None
    recorded, observed : list of list of (steps, batch, size) Tensor
    states : list of list of (batch, size) Tensor
        After the last step.
    """

    events: list[Tensor]
    fired: list[Tensor | None]
    recorded: list[list[Tensor]]
    observed: list[list[Tensor]]
    states: list[list[Tensor]]

    def flat(self) -> list[Tensor]:
        """All tensors."""
        parts = [self.events, [f for f in self.fired if f is not None], *self.recorded, *self.observed, *self.states]
        return [t for part in parts for t in part]

    def like(self, tensors: Sequence[Any]) -> Result:
        """The same lists of other tensors."""
        rest = list(tensors)

        def take(part: Sequence[Any]) -> list[Any]:
            return [None if p is None else rest.pop(0) for p in part]

        return Result(
            take(self.events),
            take(self.fired),
            [take(p) for p in self.recorded],
            [take(p) for p in self.observed],
            [take(p) for p in self.states],
        )


def run(loop: Loop, given: Given) -> Result:
    """Run a component over a sequence; differentiable in every float tensor that is given."""
    tensors = given.flat()
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        shape: list[Result] = []
        outputs = _Run.apply(loop, given, shape, *tensors)  # type: ignore[no-untyped-call]
        return shape[0].like(outputs)
    return _forward(loop, given, None)


@dataclass
class _Kept:
    """What a loop back needs of the loop forward: for each step and member, its variant, numbers and saved values."""

    rows: list[list[tuple[Printed, tuple[Any, ...], tuple[Any, ...]]]]


class _Run(torch.autograd.Function):
    """The loop as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, loop: Loop, given: Given, shape: list[Result], *tensors: Tensor) -> tuple[Tensor, ...]:
        kept = _Kept([])
        result = _forward(loop, given.like(tensors), kept)
        shape.append(result)
        outputs = [t.detach() for t in result.flat()]  # not what is kept, which would be a cycle
        ctx.loop, ctx.given, ctx.kept = loop, given.like([None] * len(tensors)), kept
        ctx.shape = result.like(range(len(outputs)))
        ctx.save_for_backward(*tensors, *result.events)
        ctx.count = len(tensors)
        ctx.mark_non_differentiable(*(t for t in outputs if not t.is_floating_point()))
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        saved = ctx.saved_tensors
        given = ctx.given.like(saved[: ctx.count])
        incoming = ctx.shape.like(gradients)
        found = _backward(ctx.loop, given, list(saved[ctx.count :]), ctx.kept, incoming, ctx.needs_input_grad[3:])
        return (None, None, None, *found)


def _sums(loop: Loop, given: Given) -> tuple[Tensor, Tensor]:
    """Sums at the ports without what comes from the members: (steps, batch, columns), floats and ints."""
    shape = (loop.steps, loop.batch)
    sums = loop.empty(*shape, loop.columns)
    for member, params in zip(loop.members, given.params, strict=True):
        offsets = {start: offset for start, _, offset in member.offsets}
        for (start, stop), is_int in zip(member.ports, member.step.int_ports, strict=True):
            offset = offsets.get(start, 0.0)
            if isinstance(offset, int):
                sums[..., start:stop] = params[offset]
            elif not is_int:
                sums[..., start:stop] = offset
    flat = sums.view(loop.steps * loop.batch, loop.columns)
    for product, x, weight in zip(loop.inputs, given.inputs, given.input_weights, strict=False):
        flat[:, product.start : product.stop].addmm_(x.reshape(-1, x.shape[-1]), weight)
    for (start, stop), addition in zip(loop.additions, given.additions, strict=True):
        sums[..., start:stop] += addition
    whole = torch.zeros((*shape, loop.whole_columns), dtype=torch.float64, device=loop.device)
    flat = whole.view(loop.steps * loop.batch, loop.whole_columns)
    known = len(loop.inputs)
    for product, x, weight in zip(loop.whole_inputs, given.inputs[known:], given.input_weights[known:], strict=True):
        flat[:, product.start : product.stop].addmm_(x.reshape(-1, x.shape[-1]).double(), weight)
    return sums, whole


def _forward(loop: Loop, given: Given, kept: _Kept | None) -> Result:
    sums, whole = _sums(loop, given)
    zero = loop.zeros()
    events = [loop.empty(loop.steps, loop.batch, m.size) for m in loop.members]
    result = Result(
        events,
        [torch.zeros_like(e) if wanted else None for e, wanted in zip(events, loop.indicators, strict=True)],
        [
            [torch.empty_like(e, dtype=m.step.state_dtypes[k]) for k in recorded]
            for m, e, recorded in zip(loop.members, events, loop.recorded, strict=True)
        ],
        [
            [torch.empty_like(e, dtype=t) for t in m.step.observed_dtypes]
            for m, e in zip(loop.members, events, strict=True)
        ],
        [list(states) for states in given.states],
    )
    rows = [e.unbind(0) for e in events]
    ports = [_ports(m, sums, whole) for m in loop.members]
    lines = [
        (p, w, sums[..., p.start : p.stop].unbind(0)) for p, w in zip(loop.lines, given.line_weights, strict=False)
    ]
    lines += [
        (p, w, whole[..., p.start : p.stop].unbind(0))
        for p, w in zip(loop.whole_lines, given.line_weights[len(loop.lines) :], strict=True)
    ]
    gradient = kept is not None
    for t in range(loop.steps):
        for product, weight, targets in lines:
            at = t - product.delay
            sent = rows[product.source][at] if at >= 0 else given.history[product.source][at]
            targets[t].addmm_(sent if sent.dtype == weight.dtype else sent.to(weight.dtype), weight)
        done = []
        for k, member in enumerate(loop.members):
            variant, hosts = member.step.at(loop.first + t, gradient, loop.indicators[k])
            source = loop.noise[k]
            noise = None if source is None else source.at(loop.first + t)
            arrived = [port[t] for port in ports[k]]
            if loop.whole_columns:
                arrived = [a.to(torch.int64) if w else a for a, w in zip(arrived, member.step.int_ports, strict=True)]
            states, fired, observed, saved = variant.forward(
                result.states[k], arrived, given.params[k], hosts, noise, zero, rows[k][t]
            )
            result.states[k] = list(states)
            indicator = result.fired[k]
            if indicator is not None:
                _indicate(indicator[t], variant, fired)
            for place, stack in zip(loop.recorded[k], result.recorded[k], strict=True):
                stack[t] = states[place]
            for value, stack in zip(observed, result.observed[k], strict=True):
                stack[t] = value
            done.append((variant, hosts, saved))
        if kept is not None:
            kept.rows.append(done)
    return result


def _indicate(row: Tensor, variant: Printed, fired: Tensor | None) -> None:
    if fired is not None:
        row.copy_(fired)
    elif variant.always:
        row.fill_(1.0)


def _ports(member: Member, sums: Tensor, whole: Tensor) -> list[Sequence[Tensor]]:
    """For each port, its sums in every step."""
    kinds = zip(member.ports, member.step.int_ports, strict=True)
    return [(whole if is_int else sums)[..., start:stop].unbind(0) for (start, stop), is_int in kinds]


def _backward(
    loop: Loop,
    given: Given,
    events: list[Tensor],
    kept: _Kept,
    incoming: Result,
    wanted: Sequence[bool],
) -> list[Any]:
    want = given.like(wanted)
    zero = loop.zeros()
    blank = [loop.zeros(loop.batch, m.size) for m in loop.members]
    sums = loop.empty(loop.steps, loop.batch, loop.columns)
    ports = [
        [None if whole else sums[..., a:b].unbind(0) for (a, b), whole in zip(m.ports, m.step.int_ports, strict=True)]
        for m in loop.members
    ]
    lines = [
        (p, w.t(), sums[..., p.start : p.stop].unbind(0)) for p, w in zip(loop.lines, given.line_weights, strict=False)
    ]
    states: list[list[Any]] = [
        [blank[k] if g is None else g for g in gradients] for k, gradients in enumerate(incoming.states)
    ]
    params: list[list[Any]] = [[None] * len(p) for p in given.params]
    for t in range(loop.steps - 1, -1, -1):
        for k in range(len(loop.members)):
            given_event: Tensor | None = incoming.events[k]
            event = blank[k] if given_event is None else given_event[t]
            for product, weight, stack in lines:
                if product.source == k and t + product.delay < loop.steps:
                    event = torch.addmm(event, stack[t + product.delay], weight)
            for place, gradient in zip(loop.recorded[k], incoming.recorded[k], strict=True):
                if gradient is not None:
                    states[k][place] = states[k][place] + gradient[t]
            fired = incoming.fired[k]
            variant, hosts, saved = kept.rows[t][k]
            assert variant.backward is not None
            changes, own_params = variant.backward(
                saved,
                given.params[k],
                hosts,
                zero,
                states[k],
                event,
                blank[k] if fired is None else fired[t],
                [blank[k] if g is None else g[t] for g in incoming.observed[k]],
                [None if port is None else port[t] for port in ports[k]],
            )
            states[k] = [blank[k]] * len(states[k])
            for slot, g in zip(variant.states, changes, strict=True):
                states[k][slot] = g
            for slot, g in zip(variant.params, own_params, strict=True):
                params[k][slot] = g.clone() if params[k][slot] is None else params[k][slot].add_(g)
    result = given.like([None] * len(wanted))
    _weights(loop, given, events, sums, want, result)
    for k, member in enumerate(loop.members):
        for slot, total in enumerate(params[k]):
            if want.params[k][slot] and total is not None:
                result.params[k][slot] = _reduced(total, given.params[k][slot])
        for start, stop, offset in member.offsets:
            if isinstance(offset, int) and want.params[k][offset]:
                part = _reduced(sums[..., start:stop], given.params[k][offset])
                known = result.params[k][offset]
                result.params[k][offset] = part if known is None else known + part
        gradients = zip(states[k], want.states[k], strict=True)
        result.states[k] = [cast(Any, g if wanted else None) for g, wanted in gradients]
    return result.flat()


def _weights(loop: Loop, given: Given, events: list[Tensor], sums: Tensor, want: Given, result: Given) -> None:
    """Gradients of inputs, weights, sums made outside and events before the first step."""
    flat = sums.view(-1, loop.columns)
    for k, product in enumerate(loop.inputs):
        part, x = flat[:, product.start : product.stop], given.inputs[k]
        if want.input_weights[k]:
            result.input_weights[k] = x.reshape(-1, x.shape[-1]).t() @ part
        if want.inputs[k]:
            result.inputs[k] = (part @ given.input_weights[k].t()).view(x.shape)
    for k, (start, stop) in enumerate(loop.additions):
        if want.additions[k]:
            result.additions[k] = sums[..., start:stop]
    for k, product in enumerate(loop.lines):
        part, delay = sums[..., product.start : product.stop], product.delay
        history, weight = given.history[product.source], given.line_weights[k]
        early = min(delay, loop.steps)
        before = history[len(history) - delay : len(history) - delay + early]
        if want.line_weights[k]:
            total = _outer(before, part[:early])
            if loop.steps > delay:
                total = total + _outer(events[product.source][: loop.steps - delay], part[delay:])
            result.line_weights[k] = total
        if want.history[product.source]:
            found = result.history[product.source]
            if found is None:
                found = result.history[product.source] = torch.zeros_like(history)
            found[len(history) - delay : len(history) - delay + early] += part[:early] @ weight.t()


def _outer(events: Tensor, sums: Tensor) -> Tensor:
    """Sum over steps and samples of the outer products."""
    return events.reshape(-1, events.shape[-1]).t() @ sums.flatten(0, 1)


def _reduced(gradient: Tensor, param: Tensor) -> Tensor:
    """Sum over what the parameter shares."""
    return gradient.sum_to_size(param.shape) if param.ndim else gradient.sum()
