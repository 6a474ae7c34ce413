"""The point neurons that SONATA's examples name, step by step as NEURON and NEST compute them.

The state at the end of step k is that of time k dt: a neuron first advances by dt, then takes what arrives at that
time. Step 0 is time 0, so nothing advances in it. An event sent at time t with delay d acts at t + d, also between
neurons. Between events everything linear is integrated exactly, so times are exact as long as spike times, delays and
refractory times are multiples of dt.
"""

from __future__ import annotations

from neuromorph.language import (
    Event,
    Expr,
    Param,
    Port,
    State,
    abs_,
    dt,
    exp,
    floor,
    maximum,
    neuron,
    step,
    tanh,
    where,
)
from neuromorph.units import ms, mV, pA, pF


def first_integral(z: Expr) -> Expr:
    """(exp(z) - 1) / z, the integral of exp(s z) over s from 0 to 1; by tanh, which keeps all digits near 0."""
    t = tanh(z / 2)
    return where(z == 0, 1.0, 2 * t / ((1 - t) * z))


def second_integral(z: Expr) -> Expr:
    """The integral of s exp(s z) over s from 0 to 1; a series where the closed form would lose digits."""
    series = 1 / 2 + z * (1 / 3 + z * (1 / 8 + z * (1 / 30 + z * (1 / 144 + z / 840))))
    return where(abs_(z) < 0.02, series, (exp(z) * (z - 1) + 1) / (z * z))


@neuron
class IntFire1:
    """NEURON's IntFire1: a leaky integrator of weights that fires above 1.

    Events that arrive less than ``refrac`` after a spike are lost; one that arrives right then counts. Weights that
    arrive at the same time are summed before the test (NEURON takes them one by one, in an order of its own).
    """

    w = Port()
    tau, refrac = Param(10 * ms), Param(5 * ms)
    m = State(0.0)
    deaf = maximum(-floor(1e-6 - refrac / dt) - 1, 0)
    m.next = m * exp(-dt / tau) + w
    spike = Event(when=m > 1, refractory=deaf * dt, hold=m)
    m.reset = 0.0


@neuron
class IafPscDelta:
    """NEST's iaf_psc_delta: the membrane jumps with every event; those that arrive while it is refractory are lost."""

    delta = Port(unit=mV)
    tau_m, C_m, t_ref = Param(10 * ms), Param(250 * pF), Param(2 * ms)
    E_L, V_th, V_reset = Param(-70 * mV), Param(-55 * mV), Param(-70 * mV)
    I_e = Param(0 * pA)
    V_m = State(-70 * mV)
    leak = exp(-dt / tau_m)
    steady = E_L + I_e * tau_m / C_m
    V_m.next = where(step > 0, leak * V_m + (1 - leak) * steady, V_m) + delta
    spike = Event(when=V_m >= V_th, refractory=t_ref, hold=V_m)
    V_m.reset = V_reset


@neuron
class IafPscExp:
    """NEST's iaf_psc_exp: currents of events decay exponentially; excitatory and inhibitory ones apart."""

    ex, inh = Port(unit=pA), Port(unit=pA)
    tau_m, C_m, t_ref = Param(10 * ms), Param(250 * pF), Param(2 * ms)
    E_L, V_th, V_reset = Param(-70 * mV), Param(-55 * mV), Param(-70 * mV)
    tau_syn_ex, tau_syn_in = Param(2 * ms), Param(2 * ms)
    I_e = Param(0 * pA)
    V_m, I_syn_ex, I_syn_in = State(-70 * mV), State(0 * pA), State(0 * pA)
    leak = exp(-dt / tau_m)
    steady = E_L + I_e * tau_m / C_m
    z_ex, z_in = dt / tau_m - dt / tau_syn_ex, dt / tau_m - dt / tau_syn_in
    from_ex, from_in = dt / C_m * leak * first_integral(z_ex), dt / C_m * leak * first_integral(z_in)
    V_m.next = where(step > 0, leak * V_m + (1 - leak) * steady, V_m) + from_ex * I_syn_ex + from_in * I_syn_in
    I_syn_ex.next = exp(-dt / tau_syn_ex) * I_syn_ex + ex
    I_syn_in.next = exp(-dt / tau_syn_in) * I_syn_in + inh
    spike = Event(when=V_m >= V_th, refractory=t_ref, hold=V_m)
    V_m.reset = V_reset


@neuron
class IafPscAlpha:
    """NEST's iaf_psc_alpha: the current of an event is an alpha function whose peak is its weight."""

    ex, inh = Port(unit=pA), Port(unit=pA)
    tau_m, C_m, t_ref = Param(10 * ms), Param(250 * pF), Param(2 * ms)
    E_L, V_th, V_reset = Param(-70 * mV), Param(-55 * mV), Param(-70 * mV)
    tau_syn_ex, tau_syn_in = Param(2 * ms), Param(2 * ms)
    I_e = Param(0 * pA)
    V_m, I_syn_ex, I_syn_in = State(-70 * mV), State(0 * pA), State(0 * pA)
    slope_syn_ex, slope_syn_in = State(0 * pA / ms), State(0 * pA / ms)
    leak = exp(-dt / tau_m)
    decay_ex, decay_in = exp(-dt / tau_syn_ex), exp(-dt / tau_syn_in)
    steady = E_L + I_e * tau_m / C_m
    z_ex, z_in = dt / tau_m - dt / tau_syn_ex, dt / tau_m - dt / tau_syn_in
    from_ex = dt / C_m * leak * (dt * second_integral(z_ex) * slope_syn_ex + first_integral(z_ex) * I_syn_ex)
    from_in = dt / C_m * leak * (dt * second_integral(z_in) * slope_syn_in + first_integral(z_in) * I_syn_in)
    V_m.next = where(step > 0, leak * V_m + (1 - leak) * steady, V_m) + from_ex + from_in
    I_syn_ex.next = dt * decay_ex * slope_syn_ex + decay_ex * I_syn_ex
    I_syn_in.next = dt * decay_in * slope_syn_in + decay_in * I_syn_in
    slope_syn_ex.next = decay_ex * slope_syn_ex + exp(1) / tau_syn_ex * ex
    slope_syn_in.next = decay_in * slope_syn_in + exp(1) / tau_syn_in * inh
    spike = Event(when=V_m >= V_th, refractory=t_ref, hold=V_m)
    V_m.reset = V_reset


@neuron
class Izhikevich:
    """NEST's izhikevich with consistent integration: forward Euler, in units of mV and ms; events add to V_m."""

    delta = Port()
    a, b, c, d = Param(0.02), Param(0.2), Param(-65.0), Param(8.0)
    V_th, I_e = Param(30.0), Param(0.0)
    V_m, U_m = State(-65.0), State(-13.0)
    h = where(step > 0, dt / ms, 0.0)
    V_m.next = V_m + h * (0.04 * V_m * V_m + 5 * V_m + 140 - U_m + I_e) + delta
    U_m.next = U_m + h * a * (b * V_m - U_m)
    spike = Event(when=V_m >= V_th)
    V_m.reset, U_m.reset = c, U_m + d
