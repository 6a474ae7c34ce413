"""Ordinary multiply-accumulate neurons as neurons that send events: rectifiers, as they are and in few bits.

They keep nothing from one step to the next: a layer answers in each step to what the layer before sent in the last.
``start`` is the first step at which a neuron runs, so that its bias sends nothing before its first input; that of layer
k is k. What is 0 is not sent.
"""

from __future__ import annotations

from neuromorph.language import Event, Param, Port, maximum, minimum, neuron, rint, step


@neuron
class Rectifier:
    """Sends the sum of its inputs and its bias where that is above 0."""

    a = Port()
    b, start = Param(0.0), Param(0, dtype=int)

    y = maximum(a + b, 0.0)
    out = Event(when=(step >= start) & (y > 0), value=y)


@neuron
class CodedRectifier:
    """A rectifier whose events have few values: ``quantum`` times a whole number from 1 to ``top``.

    Sums above ``top * quantum`` are limited to it. In training, rounding passes the gradient straight through, so that
    ``quantum`` can be learned: where an event is sent, its gradient is that of LSQ (Esser et al. 2020).
    """

    a = Port()
    b, start = Param(0.0), Param(0, dtype=int)
    quantum, top = Param(1 / 16), Param(15.0)

    code = rint(minimum(maximum(a + b, 0.0) / quantum, top))
    out = Event(when=(step >= start) & (code > 0), value=code * quantum)
