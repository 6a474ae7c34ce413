"""Plastic synapses: spike-timing dependence of pairs and triplets, a third factor, and eligibility propagation.

Give one to a projection: ``net.project(pre, post.exc, rule, weight=..., synapse=PairSTDP(w_max=0.8))``. Weights are
numbers in the unit of the port, so ``w_max=0.8`` at a port in nS is 0.8 nS. "All to all" means that every earlier event
of the other side counts, by a trace that decays from event to event.
"""

from __future__ import annotations

from neuromorph.language import (
    Event,
    Param,
    Port,
    PostState,
    PostView,
    PreState,
    State,
    Third,
    Weight,
    abs_,
    dt,
    exp,
    log,
    maximum,
    minimum,
    neuron,
    synapse,
)
from neuromorph.units import ms, second


@synapse
class PairSTDP:
    """Pairs of events, all to all; steps do not depend on the weight (additive), which stays in [0, w_max].

    S. Song, K. D. Miller, L. F. Abbott, Nature Neuroscience 3, 919 (2000). An event of the target after one of the
    source by a time t adds ``a_plus exp(-t / tau_plus)``; the other way round ``a_minus exp(-t / tau_minus)`` is
    taken away.
    """

    tau_plus, tau_minus = Param(20 * ms), Param(20 * ms)
    a_plus, a_minus, w_max = Param(0.005), Param(0.00525), Param(1.0)
    x = PreState(0.0)
    y = PostState(0.0)
    w = Weight()

    x.dot = -x / tau_plus
    y.dot = -y / tau_minus
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = maximum(w - a_minus * y, 0)
    w.on_post = minimum(w + a_plus * x, w_max)


@synapse
class MultiplicativeSTDP:
    """Pairs of events, all to all; steps shrink in proportion to the distance from the bounds 0 and w_max.

    J. Rubin, D. D. Lee, H. Sompolinsky, Phys. Rev. Lett. 86, 364 (2001): :class:`PowerLawSTDP` with mu = 1.
    """

    tau_plus, tau_minus = Param(20 * ms), Param(20 * ms)
    rate, alpha, w_max = Param(0.005), Param(1.05), Param(1.0)
    x = PreState(0.0)
    y = PostState(0.0)
    w = Weight()

    x.dot = -x / tau_plus
    y.dot = -y / tau_minus
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = maximum(w - rate * alpha * w * y, 0)
    w.on_post = minimum(w + rate * (w_max - w) * x, w_max)


@synapse
class PowerLawSTDP:
    """Pairs of events, all to all; steps shrink with a power ``mu > 0`` of the distance from the bounds 0 and w_max.

    R. Gütig, R. Aharonov, S. Rotter, H. Sompolinsky, J. Neurosci. 23, 3697 (2003), equations 2 and 3, with their
    ``lambda`` called ``rate``.
    """

    tau_plus, tau_minus = Param(20 * ms), Param(20 * ms)
    rate, alpha, mu, w_max = Param(0.005), Param(1.05), Param(0.02), Param(1.0)
    x = PreState(0.0)
    y = PostState(0.0)
    w = Weight()

    part = w / w_max
    x.dot = -x / tau_plus
    y.dot = -y / tau_minus
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = maximum(w - w_max * rate * alpha * exp(mu * log(part)) * y, 0)
    w.on_post = minimum(w + w_max * rate * exp(mu * log(1 - part)) * x, w_max)


@synapse
class VanRossumSTDP:
    """Pairs of events, all to all; depression in proportion to the weight, potentiation of one size; no upper bound.

    M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano, J. Neurosci. 20, 8812 (2000), without its noise; the step of
    potentiation, 7 pS, is written for a port in nS.
    """

    tau_plus, tau_minus = Param(20 * ms), Param(20 * ms)
    a_plus, a_minus = Param(0.007), Param(0.003)
    x = PreState(0.0)
    y = PostState(0.0)
    w = Weight()

    x.dot = -x / tau_plus
    y.dot = -y / tau_minus
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = maximum(w - a_minus * w * y, 0)
    w.on_post = w + a_plus * x


@synapse
class TripletSTDP:
    """Pairs and triplets of events, all to all, in steps of ``unit``.

    J.-P. Pfister, W. Gerstner, J. Neurosci. 26, 9673 (2006), equations 3 and 4; the parameters are those of the full
    model for visual cortex. :data:`TRIPLET_PARAMETERS` has the published sets, as in
    ``TripletSTDP(**TRIPLET_PARAMETERS["hippocampus"])``.
    """

    tau_plus, tau_minus = Param(16.8 * ms), Param(33.7 * ms)
    tau_x, tau_y = Param(101 * ms), Param(125 * ms)
    a2_plus, a3_plus = Param(5e-10), Param(6.2e-3)
    a2_minus, a3_minus = Param(7e-3), Param(2.3e-4)
    unit, w_max = Param(1.0), Param(1e6)
    r1, r2 = PreState(0.0), PreState(0.0)
    o1, o2 = PostState(0.0), PostState(0.0)
    w = Weight()

    r1.dot = -r1 / tau_plus
    r2.dot = -r2 / tau_x
    o1.dot = -o1 / tau_minus
    o2.dot = -o2 / tau_y
    r1.on_pre = r1 + 1
    r2.on_pre = r2 + 1
    o1.on_post = o1 + 1
    o2.on_post = o2 + 1
    w.on_pre = maximum(w - unit * o1 * (a2_minus + a3_minus * r2), 0)
    w.on_post = minimum(w + unit * r1 * (a2_plus + a3_plus * o2), w_max)


