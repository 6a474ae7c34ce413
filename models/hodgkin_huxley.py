"""Neurons with voltage-gated sodium and potassium channels."""

from __future__ import annotations

from neuromorph.language import Event, Expr, Param, Port, State, abs_, exp, neuron, where
from neuromorph.units import Quantity, ms, mV, nS, pF


def opening(distance: Expr, slope: Quantity) -> Expr:
    """``x / (exp(x) - 1)`` of ``x = distance / slope``, by its series where the quotient would be 0 / 0."""
    x = distance / slope
    return where(abs_(x) < 0.05, 1 - x / 2 + x * x / 12, x / (exp(x) - 1))


@neuron
class TraubMilesCOBA:
    """Hodgkin-Huxley neuron of the COBAHH benchmark (Brette et al. 2007, benchmark 3; NEST: ``hh_cond_exp_traub``).

    Sodium and delayed-rectifier potassium currents after Traub and Miles (1991), two exponential conductances. An
    action potential is one event, since it stays above ``theta`` for less than ``t_ref``; nothing is reset.
    """

    exc, inh = Port(unit=nS), Port(unit=nS)
    c_m, g_l, g_na, g_k = Param(200 * pF), Param(10 * nS), Param(20_000 * nS), Param(6_000 * nS)
    e_l, e_na, e_k = Param(-65 * mV), Param(50 * mV), Param(-90 * mV)
    e_exc, e_inh = Param(0 * mV), Param(-80 * mV)
    tau_exc, tau_inh = Param(5 * ms), Param(10 * ms)
    v_t, theta, t_ref = Param(-63 * mV), Param(-20 * mV), Param(3 * ms)
    g_exc, g_inh, v = State(0 * nS), State(0 * nS), State(e_l)
    m, n, h = State(0.0), State(0.0), State(0.0)  # open activation gates of Na and K, inactivation gate of Na

    g_exc.jump = exc
    g_inh.jump = inh
    g_exc.dot = -g_exc / tau_exc
    g_inh.dot = -g_inh / tau_inh

    u = v - v_t
    m.dot = 1.28 * opening(13 * mV - u, 4 * mV) / ms * (1 - m) - 1.4 * opening(u - 40 * mV, 5 * mV) / ms * m
    n.dot = 0.16 * opening(15 * mV - u, 5 * mV) / ms * (1 - n) - 0.5 * exp((10 * mV - u) / (40 * mV)) / ms * n
    h.dot = 0.128 * exp((17 * mV - u) / (18 * mV)) / ms * (1 - h) - 4 / ms / (1 + exp((40 * mV - u) / (5 * mV))) * h
    i_na = g_na * m**3 * h * (e_na - v)
    i_k = g_k * n**4 * (e_k - v)
    v.dot = (g_l * (e_l - v) + g_exc * (e_exc - v) + g_inh * (e_inh - v) + i_na + i_k) / c_m
    spike = Event(when=v > theta, refractory=t_ref)
