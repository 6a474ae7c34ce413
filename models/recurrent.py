"""Event-based gated recurrent units, in both published forms, and the linear units around them.

The two forms are different models, not two spellings of one. In the form of EvNN and of the published language models
the reset gate belongs to the receiving unit and multiplies the recurrent sum after it was taken, so one exchange of
events a step is enough. In the form of the paper the sender's reset gate multiplies its output before the sum, so a
step of the model needs two exchanges; here that is two steps of the engine.

Layers work as a pipeline: what enters at step t reaches layer k at step t + k. ``start`` is the first step at which a
unit runs, so that its biases do not move it before its first input.
"""

from __future__ import annotations

from neuromorph.language import Event, Param, Port, State, floor, minimum, neuron, rint, sigmoid, step, tanh, where


@neuron
class Linear:
    """Linear unit: emits the sum of its inputs and a bias in every step, as a graded event."""

    a = Port()
    b, start = Param(0.0), Param(0, dtype=int)
    y = State(0.0)

    y.next = where(step >= start, a + b, y)
    out = Event(when=step >= start, value=y)


@neuron
class EGRUEvNN:
    """Event-based GRU as in EvNN: reset gate after the recurrent sum, threshold subtracted at once.

    Emits the state before the reset; fires strictly above ``theta``.
    """

    a_u, a_r, a_x, a_y = Port(), Port(), Port(), Port()
    b_u, b_r, b_x, b_y = Param(0.0), Param(0.0), Param(0.0), Param(0.0)
    theta, start = Param(0.3), Param(0, dtype=int)
    c = State(0.0)

    u = sigmoid(a_u + b_u)  # update gate: keeps the old state
    r = sigmoid(a_r + b_r)  # reset gate
    g = tanh(a_x + b_x + r * (a_y + b_y))  # candidate
    c.next = where(step >= start, u * c + (1 - u) * g, c)
    y = Event(when=c > theta, value=c)
    c.reset = c - theta


@neuron
class EGRUEvNNWindowed:
    """Event-based GRU as in EvNN, whose state is set to zero before every ``window`` steps: only outputs carry over.

    So the published language models ran: they were trained and tested on windows of about 70 words, and of one window
    the next got the outputs alone. Otherwise :class:`EGRUEvNN`.
    """

    a_u, a_r, a_x, a_y = Port(), Port(), Port(), Port()
    b_u, b_r, b_x, b_y = Param(0.0), Param(0.0), Param(0.0), Param(0.0)
    theta, start, window = Param(0.3), Param(0, dtype=int), Param(70, dtype=int)
    c = State(0.0)

    position = step - start
    # the quotient of a multiple is exact, so no rounding makes or hides one
    first = position == window * floor(position / window)
    u = sigmoid(a_u + b_u)  # update gate: keeps the old state
    r = sigmoid(a_r + b_r)  # reset gate
    g = tanh(a_x + b_x + r * (a_y + b_y))  # candidate
    c.next = where(step >= start, u * where(first, 0.0, c) + (1 - u) * g, c)
    y = Event(when=c > theta, value=c)
    c.reset = c - theta


@neuron
class EGRUEvNNCoded:
    """Event-based GRU as in EvNN whose events have few values: ``quantum`` times a whole number up to ``top``.

    The state stays a float. In training, rounding passes the gradient straight through, so the events of a recurrence
    are what a chip sends and ``quantum`` can be learned. Otherwise :class:`EGRUEvNN`.
    """

    a_u, a_r, a_x, a_y = Port(), Port(), Port(), Port()
    b_u, b_r, b_x, b_y = Param(0.0), Param(0.0), Param(0.0), Param(0.0)
    theta, start = Param(0.3), Param(0, dtype=int)
    quantum, top = Param(1 / 16), Param(15.0)
    c = State(0.0)

    u = sigmoid(a_u + b_u)  # update gate: keeps the old state
    r = sigmoid(a_r + b_r)  # reset gate
    g = tanh(a_x + b_x + r * (a_y + b_y))  # candidate
    c.next = where(step >= start, u * c + (1 - u) * g, c)
    y = Event(when=c > theta, value=rint(minimum(c / quantum, top)) * quantum)
    c.reset = c - theta


@neuron
class EGRUPaper:
    """Event-based GRU as in the paper (Subramoney et al. 2023): the sender's reset gate before the recurrent sum.

    One step of the model takes two steps of the engine, counted from ``start``. In the even one the gates meet the
    outputs y of the step before and each unit that fired answers with r y; in the odd one the candidate is formed and
    y is emitted. So inputs are given twice, to ``a_u`` and ``a_r`` for the even step and to ``a_z`` for the odd one,
    and all three recurrent projections start at every unit.
    """

    a_u, a_r, a_z = Port(), Port(), Port()
    b_u, b_r, b_z = Param(0.0), Param(0.0), Param(0.0)
    theta, start = Param(0.3), Param(0, dtype=int)
    c, y, u, r = State(0.0), State(0.0), State(0.0), State(0.0)

    phase = step - start
    running = phase >= 0
    odd = phase - ((phase >> 1) << 1)
    gates, candidate = running & (odd < 1), running & (odd > 0)
    z = tanh(a_z + b_z)
    new = u * z + (1 - u) * c - y
    u.next = where(gates, sigmoid(a_u + b_u), u)
    r.next = where(gates, sigmoid(a_r + b_r), r)
    c.next = where(candidate, new, c)
    y.next = where(candidate, where(new > theta, new, 0.0), y)
    out = Event(when=running & (y > 0), value=where(odd > 0, y, r * y))
