"""NEST's point neurons with synapses that are conductances.

Conductances are known exactly at any time of a step; the potential follows by the classical method of Runge and Kutta.
NEST integrates both by a method of Fehlberg's with a step that it controls, to 0.001 mV.
"""

from __future__ import annotations

from neuromorph.language import Event, Expr, Param, Port, State, dt, exp, neuron, step, where
from neuromorph.units import ms, mV, nS, pA, pF

Course = tuple[Expr, Expr, Expr]
"""A conductance at the beginning, in the middle and at the end of a step."""


def _exponential(g: Expr, tau: Expr) -> Course:
    return g, exp(-dt / (2 * tau)) * g, exp(-dt / tau) * g


def _alpha(g: Expr, slope: Expr, tau: Expr) -> Course:
    return g, exp(-dt / (2 * tau)) * (g + dt / 2 * slope), exp(-dt / tau) * (g + dt * slope)


def _advanced(v: Expr, membrane: tuple[Expr, Expr, Expr, Expr], *synapses: tuple[Expr, Course]) -> Expr:
    """The potential a step later, but in step 0, which is time 0.

    Parameters
    ----------
    v : Expr
    membrane : (leak conductance, its reversal potential, capacitance, current)
    *synapses : (reversal potential, Course)
    """
    leak, rest, capacitance, current = membrane

    def slope(at: Expr, when: int) -> Expr:
        total = leak * (rest - at) + current
        for reversal, course in synapses:
            total = total + course[when] * (reversal - at)
        return total / capacitance

    k1 = slope(v, 0)
    k2 = slope(v + dt / 2 * k1, 1)
    k3 = slope(v + dt / 2 * k2, 1)
    k4 = slope(v + dt * k3, 2)
    return where(step > 0, v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4), v)


@neuron
class IafCondExp:
    """NEST's iaf_cond_exp: the conductance of an event decays exponentially."""

    ex, inh = Port(unit=nS), Port(unit=nS)
    g_l, C_m, t_ref = Param(16.6667 * nS), Param(250 * pF), Param(2 * ms)
    E_L, V_th, V_reset = Param(-70 * mV), Param(-55 * mV), Param(-60 * mV)
    E_ex, E_in = Param(0 * mV), Param(-85 * mV)
    tau_syn_ex, tau_syn_in = Param(0.2 * ms), Param(2 * ms)
    I_e = Param(0 * pA)
    V_m, g_ex, g_in = State(-70 * mV), State(0 * nS), State(0 * nS)
    V_m.next = _advanced(
        V_m, (g_l, E_L, C_m, I_e), (E_ex, _exponential(g_ex, tau_syn_ex)), (E_in, _exponential(g_in, tau_syn_in))
    )
    g_ex.next = exp(-dt / tau_syn_ex) * g_ex + ex
    g_in.next = exp(-dt / tau_syn_in) * g_in + inh
    spike = Event(when=V_m >= V_th, refractory=t_ref, hold=V_m)
    V_m.reset = V_reset


@neuron
class IafCondAlpha:
    """NEST's iaf_cond_alpha: the conductance of an event is an alpha function whose peak is its weight."""

    ex, inh = Port(unit=nS), Port(unit=nS)
    g_l, C_m, t_ref = Param(16.6667 * nS), Param(250 * pF), Param(2 * ms)
    E_L, V_th, V_reset = Param(-70 * mV), Param(-55 * mV), Param(-60 * mV)
    E_ex, E_in = Param(0 * mV), Param(-85 * mV)
    tau_syn_ex, tau_syn_in = Param(0.2 * ms), Param(2 * ms)
    I_e = Param(0 * pA)
    V_m, g_ex, g_in = State(-70 * mV), State(0 * nS), State(0 * nS)
    dg_ex, dg_in = State(0 * nS / ms), State(0 * nS / ms)
    V_m.next = _advanced(
        V_m,
        (g_l, E_L, C_m, I_e),
        (E_ex, _alpha(g_ex, dg_ex, tau_syn_ex)),
        (E_in, _alpha(g_in, dg_in, tau_syn_in)),
    )
    g_ex.next = exp(-dt / tau_syn_ex) * (g_ex + dt * dg_ex)
    g_in.next = exp(-dt / tau_syn_in) * (g_in + dt * dg_in)
    dg_ex.next = exp(-dt / tau_syn_ex) * dg_ex + exp(1) / tau_syn_ex * ex
    dg_in.next = exp(-dt / tau_syn_in) * dg_in + exp(1) / tau_syn_in * inh
    spike = Event(when=V_m >= V_th, refractory=t_ref, hold=V_m)
    V_m.reset = V_reset
