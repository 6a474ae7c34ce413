"""From a neuron to spikes on two targets: the README's example."""

from neuromorph import *


@neuron
class LIF:
    i_in = Port(unit=nA)
    tau_m, tau_s, r, theta = Param(20 * ms), Param(5 * ms), Param(10 * Mohm), Param(15 * mV)
    i, v = State(0 * nA), State(0 * mV)
    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (r * i - v) / tau_m
    spike = Event(when=v > theta)
    v.reset = v - theta


network = Network(seed=1)
drive = network.population(EventSource.regular(100, rate=100 * Hz, duration=1 * second), 100, name="drive")
layer = network.population(LIF, 1000, name="layer")
network.project(drive, layer.i_in, FixedProbability(0.1), weight=1 * nA)
network.project(layer, layer.i_in, FixedInDegree(10), weight=-0.5 * nA, delay=2 * ms)
