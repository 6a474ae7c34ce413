"""Neurons in integer arithmetic: what a digital chip computes, bit for bit."""

from __future__ import annotations

from neuromorph.language import Event, Param, Port, State, neuron, trunc_shift


@neuron
class IntegerCUBA:
    """Current-based leaky integrate-and-fire neuron in the integer arithmetic of Loihi.

    Decays are in 1/4096: ``u' = trunc(u (4096 - decay_u) / 4096) + 64 a`` and likewise for the voltage, truncated
    toward zero; the threshold is given as its mantissa, in units of 64.
    """

    a = Port(dtype=int)
    decay_u, decay_v = Param(410, dtype=int), Param(410, dtype=int)
    threshold = Param(64, dtype=int)
    u, v = State(0, dtype=int), State(0, dtype=int)

    current = trunc_shift(u * (4096 - decay_u), 12) + 64 * a
    u.next = current
    v.next = trunc_shift(v * (4096 - decay_v), 12) + current
    spike = Event(when=v >= 64 * threshold)
    v.reset = 0


@neuron
class PixelEncoder:
    """Turns the brightness of a pixel into spikes: integrate it each step, fire and start anew beyond ``full``."""

    pixel = Param(0, dtype=int)
    full = Param(255, dtype=int)
    v = State(0, dtype=int)

    v.next = v + pixel
    spike = Event(when=v > full)
    v.reset = 0
