"""Current-based integrate-and-fire neurons as the exchange format NIR defines them, stepped by forward Euler."""

from __future__ import annotations

from neuromorph.language import Event, Param, Port, State, dt, neuron, step, where
from neuromorph.units import ms


@neuron
class CubaLIF:
    """NIR's ``CubaLIF`` in the discrete form of snnTorch: the membrane sees the new current of the same step.

    ``I = (1 - dt/tau_syn) I + dt/tau_syn w_in S``, ``v = v + dt/tau_mem (v_leak - v + r I)``, spike where v >
    v_threshold, then v = v_reset. ``start`` is the first step at which the neuron runs (see
    :mod:`neuromorph.models.recurrent`).
    """

    s = Port()
    tau_syn, tau_mem = Param(5 * ms), Param(20 * ms)
    r, w_in, bias = Param(1.0), Param(1.0), Param(0.0)
    v_leak, v_threshold, v_reset = Param(0.0), Param(1.0), Param(0.0)
    start = Param(0, dtype=int)
    i, v = State(0.0), State(0.0)

    runs = step >= start
    current = (1 - dt / tau_syn) * i + dt / tau_syn * (w_in * (s + bias))
    i.next = where(runs, current, i)
    v.next = where(runs, v + dt / tau_mem * (v_leak - v + r * current), v)
    spike = Event(when=v > v_threshold)
    v.reset = v_reset
