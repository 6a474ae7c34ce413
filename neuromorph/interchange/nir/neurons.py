"""The neurons of the exchange format NIR, in the public language.

Each is NIR's equation and three things that a file does not hold: ``bias``, the constant part of what arrives;
``start``, the first step at which constants act (see :mod:`neuromorph.interchange.nir.schedule`); and what follows a
spike, for which importers have several rules:

- ``"zero"``: NIR's own, v = v_reset;
- ``"subtract"``: v = v - (v_threshold - v_reset);
- ``"snntorch"``: the same, and while v is still above the threshold after that, the next test is made on v less
  v_threshold - v_reset once more. So does snnTorch where its reset has no delay.

Neurons without a threshold emit their voltage in every step, as a graded event.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from neuromorph.language import Event, Neuron, Param, Port, State, dt, neuron, step, where
from neuromorph.units import Hz, ms

RESETS = ("zero", "subtract", "snntorch")


@neuron
class Input:
    """Emits ``value`` in every step as a graded event, and nothing where it is 0."""

    value = Param(0.0)
    out = Event(when=(value > 0) | (value < 0), value=value)


@neuron
class Sum:
    """Emits the sum of its inputs and the bias, and nothing where it is 0: what linear nodes compute."""

    x = Port()
    bias, start = Param(0.0), Param(0, dtype=int)
    y = State(0.0)

    runs = step >= start
    y.next = where(runs, x + bias, 0.0)
    out = Event(when=(y > 0) | (y < 0), value=y)


@neuron
class Threshold:
    """``z = [x > threshold]``."""

    x = Port()
    threshold = Param(1.0)
    bias, start = Param(0.0), Param(0, dtype=int)
    y = State(0.0)

    y.next = x + bias
    z = Event(when=(step >= start) & (y > threshold))


@neuron
class Integrator:
    """NIR's ``I``: ``v' = r i``."""

    i = Port()
    r = Param(1 * Hz)
    bias, start = Param(0.0), Param(0, dtype=int)
    v = State(0.0)

    runs = step >= start
    v.dot = r * (i + where(runs, bias, 0.0))
    out = Event(when=runs, value=v)


@neuron
class LI:
    """Leaky integrator: ``tau v' = v_leak - v + r i``."""

    i = Port()
    tau, r, v_leak = Param(20 * ms), Param(1.0), Param(0.0)
    bias, start = Param(0.0), Param(0, dtype=int)
    v = State(0.0)

    runs = step >= start
    v.dot = (where(runs, v_leak, 0.0) - v + r * (i + where(runs, bias, 0.0))) / tau
    out = Event(when=runs, value=v)


def integrate_and_fire(reset: str = "zero") -> Neuron:
    """NIR's ``IF`` with one of the ``RESETS``."""

    @neuron
    class IF:
        """Integrate-and-fire neuron: ``v' = r i``; spike where v > v_threshold."""

        i = Port()
        r = Param(1 * Hz)
        v_threshold, v_reset = Param(1.0), Param(0.0)
        bias, start = Param(0.0), Param(0, dtype=int)
        v = State(0.0)

        runs = step >= start
        v.dot = r * (i + where(runs, bias, 0.0))
        if reset == "snntorch":
            taken = State(0.0)
            taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
            above = v - taken > v_threshold
        else:
            above = v > v_threshold
        spike = Event(when=runs & above)
        v.reset = v_reset if reset == "zero" else v - (v_threshold - v_reset)

    return IF


def leaky(reset: str = "zero") -> Neuron:
    """NIR's ``LIF`` with one of the ``RESETS``."""

    @neuron
    class LIF:
        """Leaky integrate-and-fire neuron: ``tau v' = v_leak - v + r i``; spike where v > v_threshold."""

        i = Port()
        tau, r, v_leak = Param(20 * ms), Param(1.0), Param(0.0)
        v_threshold, v_reset = Param(1.0), Param(0.0)
        bias, start = Param(0.0), Param(0, dtype=int)
        v = State(0.0)

        runs = step >= start
        v.dot = (where(runs, v_leak, 0.0) - v + r * (i + where(runs, bias, 0.0))) / tau
        if reset == "snntorch":
            taken = State(0.0)
            taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
            above = v - taken > v_threshold
        else:
            above = v > v_threshold
        spike = Event(when=runs & above)
        v.reset = v_reset if reset == "zero" else v - (v_threshold - v_reset)

    return LIF


def current_based(fires: bool = True, reset: str = "zero", in_turn: bool = True) -> Neuron:
    """NIR's ``CubaLIF``, or ``CubaLI`` if it does not fire.

    Parameters
    ----------
    fires : bool
    reset : str
        One of ``RESETS``.
    in_turn : bool
        Forward Euler for the current, then for the membrane, which sees the new current of the same step, as in norse
        and snnTorch. False: both together, by the neuron's method.
    """

    @neuron
    class Cuba:
        """``tau_syn i' = -i + w_in s``, ``tau_mem v' = v_leak - v + r i``."""

        s = Port()
        tau_syn, tau_mem = Param(5 * ms), Param(20 * ms)
        r, w_in, v_leak = Param(1.0), Param(1.0), Param(0.0)
        bias, start = Param(0.0), Param(0, dtype=int)
        i, v = State(0.0), State(0.0)

        runs = step >= start
        drive = w_in * (s + where(runs, bias, 0.0))
        rest = where(runs, v_leak, 0.0)
        if in_turn:
            current = (1 - dt / tau_syn) * i + dt / tau_syn * drive
            i.next = current
            v.next = v + dt / tau_mem * (rest - v + r * current)
        else:
            i.dot = (drive - i) / tau_syn
            v.dot = (rest - v + r * i) / tau_mem
        if fires:
            v_threshold, v_reset = Param(1.0), Param(0.0)
            if reset == "snntorch":
                taken = State(0.0)
                taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
                above = v - taken > v_threshold
            else:
                above = v > v_threshold
            spike = Event(when=runs & above)
            v.reset = v_reset if reset == "zero" else v - (v_threshold - v_reset)
        else:
            out = Event(when=runs, value=v)

    return Cuba


#: Parameters that are times in a file.
TIMES = ("tau", "tau_syn", "tau_mem")

#: Node types that become a population, and the parameters that a file gives them ("?": may be missing).
PARAMETERS = {
    "Threshold": ("threshold",),
    "I": ("r",),
    "IF": ("r", "v_threshold", "v_reset?"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset?"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in?"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "w_in?", "v_threshold", "v_reset?"),
}


@lru_cache
def model(kind: str, reset: str, method: str) -> Neuron:
    """The neuron for a node of type ``kind``, one of :data:`PARAMETERS`, with NIR's defaults."""
    if kind in ("CubaLI", "CubaLIF"):
        made = current_based(kind == "CubaLIF", reset, method == "euler")
    elif kind == "IF":
        made = integrate_and_fire(reset)
    elif kind == "LIF":
        made = leaky(reset)
    else:
        made = {"Threshold": Threshold, "I": Integrator, "LI": LI}[kind]
    return replace(made.with_method(method), name=kind)
