"""A component's steps, one after the other; many at once where none depends on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from neuromorph.train.modules.loop import Given, Loop, Member, Result, Span
from neuromorph.train.printing.printer import Printed

_AT_ONCE = 1 << 20  # elements of the sums that exist at a time, where no gradient needs them


def forward(loop: Loop, given: Given, spans: list[list[Span]] | None) -> Result:
    """Run a component.

    Parameters
    ----------
    spans : list of list of Span, optional
        Of each member: takes what the way back needs.
    """
    events = [loop.empty(loop.steps, loop.batch, m.size) for m in loop.members]
    result = Result(
        events,
        [torch.empty_like(e) if wanted else None for e, wanted in zip(events, loop.indicators, strict=True)],
        [
            [torch.empty_like(e, dtype=m.step.state_dtypes[k]) for k in recorded]
            for m, e, recorded in zip(loop.members, events, loop.recorded, strict=True)
        ],
        [
            [torch.empty_like(e, dtype=kind) for kind in m.step.observed_dtypes]
            for m, e in zip(loop.members, events, strict=True)
        ],
        [list(states) for states in given.states],
    )
    rows = loop.steps
    if spans is None:
        rows = max(1, _AT_ONCE // max(1, loop.batch * (loop.columns + loop.whole_columns)))
    for begin in range(0, loop.steps, max(rows, 1)):
        end = min(begin + rows, loop.steps)
        sums = _sums(loop, given, begin, end)
        if len(loop.members) == 1 and not (loop.lines or loop.whole_lines or loop.noise[0]):
            _alone(loop, given, result, spans, begin, end, sums)
        else:
            _together(loop, given, result, spans, begin, end, sums)
    return result


def _sums(loop: Loop, given: Given, begin: int, end: int) -> tuple[Tensor, Tensor]:
    """Sums at the ports in some steps without what comes from the members: (steps, batch, columns), floats and ints."""
    sums = loop.empty(end - begin, loop.batch, loop.columns)
    for member, params in zip(loop.members, given.params, strict=True):
        offsets = {start: offset for start, _, offset in member.offsets}
        for (start, stop), is_int in zip(member.ports, member.step.int_ports, strict=True):
            offset = offsets.get(start, 0.0)
            if isinstance(offset, int):
                sums[..., start:stop] = params[offset]
            elif not is_int:
                sums[..., start:stop] = offset
    flat = sums.flatten(0, 1)
    for product, x, weight in zip(loop.inputs, given.inputs, given.input_weights, strict=False):
        flat[:, product.start : product.stop].addmm_(x[begin:end].flatten(0, 1), weight)
    for (start, stop), addition in zip(loop.additions, given.additions, strict=True):
        sums[..., start:stop] += addition[begin:end]
    whole = torch.zeros((end - begin, loop.batch, loop.whole_columns), dtype=torch.float64, device=loop.device)
    flat, known = whole.flatten(0, 1), len(loop.inputs)
    for product, x, weight in zip(loop.whole_inputs, given.inputs[known:], given.input_weights[known:], strict=True):
        flat[:, product.start : product.stop].addmm_(x[begin:end].flatten(0, 1).double(), weight)
    return sums, whole


def _ports(member: Member, sums: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Sums at each port; those of ints are floats still."""
    kinds = zip(member.ports, member.step.int_ports, strict=True)
    return [sums[is_int][..., start:stop] for (start, stop), is_int in kinds]


def _arrived(loop: Loop, member: Member, sums: Sequence[Tensor]) -> list[Tensor]:
    if not loop.whole_columns:
        return list(sums)
    return [a.to(torch.int64) if is_int else a for a, is_int in zip(sums, member.step.int_ports, strict=True)]


def _together(
    loop: Loop,
    given: Given,
    result: Result,
    spans: list[list[Span]] | None,
    begin: int,
    end: int,
    sums: tuple[Tensor, Tensor],
) -> None:
    """Step by step, since events of one step reach the component in a later one."""
    zero = loop.zeros()
    rows = [e.unbind(0) for e in result.events]
    ports = [[port.unbind(0) for port in _ports(member, sums)] for member in loop.members]
    products = [(p, sums[0]) for p in loop.lines] + [(p, sums[1]) for p in loop.whole_lines]
    lines = [
        (p, weight, kind[..., p.start : p.stop].unbind(0))
        for (p, kind), weight in zip(products, given.line_weights, strict=True)
    ]
    for t in range(begin, end):
        for product, weight, targets in lines:
            at = t - product.delay
            sent = rows[product.source][at] if at >= 0 else given.history[product.source][at]
            targets[t - begin].addmm_(sent if sent.dtype == weight.dtype else sent.to(weight.dtype), weight)
        for k, member in enumerate(loop.members):
            variant, hosts = member.step.at(loop.first + t, spans is not None, loop.indicators[k])
            source = loop.noise[k]
            states, fired, observed, saved = variant.forward(
                result.states[k],
                _arrived(loop, member, [port[t - begin] for port in ports[k]]),
                given.params[k],
                hosts,
                None if source is None else source.at(loop.first + t),
                zero,
                rows[k][t],
            )
            result.states[k] = list(states)
            _store(loop, result, k, t, variant, states, fired, observed)
            if spans is not None:
                spans[k].append(Span(t, t + 1, variant, hosts, saved))


def _alone(
    loop: Loop,
    given: Given,
    result: Result,
    spans: list[list[Span]] | None,
    begin: int,
    end: int,
    sums: tuple[Tensor, Tensor],
) -> None:
    """One population that does not reach itself; steps at once where its program looks at no state."""
    (member,), zero = loop.members, loop.zeros()
    ports = _ports(member, sums)
    for first, last, variant, hosts in _stretches(loop, begin, end, spans is not None):
        at: Any = first if last == first + 1 else slice(first, last)
        here: Any = first - begin if last == first + 1 else slice(first - begin, last - begin)
        arrived = _arrived(loop, member, [port[here] for port in ports])
        states, fired, observed, saved = variant.forward(
            result.states[0], arrived, given.params[0], hosts, None, zero, result.events[0][at]
        )
        result.states[0] = [s[-1] for s in states] if last > first + 1 else list(states)
        _store(loop, result, 0, at, variant, states, fired, observed)
        if spans is not None:
            spans[0].append(Span(first, last, variant, hosts, saved))


def _stretches(loop: Loop, begin: int, end: int, gradient: bool) -> Iterator[tuple[int, int, Printed, tuple[Any, ...]]]:
    """Steps that may be done at once: neighbours of one variant that looks at no state."""
    first = begin
    while first < end:
        variant, hosts = loop.members[0].step.at(loop.first + first, gradient, loop.indicators[0])
        last = first + 1
        while last < end and not variant.reads_state:
            if loop.members[0].step.at(loop.first + last, gradient, loop.indicators[0]) != (variant, hosts):
                break
            last += 1
        yield first, last, variant, hosts
        first = last


def _store(
    loop: Loop, result: Result, k: int, at: Any, variant: Printed, states: Any, fired: Tensor | None, observed: Any
) -> None:
    """Write what is asked for of a step."""
    indicator = result.fired[k]
    if indicator is not None:
        indicator[at] = float(bool(variant.always)) if fired is None else fired.to(indicator.dtype)
    for place, stack in zip(loop.recorded[k], result.recorded[k], strict=True):
        stack[at] = states[place]
    for value, stack in zip(observed, result.observed[k], strict=True):
        stack[at] = value