TRIPLET_PARAMETERS = {
    "visual cortex": {
        "a2_plus": 5e-10,
        "a3_plus": 6.2e-3,
        "a2_minus": 7e-3,
        "a3_minus": 2.3e-4,
        "tau_x": 101 * ms,
        "tau_y": 125 * ms,
    },
    "visual cortex, minimal": {
        "a2_plus": 0.0,
        "a3_plus": 6.5e-3,
        "a2_minus": 7.1e-3,
        "a3_minus": 0.0,
        "tau_y": 114 * ms,
    },
    "hippocampus": {
        "a2_plus": 6.1e-3,
        "a3_plus": 6.7e-3,
        "a2_minus": 1.6e-3,
        "a3_minus": 1.4e-3,
        "tau_x": 946 * ms,
        "tau_y": 27 * ms,
    },
    "hippocampus, minimal": {
        "a2_plus": 5.3e-3,
        "a3_plus": 8e-3,
        "a2_minus": 3.5e-3,
        "a3_minus": 0.0,
        "tau_y": 40 * ms,
    },
}
"""Fits of the all-to-all triplet model: tables 3 (hippocampal culture) and 4 (visual cortex) of Pfister and Gerstner
(2006); ``tau_plus`` and ``tau_minus`` are 16.8 and 33.7 ms in all."""


@synapse
class DopamineSTDP:
    """Pairs of events leave an eligibility, which a third factor ``d`` turns into a change of the weight.

    E. M. Izhikevich, Cerebral Cortex 17, 2443 (2007), equations 1 to 3: ``c' = -c / tau_c + STDP``, ``w' = rate c d``.
    The steps of STDP and the bound are those of its published program, for weights in mV. Project with
    ``third=net.population(Dopamine)``, or with one such neuron for each target.
    """

    tau_plus, tau_minus, tau_c = Param(20 * ms), Param(20 * ms), Param(1 * second)
    a_plus, a_minus, w_max = Param(0.1), Param(0.15), Param(4.0)
    rate = Param(1 / second)
    d = Third("d")
    x = PreState(0.0)
    y = PostState(0.0)
    c = State(0.0)
    w = Weight()

    x.dot = -x / tau_plus
    y.dot = -y / tau_minus
    c.dot = -c / tau_c
    w.next = minimum(maximum(w + dt * rate * c * d, 0), w_max)
    x.on_pre = x + 1
    y.on_post = y + 1
    c.on_pre = c - a_minus * y
    c.on_post = c + a_plus * x


@neuron
class Dopamine:
    """Concentration of a neuromodulator: what arrives is released and is taken up again (Izhikevich 2007)."""

    release = Port()
    tau_d = Param(0.2 * second)
    d = State(0.0)

    d.jump = release
    d.dot = -d / tau_d


@neuron
class ALIF:
    """Leaky integrate-and-fire neuron with adaptive threshold, step by step; with ``beta=0`` without adaptation.

    G. Bellec et al., Nature Communications 11, 3625 (2020), with the pseudo-derivative ``psi`` that e-prop needs.
    """

    i_in = Port()
    tau_m, tau_a = Param(20 * ms), Param(200 * ms)
    theta, beta, gamma = Param(1.0), Param(0.0), Param(0.3)
    v, a = State(0.0), State(0.0)

    rho = exp(-dt / tau_a)
    v.next = exp(-dt / tau_m) * v + i_in
    a.next = rho * a
    level = theta + beta * a
    psi = gamma / theta * maximum(0, 1 - abs_(v - level) / theta)
    spike = Event(when=v > level)
    v.reset = v - theta
    a.reset = a + 1 / rho  # the next step makes it rho a + 1


@synapse
class EProp:
    """Eligibility propagation for :class:`ALIF`: the gradient of a loss as far as it is known online.

    G. Bellec et al., Nature Communications 11, 3625 (2020), equations 23 to 25 of the methods. ``Third("signal")`` is
    the learning signal of each target. ``gradient`` adds up signal times filtered eligibility; every step moves the
    weight against it by ``rate``, none by default. Parameters that the neuron has, too, must agree with it; ``tau_out``
    is that of the readout.
    """

    tau_m, tau_a, tau_out = Param(20 * ms), Param(200 * ms), Param(20 * ms)
    beta, rate = Param(0.0), Param(0.0)
    psi = PostView("psi")
    signal = Third("signal")
    x = PreState(0.0)
    slow, filtered, gradient = State(0.0), State(0.0), State(0.0)
    w = Weight()

    eligibility = psi * (x - beta * slow)
    smooth = exp(-dt / tau_out) * filtered + eligibility
    x.next = exp(-dt / tau_m) * x
    x.on_pre = x + 1
    slow.next = psi * x + (exp(-dt / tau_a) - psi * beta) * slow
    filtered.next = smooth
    gradient.next = gradient + signal * smooth
    w.next = w - rate * signal * smooth
