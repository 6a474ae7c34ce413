"""Our CPU engine."""

from __future__ import annotations

import time
from typing import Literal

import neuromorph
from neuromorph import CPU, FixedProbability, Hz, Live, Network, ms, mV, second
from neuromorph.models import BernoulliSource, LIFDelta, balanced
from neuromorph.models.egru_layers import egru_layer
from neuromorph.models.plasticity import PairSTDP
from neuromorph.network import Projection

from . import Build, Built, Measured, Parameters, Setup, egru_tokens, weight_results


def version() -> str:
    """Of the package."""
    return neuromorph.__version__


def compiled(network: Network, setup: Setup, plastic: Projection | None = None) -> Built:
    """Compile a spiking network; its results are rates, and what became of plastic weights."""
    recorded = [p for p in network.populations if p.record_events]
    program = CPU(threads=setup.threads or None).compile(network, dt=0.1 * ms, progress=False)

    def run(seconds: float) -> Measured:
        began = time.perf_counter()
        trace = program.run(seconds * second, progress=False)
        wall = time.perf_counter() - began
        found = {p.name: trace.count(p.name) / p.size / seconds for p in recorded}
        if plastic is not None:
            found |= weight_results(program.synapses(plastic).weights / mV)
        return Measured(wall, found)

    return Built(run)


def cuba(parameters: Parameters, setup: Setup) -> Built:
    """See :func:`neuromorph.models.balanced.cuba`."""
    return compiled(balanced.cuba(int(parameters["n"]), probability=parameters["probability"], seed=setup.seed), setup)


def cobahh(parameters: Parameters, setup: Setup) -> Built:
    """See :func:`neuromorph.models.balanced.cobahh`."""
    return compiled(
        balanced.cobahh(int(parameters["n"]), probability=parameters["probability"], seed=setup.seed), setup
    )


def brunel_network(parameters: Parameters, seed: int) -> Network:
    """See :func:`neuromorph.models.balanced.brunel_driven`."""
    return balanced.brunel_driven(
        int(parameters["n"]),
        int(parameters["in_degree"]),
        g=parameters["g"],
        eta=parameters["eta"],
        weight=parameters["weight"] * mV,
        delay=parameters["delay"] * ms,
        v_reset=parameters["v_reset"] * mV,
        seed=seed,
    )


def brunel(parameters: Parameters, setup: Setup) -> Built:
    """Brunel's network with its drive in the neurons."""
    return compiled(brunel_network(parameters, setup.seed), setup)


def stdp(parameters: Parameters, setup: Setup) -> Built:
    """Bernoulli inputs onto neurons, pair-based and additive between 0 and the largest weight."""
    w_max, tau = parameters["w_max"], parameters["tau"] * ms
    net = Network(seed=setup.seed, name="stdp")
    source = net.population(BernoulliSource(rate=parameters["rate"] * Hz), int(parameters["inputs"]), record=False)
    post = net.population(LIFDelta(v_reset=0 * mV), int(parameters["n"]), name="post")
    rule = FixedProbability(parameters["probability"])
    synapse = PairSTDP(
        tau_plus=tau,
        tau_minus=tau,
        a_plus=parameters["a_plus"] * w_max,
        a_minus=parameters["a_minus"] * w_max,
        w_max=w_max,
    )
    projection = net.project(source, post.v_in, rule, weight=w_max / 2 * mV, synapse=synapse)
    return compiled(net, setup, projection)


def egru(parameters: Parameters, setup: Setup, weights: Literal["int8"] | None = "int8") -> Built:
    """One layer of EGRUs, int8 weights; see :func:`neuromorph.models.egru_layers.egru_layer`."""
    net = Network(seed=setup.seed, name="egru")
    tokens = egru_tokens.tokens(parameters, setup.seed)
    source = net.population(Live(tokens.shape[1], graded=True), record=False)
    layer = egru_layer(net, source, egru_tokens.weights(parameters, setup.seed), start=1, name="layer")
    program = CPU(threads=setup.threads or None, weights=weights).compile(net, dt=1 * ms, progress=False)
    live = program.live(outputs=[layer])
    count = 0

    def step(number: int) -> None:
        nonlocal count
        live.step({source: tokens[number]})
        count += len(live[layer].indices)

    def fired() -> float:
        nonlocal count
        taken, count = count, 0
        return taken

    return egru_tokens.one_by_one(step, fired, layer.size)


NETWORKS: dict[str, Build] = {"cuba": cuba, "cobahh": cobahh, "brunel": brunel, "stdp": stdp, "egru": egru}
