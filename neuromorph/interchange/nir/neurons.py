"""The neurons of the exchange format NIR, in the public language.

Each is NIR's equation and three things that a file does not hold: ``bias``, the constant part of what arrives;
``start``, the first step at which constants act (see :mod:`neuromorph.interchange.nir.schedule`); and what follows a
spike (see :mod:`neuromorph.interchange.nir.firing`).

Neurons without a threshold emit their voltage in every step, as a graded event.

Beside the language's methods there is ``"rockpool"``, the step of the program of that name, which decays exactly and
adds what arrives whole: v = exp(-dt/tau) v + i. Its files give r as tau exp(-dt/tau) / dt, so here an input is
multiplied by r dt exp(dt/tau) / tau, which is 1 for them. (Its synaptic currents decay after what arrives is added.)
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from neuromorph.interchange.nir.firing import DELAYED, after, delayed, fired
from neuromorph.language import METHODS, Event, Neuron, Param, Port, State, dt, exp, neuron, step, where
from neuromorph.units import Hz, ms

#: How equations may be integrated: the methods of the language, and Rockpool's.
STEPPING = (*METHODS, "rockpool")


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
        rate = r * (i + where(runs, bias, 0.0))
        if reset in DELAYED:
            v.next = delayed(reset, v, v + dt * rate, v_threshold, v_reset, runs)
        else:
            v.dot = rate
            v.reset = after(reset, v, v_threshold, v_reset)
        if reset == "snntorch":
            taken = State(0.0)
            taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
            spike = fired(reset, v - taken, v_threshold, v_reset, runs)
        else:
            spike = fired(reset, v, v_threshold, v_reset, runs)

    return IF


def leaky(fires: bool = True, reset: str = "zero", rockpool: bool = False) -> Neuron:
    """NIR's ``LIF`` with one of the ``RESETS``, or ``LI`` if it does not fire.

    Parameters
    ----------
    fires : bool
    reset : str
        One of ``RESETS``.
    rockpool : bool
        Rockpool's step instead of one by the neuron's method.
    """

    @neuron
    class Leaky:
        """Leaky integrator: ``tau v' = v_leak - v + r i``; spike where v > v_threshold."""

        i = Port()
        tau, r, v_leak = Param(20 * ms), Param(1.0), Param(0.0)
        bias, start = Param(0.0), Param(0, dtype=int)
        v = State(0.0)

        runs = step >= start
        drive = r * (i + where(runs, bias, 0.0))
        rest = where(runs, v_leak, 0.0)
        if fires:
            v_threshold, v_reset = Param(1.0), Param(0.0)
        if rockpool:
            whole = exp(dt / tau) if fires else 1.0  # without a threshold, what arrives decays in its step
            v.next = exp(-dt / tau) * v + dt / tau * whole * drive
        elif fires and reset in DELAYED:
            v.next = delayed(reset, v, v + dt / tau * (rest - v + drive), v_threshold, v_reset, runs)
        else:
            v.dot = (rest - v + drive) / tau
        if fires:
            if reset == "snntorch":
                taken = State(0.0)
                taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
                spike = fired(reset, v - taken, v_threshold, v_reset, runs)
            else:
                spike = fired(reset, v, v_threshold, v_reset, runs)
            if reset not in DELAYED:
                v.reset = after(reset, v, v_threshold, v_reset)
        else:
            out = Event(when=runs, value=v)

    return Leaky


def current_based(fires: bool = True, reset: str = "zero", stepping: str = "euler") -> Neuron:
    """NIR's ``CubaLIF``, or ``CubaLI`` if it does not fire.

    Parameters
    ----------
    fires : bool
    reset : str
        One of ``RESETS``.
    stepping : {"euler", "rockpool", "together"}
        The current, then the membrane, which sees the new current of the same step: by forward Euler, as in norse and
        snnTorch, or as in Rockpool; or both together, by the neuron's method.
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
        if fires:
            v_threshold, v_reset = Param(1.0), Param(0.0)
        if stepping == "together":
            i.dot = (drive - i) / tau_syn
            v.dot = (rest - v + r * i) / tau_mem
        else:
            if stepping == "rockpool":
                current = exp(-dt / tau_syn) * (i + drive)
                made = exp(-dt / tau_mem) * v + dt / tau_mem * exp(dt / tau_mem) * r * current
            else:
                current = (1 - dt / tau_syn) * i + dt / tau_syn * drive
                made = v + dt / tau_mem * (rest - v + r * current)
            i.next = current
            v.next = delayed(reset, v, made, v_threshold, v_reset, runs) if fires and reset in DELAYED else made
        if fires:
            if reset == "snntorch":
                taken = State(0.0)
                taken.next = where(v > v_threshold, v_threshold - v_reset, 0.0)
                spike = fired(reset, v - taken, v_threshold, v_reset, runs)
            else:
                spike = fired(reset, v, v_threshold, v_reset, runs)
            if reset not in DELAYED:
                v.reset = after(reset, v, v_threshold, v_reset)
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
        made = current_based(kind == "CubaLIF", reset, method if method in ("euler", "rockpool") else "together")
    elif kind == "IF":
        made = integrate_and_fire(reset)
    elif kind in ("LI", "LIF"):
        made = leaky(kind == "LIF", reset, method == "rockpool")
    else:
        made = {"Threshold": Threshold, "I": Integrator}[kind]
    return replace(made.with_method("euler" if method == "rockpool" else method), name=kind)
