"""A component's steps backwards, and the gradients of its weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from neuromorph.train.modules.loop import Given, Loop, Member, Result, Span


def backward(
    loop: Loop, given: Given, events: list[Tensor], spans: list[list[Span]], incoming: Result, wanted: Any
) -> Given:
    """Gradients of everything that was given.

    Parameters
    ----------
    events : list of (steps, batch, size) Tensor
        Of each member.
    spans : list of list of Span
        Of each member; those of members that reach each other are of one step each.
    incoming : Result
        Gradients of what was returned, None where there is none.
    wanted : Given
        Bools.

    Returns
    -------
    Given
        None where nothing was wanted.
    """
    sums = loop.empty(loop.steps, loop.batch, loop.columns)
    way = _Way(loop, given, incoming, sums)
    for place in range(len(spans[0]) - 1, -1, -1):
        for k in range(len(loop.members)):
            way.back(k, spans[k][place])
    found: Any = given.like([None] * len(given.flat()))
    _weights(loop, given, events, sums, wanted, found)
    for k, member in enumerate(loop.members):
        for slot, total in enumerate(way.params[k]):
            if wanted.params[k][slot] and total is not None:
                found.params[k][slot] = _reduced(total, given.params[k][slot])
        for start, stop, offset in member.offsets:
            if isinstance(offset, int) and wanted.params[k][offset]:
                part, known = _reduced(sums[..., start:stop], given.params[k][offset]), found.params[k][offset]
                found.params[k][offset] = part if known is None else known + part
        found.states[k] = [g if w else None for g, w in zip(way.states[k], wanted.states[k], strict=True)]
    result: Given = found
    return result


class _Way:
    """The way back through the steps.

    Attributes
    ----------
    states : list of list of Tensor
        Of each member: gradients of its states before the step that was done last.
    params : list of list of Tensor or None
        Gradients so far.
    """

    def __init__(self, loop: Loop, given: Given, incoming: Result, sums: Tensor) -> None:
        self.loop, self.given, self.incoming, self.sums = loop, given, incoming, sums
        self.zero = loop.zeros()
        self.blank = [loop.zeros(loop.batch, m.size) for m in loop.members]
        self.states: list[list[Tensor]] = [
            [self.blank[k] if g is None else g for g in gradients] for k, gradients in enumerate(incoming.states)
        ]
        self.params: list[list[Any]] = [[None] * len(p) for p in given.params]
        self._ports = [[None if port is None else port.unbind(0) for port in self._columns(m)] for m in loop.members]
        self._lines = [
            (p, weight.t(), sums[..., p.start : p.stop].unbind(0))
            for p, weight in zip(loop.lines, given.line_weights, strict=False)
        ]

    def _columns(self, member: Member) -> list[Tensor | None]:
        kinds = zip(member.ports, member.step.int_ports, strict=True)
        return [None if is_int else self.sums[..., a:b] for (a, b), is_int in kinds]

    def back(self, k: int, span: Span) -> None:
        """Undo some steps of a member."""
        several = span.end > span.begin + 1
        if several:
            at: Any = slice(span.begin, span.end)
            blank = self.blank[k].expand(span.end - span.begin, -1, -1)
            ports = [None if port is None else port[at] for port in self._columns(self.loop.members[k])]
            states = [_last_row(g, span.end - span.begin) for g in self.states[k]]
        else:
            at, blank, states = span.begin, self.blank[k], self.states[k]
            ports = [None if port is None else port[at] for port in self._ports[k]]
        for place, recorded in zip(self.loop.recorded[k], self.incoming.recorded[k], strict=True):
            if recorded is not None:
                states = [s + recorded[at] if slot == place else s for slot, s in enumerate(states)]
        fired = self.incoming.fired[k]
        assert span.variant.backward is not None
        before, params = span.variant.backward(
            span.saved,
            self.given.params[k],
            span.hosts,
            self.zero,
            states,
            self._event(k, at, blank),
            blank if fired is None else fired[at],
            [blank if g is None else g[at] for g in self.incoming.observed[k]],
            ports,
        )
        self.states[k] = [self.blank[k]] * len(states)
        for slot, g in zip(span.variant.states, before, strict=True):
            self.states[k][slot] = g
        for slot, g in zip(span.variant.params, params, strict=True):
            g = g.sum(0) if several else g
            known = self.params[k][slot]
            self.params[k][slot] = g.clone() if known is None else known.add_(g)

    def _event(self, k: int, at: Any, blank: Tensor) -> Tensor:
        """Gradient of the events of a member: from outside, and through the lines from later steps."""
        given: Tensor | None = self.incoming.events[k]
        event = blank if given is None else given[at]
        for product, weight, rows in self._lines:
            if product.source == k and at + product.delay < self.loop.steps:
                event = event.addmm(rows[at + product.delay], weight)
        return event


def _last_row(gradient: Tensor, rows: int) -> Tensor:
    """The gradient of a state after some steps, of which only the last gives it."""
    result = gradient.new_zeros((rows, *gradient.shape))
    result[-1] = gradient
    return result


def _weights(loop: Loop, given: Given, events: list[Tensor], sums: Tensor, wanted: Any, found: Given) -> None:
    """Gradients of inputs, weights, sums made outside and events before the first step."""
    flat = sums.flatten(0, 1)
    for k, product in enumerate(loop.inputs):
        part, x = flat[:, product.start : product.stop], given.inputs[k]
        if wanted.input_weights[k]:
            found.input_weights[k] = x.flatten(0, 1).t() @ part
        if wanted.inputs[k]:
            found.inputs[k] = (part @ given.input_weights[k].t()).view(x.shape)
    for k, (start, stop) in enumerate(loop.additions):
        if wanted.additions[k]:
            found.additions[k] = sums[..., start:stop]
    for k, product in enumerate(loop.lines):
        part, delay = sums[..., product.start : product.stop], product.delay
        history, weight = given.history[product.source], given.line_weights[k]
        early = min(delay, loop.steps)
        before = slice(len(history) - delay, len(history) - delay + early)
        if wanted.line_weights[k]:
            total = _outer(history[before], part[:early])
            if loop.steps > delay:
                total = total + _outer(events[product.source][: loop.steps - delay], part[delay:])
            found.line_weights[k] = total
        if wanted.history[product.source]:
            if found.history[product.source] is None:
                found.history[product.source] = history.new_zeros(history.shape)
            found.history[product.source][before] += part[:early] @ weight.t()


def _outer(events: Tensor, sums: Tensor) -> Tensor:
    """Sum over steps and samples of the outer products."""
    return events.flatten(0, 1).t() @ sums.flatten(0, 1)


def _reduced(gradient: Tensor, param: Tensor) -> Tensor:
    """Sum over what the parameter shares."""
    return gradient.sum_to_size(param.shape) if param.ndim else gradient.sum()
