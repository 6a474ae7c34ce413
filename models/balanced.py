"""Balanced networks of excitatory and inhibitory neurons: the benchmarks that simulators are compared on."""

from __future__ import annotations

from neuromorph.language import Neuron
from neuromorph.network import FixedInDegree, FixedProbability, Network, Normal, OneToOne, Population, Uniform
from neuromorph.units import Hz, Quantity, ms, mV, nS

from .hodgkin_huxley import TraubMilesCOBA
from .integrate_and_fire import LIFDelta, LIFDeltaPoisson, VogelsAbbottCOBA, VogelsAbbottCUBA
from .sources import PoissonSource

TAU, THETA = 20 * ms, 20 * mV
"""Membrane time constant and threshold of Brunel's neurons."""


def cuba(n: int = 4000, *, probability: float = 0.02, seed: int = 0) -> Network:
    """Vogels-Abbott network with current-based synapses (Brette et al. 2007, benchmark 2).

    Parameters
    ----------
    n : int
        Neurons; four fifths are excitatory.
    probability : float
        Chance of each connection: 0.02 gives 320,000 synapses for 4,000 neurons.
    seed : int

    Returns
    -------
    Network
        Populations ``exc`` and ``inh``; fires by itself from random initial voltages.
    """
    neuron = VogelsAbbottCUBA(v=Uniform(-60 * mV, -50 * mV))
    return _vogels_abbott("cuba", neuron, n, probability, (60 * 0.27 / 10 * mV, -20 * 4.5 / 10 * mV), seed)


def coba(n: int = 4000, *, probability: float = 0.02, seed: int = 0) -> Network:
    """Vogels-Abbott network with conductance-based synapses (Brette et al. 2007, benchmark 1); see :func:`cuba`."""
    neuron = VogelsAbbottCOBA(v=Uniform(-60 * mV, -50 * mV), g_e=Uniform(0.0, 0.6), g_i=Uniform(0.0, 3.0))
    return _vogels_abbott("coba", neuron, n, probability, (0.6, 6.7), seed)


def cobahh(n: int = 4000, *, probability: float = 0.02, seed: int = 0) -> Network:
    """The conductance-based network of Hodgkin-Huxley neurons (Brette et al. 2007, benchmark 3); see :func:`cuba`."""
    neuron = TraubMilesCOBA(
        v=Normal(-70 * mV, 5 * mV), g_exc=Normal(40 * nS, 15 * nS), g_inh=Normal(200 * nS, 120 * nS)
    )
    return _vogels_abbott("cobahh", neuron, n, probability, (6 * nS, 67 * nS), seed)


def _vogels_abbott(
    name: str, neuron: Neuron, n: int, probability: float, weights: tuple[Quantity | float, Quantity | float], seed: int
) -> Network:
    """Four fifths excitatory, one fifth inhibitory; weights (from excitatory, from inhibitory) neurons."""
    net = Network(seed=seed, name=name)
    exc, inh = net.population(neuron, n * 4 // 5, name="exc"), net.population(neuron, n - n * 4 // 5, name="inh")
    for post in (exc, inh):
        net.project(exc, post.exc, FixedProbability(probability), weight=weights[0])
        net.project(inh, post.inh, FixedProbability(probability), weight=weights[1])
    return net


def brunel(
    n: int = 10_000,
    in_degree: int = 1000,
    *,
    g: float = 5.0,
    eta: float = 2.0,
    weight: Quantity = 0.1 * mV,
    delay: Quantity = 1.5 * ms,
    seed: int = 0,
) -> Network:
    """Brunel's sparse random network (2000) of delta-synapse neurons with private Poisson drive.

    Parameters
    ----------
    n : int
        Neurons; four fifths are excitatory.
    in_degree : int
        Synapses that each neuron receives from the network; four fifths are excitatory.
    g : float
        Strength of inhibition relative to excitation.
    eta : float
        External rate relative to the one that brings a silent neuron to threshold.
    weight, delay : Quantity
        Excitatory weight and delay of every synapse.
    seed : int

    Returns
    -------
    Network
        Populations ``exc``, ``inh`` and their drives ``drive_exc``, ``drive_inh`` (not recorded).
    """
    net = Network(seed=seed, name="brunel")
    n_exc, k_exc = n * 4 // 5, in_degree * 4 // 5
    neuron = LIFDelta(tau_m=TAU, theta=THETA, v_reset=10 * mV, t_ref=2 * ms, v=Uniform(0 * mV, THETA))
    exc, inh = net.population(neuron, n_exc, name="exc"), net.population(neuron, n - n_exc, name="inh")
    for post in (exc, inh):
        net.project(exc, post.v_in, FixedInDegree(k_exc), weight=weight, delay=delay)
        net.project(inh, post.v_in, FixedInDegree(in_degree - k_exc), weight=-g * weight, delay=delay)
    _drive(net, (exc, inh), drive_rate(eta, weight), weight)
    return net


def brunel_driven(
    n: int = 10_000,
    in_degree: int = 1000,
    *,
    g: float = 5.0,
    eta: float = 2.0,
    weight: Quantity = 0.1 * mV,
    delay: Quantity = 1.5 * ms,
    v_reset: Quantity = 0 * mV,
    seed: int = 0,
) -> Network:
    """The network of :func:`brunel` as simulators are compared on it.

    Neurons draw their Poisson drive themselves, and each connection exists with one probability, so that a neuron has
    ``in_degree`` inputs on average: both can be said alike in every simulator. Parameters as there; NEST's examples of
    this network reset to 0 mV, Brunel's paper to 10 mV.

    Returns
    -------
    Network
        Populations ``exc`` and ``inh``.
    """
    net = Network(seed=seed, name="brunel_driven")
    neuron = LIFDeltaPoisson(
        tau_m=TAU,
        theta=THETA,
        v_reset=v_reset,
        t_ref=2 * ms,
        rate=drive_rate(eta, weight),
        drive_weight=weight,
        v=Uniform(0 * mV, THETA),
    )
    exc, inh = net.population(neuron, n * 4 // 5, name="exc"), net.population(neuron, n - n * 4 // 5, name="inh")
    rule = FixedProbability(in_degree / n)
    for post in (exc, inh):
        net.project(exc, post.v_in, rule, weight=weight, delay=delay)
        net.project(inh, post.v_in, rule, weight=-g * weight, delay=delay)
    return net


def drive_rate(eta: float, weight: Quantity) -> Quantity:
    """``eta`` times the rate of inputs of ``weight`` that alone would hold the membrane at threshold."""
    return eta * float(THETA / weight) / float(TAU / ms) * 1000 * Hz


def _drive(net: Network, populations: tuple[Population, ...], rate: Quantity, weight: Quantity) -> None:
    """Give every neuron a Poisson source of its own."""
    for post in populations:
        source = net.population(PoissonSource(rate=rate), post.size, name=f"drive_{post.name}", record=False)
        net.project(source, post.v_in, OneToOne(), weight=weight)
