"""Neurons in integer arithmetic: what a digital chip computes, bit for bit."""

from __future__ import annotations

from neuromorph.language import (
    Event,
    Param,
    Port,
    State,
    floor,
    maximum,
    minimum,
    neuron,
    to_float,
    trunc,
    trunc_shift,
)


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


@neuron
class RoundedSum:
    """A neuron of an integer network as multiply-accumulate chips compute it: int8 codes of sums, without any state.

    The sum in units of ``gain`` is truncated toward zero to quarters, rounded to a whole number and limited to
    ``least`` (0 rectifies) and 127; what is not 0 is sent. It is the rule of WTM2101's converters, and applied to what
    they give it changes nothing more: so a network of such neurons is the same on the chip and anywhere else (in
    single precision while sums stay below 2**24, and for gains up to 8,192).
    """

    a = Port()
    gain, least = Param(1024, dtype=int), Param(-128, dtype=int)

    quarters = trunc(4 * a / to_float(gain))  # whole numbers as floats: vectors of integers have no division
    code = minimum(maximum(floor((quarters + 2) / 4), to_float(least)), 127)
    y = Event(when=(code > 0) | (code < 0), value=code)
