"""The networks in Brian 2's language, for both of its modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brian2 as b

from . import Parameters, balanced_sizes


@dataclass(frozen=True)
class Description:
    """A network.

    Attributes
    ----------
    objects : list
        All that Brian 2 runs; monitors are named as the populations that they record.
    sizes : mapping of str to int
        Neurons of each population.
    plastic : bool
        Whether mean and deviation of ``plastic.w`` are results.
    """

    objects: list[Any]
    sizes: Mapping[str, int]
    plastic: bool = False


CUBA = """
dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
dge/dt = -ge / (5*ms) : volt
dgi/dt = -gi / (10*ms) : volt
"""
TRAUB_MILES = """
dv/dt = (10*nS*(-65*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v) + 20*uS*m*m*m*h*(50*mV - v)
         + 6*uS*n*n*n*n*(-90*mV - v)) / (200*pF) : volt
u = v + 63*mV : volt
dm/dt = 1.28/exprel((13*mV - u)/(4*mV))/ms*(1 - m) - 1.4/exprel((u - 40*mV)/(5*mV))/ms*m : 1
dn/dt = 0.16/exprel((15*mV - u)/(5*mV))/ms*(1 - n) - 0.5*exp((10*mV - u)/(40*mV))/ms*n : 1
dh/dt = 0.128*exp((17*mV - u)/(18*mV))/ms*(1 - h) - 4/(1 + exp((40*mV - u)/(5*mV)))/ms*h : 1
dge/dt = -ge/(5*ms) : siemens
dgi/dt = -gi/(10*ms) : siemens
"""


def cuba(parameters: Parameters) -> Description:
    """Brette et al. 2007, benchmark 2."""
    n = int(parameters["n"])
    group = b.NeuronGroup(n, CUBA, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * b.ms, method="exact")
    group.v = "-60*mV + rand() * 10*mV"
    objects = connected(group, n, parameters["probability"], "ge += 1.62*mV", "gi -= 9*mV")
    return Description([group, *objects], balanced_sizes(n))


def cobahh(parameters: Parameters) -> Description:
    """Brette et al. 2007, benchmark 3."""
    n = int(parameters["n"])
    group = b.NeuronGroup(n, TRAUB_MILES, threshold="v > -20*mV", refractory=3 * b.ms, method="exponential_euler")
    group.v = "-70*mV + 5*mV*randn()"
    group.ge = "40*nS + 15*nS*randn()"
    group.gi = "200*nS + 120*nS*randn()"
    objects = connected(group, n, parameters["probability"], "ge += 6*nS", "gi += 67*nS")
    return Description([group, *objects], balanced_sizes(n))


def brunel(parameters: Parameters) -> Description:
    """Brunel 2000 with a Poisson drive in each neuron."""
    n, weight = int(parameters["n"]), parameters["weight"]
    group = b.NeuronGroup(
        n,
        "dv/dt = -v / (20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset=f"v = {parameters['v_reset']}*mV",
        refractory=2 * b.ms,
        method="exact",
    )
    group.v = "20*mV*rand()"
    in_a_step = parameters["eta"] * 20 / weight / 20 * 0.1
    drive = group.run_regularly(f"v += {weight}*mV * poisson({in_a_step})", when="synapses")
    excite, inhibit = f"v += {weight}*mV", f"v -= {parameters['g'] * weight}*mV"
    objects = connected(group, n, parameters["in_degree"] / n, excite, inhibit, parameters["delay"] * b.ms)
    return Description([group, drive, *objects], balanced_sizes(n))


def connected(group: Any, n: int, probability: float, excite: str, inhibit: str, delay: Any = None) -> list[Any]:
    """Synapses from the first four fifths and from the rest, and a monitor of each."""
    objects = []
    for name, part, action in (("exc", group[: n * 4 // 5], excite), ("inh", group[n * 4 // 5 :], inhibit)):
        synapses = b.Synapses(part, group, on_pre=action, delay=delay)
        synapses.connect(p=probability)
        objects += [synapses, b.SpikeMonitor(part, name=name)]
    return objects


def stdp(parameters: Parameters) -> Description:
    """Poisson inputs onto neurons, pair-based and additive between 0 and the largest weight."""
    inputs, n, w_max, tau = int(parameters["inputs"]), int(parameters["n"]), parameters["w_max"], parameters["tau"]
    source = b.PoissonGroup(inputs, parameters["rate"] * b.Hz)
    group = b.NeuronGroup(
        n,
        "dv/dt = -v / (20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 0*mV",
        refractory=2 * b.ms,
        method="exact",
    )
    synapses = b.Synapses(
        source,
        group,
        f"""
        w : volt
        dx/dt = -x / ({tau}*ms) : volt (event-driven)
        dy/dt = -y / ({tau}*ms) : volt (event-driven)
        """,
        on_pre=f"""
        v_post += w
        x += {parameters["a_plus"] * w_max}*mV
        w = clip(w - y, 0*mV, {w_max}*mV)
        """,
        on_post=f"""
        y += {parameters["a_minus"] * w_max}*mV
        w = clip(w + x, 0*mV, {w_max}*mV)
        """,
        delay={"pre": 0.1 * b.ms},
        name="plastic",
    )
    synapses.connect(p=parameters["probability"])
    synapses.w = w_max / 2 * b.mV
    return Description([source, group, synapses, b.SpikeMonitor(group, name="post")], {"post": n}, plastic=True)


NETWORKS = {"cuba": cuba, "cobahh": cobahh, "brunel": brunel, "stdp": stdp}
