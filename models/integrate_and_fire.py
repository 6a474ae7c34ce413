"""Integrate-and-fire neurons: delta, current and conductance synapses, adaptation, Izhikevich's map of behaviours."""

from __future__ import annotations

from neuromorph.language import Event, Param, Port, State, dt, exp, neuron, poisson, where
from neuromorph.units import Hz, Mohm, ms, mV, nA, nS, pA, pF


@neuron
class LIFDelta:
    """Leaky integrate-and-fire neuron whose membrane jumps with every event (``iaf_psc_delta`` in NEST).

    Inputs that arrive while it is refractory are lost.
    """

    v_in = Port(unit=mV)
    tau_m = Param(20 * ms)
    theta, v_reset, t_ref = Param(20 * mV), Param(10 * mV), Param(2 * ms)
    drive = Param(0 * mV)
    v = State(0 * mV)

    v.jump = v_in
    v.dot = (drive - v) / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset


@neuron
class LIFDeltaPoisson:
    """:class:`LIFDelta` that draws its own drive: ``rate`` Poisson inputs a second, each of ``drive_weight``."""

    v_in = Port(unit=mV)
    tau_m = Param(20 * ms)
    theta, v_reset, t_ref = Param(20 * mV), Param(10 * mV), Param(2 * ms)
    rate, drive_weight = Param(0 * Hz), Param(0.1 * mV)
    v = State(0 * mV)

    v.jump = v_in + drive_weight * poisson(rate * dt)
    v.dot = -v / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset


@neuron
class LIF:
    """Leaky integrate-and-fire neuron with one exponential synaptic current (``iaf_psc_exp`` in NEST)."""

    i_in = Port(unit=nA)
    tau_m, tau_s = Param(20 * ms), Param(5 * ms)
    r, i_offset = Param(10 * Mohm), Param(0 * nA)
    theta, v_reset, t_ref = Param(15 * mV), Param(0 * mV), Param(2 * ms)
    i, v = State(0 * nA), State(0 * mV)

    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (r * (i + i_offset) - v) / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset


@neuron
class LIFConductance:
    """Leaky integrate-and-fire neuron with an excitatory and an inhibitory conductance (``iaf_cond_exp`` in NEST)."""

    exc, inh = Port(unit=nS), Port(unit=nS)
    c_m, g_l, e_l = Param(250 * pF), Param(16.7 * nS), Param(-70 * mV)
    e_exc, e_inh = Param(0 * mV), Param(-85 * mV)
    tau_exc, tau_inh = Param(0.2 * ms), Param(2 * ms)
    theta, v_reset, t_ref = Param(-55 * mV), Param(-60 * mV), Param(2 * ms)
    i_offset = Param(0 * pA)
    g_exc, g_inh, v = State(0 * nS), State(0 * nS), State(e_l)

    g_exc.jump = exc
    g_inh.jump = inh
    g_exc.dot = -g_exc / tau_exc
    g_inh.dot = -g_inh / tau_inh
    v.dot = (g_l * (e_l - v) + g_exc * (e_exc - v) + g_inh * (e_inh - v) + i_offset) / c_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset


@neuron
class AdEx:
    """Adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005) with two conductances."""

    exc, inh = Port(unit=nS), Port(unit=nS)
    c_m, g_l, e_l = Param(281 * pF), Param(30 * nS), Param(-70.6 * mV)
    v_t, delta_t = Param(-50.4 * mV), Param(2 * mV)
    a, b, tau_w = Param(4 * nS), Param(80.5 * pA), Param(144 * ms)
    e_exc, e_inh = Param(0 * mV), Param(-85 * mV)
    tau_exc, tau_inh = Param(5 * ms), Param(10 * ms)
    v_peak, v_reset, t_ref = Param(0 * mV), Param(-60 * mV), Param(0 * ms)
    i_offset = Param(0 * pA)
    g_exc, g_inh, v, w = State(0 * nS), State(0 * nS), State(e_l), State(0 * pA)

    upstroke = g_l * delta_t * exp((where(v < v_peak, v, v_peak) - v_t) / delta_t)  # bounded: the spike ends at v_peak
    g_exc.jump = exc
    g_inh.jump = inh
    g_exc.dot = -g_exc / tau_exc
    g_inh.dot = -g_inh / tau_inh
    v.dot = (g_l * (e_l - v) + upstroke + g_exc * (e_exc - v) + g_inh * (e_inh - v) + i_offset - w) / c_m
    w.dot = (a * (v - e_l) - w) / tau_w
    spike = Event(when=v > v_peak, refractory=t_ref, hold=v)
    v.reset = v_reset
    w.reset = w + b


@neuron(method="euler")
class Izhikevich:
    """Izhikevich's simple model (2003): two variables, all the classes of cortical firing.

    ``v' = 0.04 v^2 + 5 v + 140 - u + I``, ``u' = a (b v - u)`` in mV and ms; forward Euler as published.
    """

    v_in = Port(unit=mV / ms)
    a, b = Param(0.02 / ms), Param(0.2 / ms)
    c, d = Param(-65 * mV), Param(8 * mV / ms)
    drive, v_peak = Param(0 * mV / ms), Param(30 * mV)
    v, u = State(c), State(-13 * mV / ms)

    v.dot = 0.04 / (ms * mV) * v**2 + 5 / ms * v + 140 * mV / ms - u + drive + v_in
    u.dot = a * (b * v - u)
    spike = Event(when=v >= v_peak)
    v.reset = c
    u.reset = u + d


@neuron
class LeakyIntegrator:
    """Leaky integrator that never fires: a read-out whose membrane is the output."""

    i_in = Port()
    tau_m, tau_s = Param(20 * ms), Param(5 * ms)
    i, v = State(0.0), State(0.0)

    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (i - v) / tau_m


@neuron
class VogelsAbbottCUBA:
    """The current-based neuron of the Vogels-Abbott benchmark (Brette et al. 2007, benchmark 2)."""

    exc, inh = Port(unit=mV), Port(unit=mV)
    tau_m, tau_e, tau_i = Param(20 * ms), Param(5 * ms), Param(10 * ms)
    e_l, theta, v_reset, t_ref = Param(-49 * mV), Param(-50 * mV), Param(-60 * mV), Param(5 * ms)
    g_e, g_i, v = State(0 * mV), State(0 * mV), State(-60 * mV)

    g_e.jump = exc
    g_i.jump = inh
    g_e.dot = -g_e / tau_e
    g_i.dot = -g_i / tau_i
    v.dot = (g_e + g_i - (v - e_l)) / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset


@neuron
class VogelsAbbottCOBA:
    """The conductance-based neuron of the Vogels-Abbott benchmark (Brette et al. 2007, benchmark 1).

    Conductances are in units of the leak conductance.
    """

    exc, inh = Port(), Port()
    tau_m, tau_e, tau_i = Param(20 * ms), Param(5 * ms), Param(10 * ms)
    e_l, e_e, e_i = Param(-60 * mV), Param(0 * mV), Param(-80 * mV)
    theta, v_reset, t_ref = Param(-50 * mV), Param(-60 * mV), Param(5 * ms)
    g_e, g_i, v = State(0.0), State(0.0), State(-60 * mV)

    g_e.jump = exc
    g_i.jump = inh
    g_e.dot = -g_e / tau_e
    g_i.dot = -g_i / tau_i
    v.dot = (e_l - v + g_e * (e_e - v) + g_i * (e_i - v)) / tau_m
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = v_reset
