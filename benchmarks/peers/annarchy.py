"""ANNarchy: float32, its own compiler flags, OpenMP threads as asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import ANNarchy as ann  # noqa: N813
import numpy as np

from . import Build, Built, Measured, Parameters, Setup, balanced_sizes, weight_results


def version() -> str:
    """Of ANNarchy."""
    return str(ann.__release__)


def cuba(net: Any, parameters: Parameters) -> tuple[Any, float, float, float]:
    """Brette et al. 2007, benchmark 2."""
    neuron = ann.Neuron(
        equations="""
        dv/dt = (g_exc + g_inh - (v + 49.0)) / 20.0 : exponential
        dg_exc/dt = -g_exc / 5.0 : exponential
        dg_inh/dt = -g_inh / 10.0 : exponential
        """,
        spike="v > -50.0",
        reset="v = -60.0",
        refractory=5.0,
    )
    cells = net.create(int(parameters["n"]), neuron)
    cells.v = ann.Uniform(-60.0, -50.0)
    return cells, 1.62, -9.0, 0.0


def cobahh(net: Any, parameters: Parameters) -> tuple[Any, float, float, float]:
    """Brette et al. 2007, benchmark 3; no refractory time, since ANNarchy would hold the gates meanwhile."""
    neuron = ann.Neuron(
        equations="""
        before = v
        u = v + 63.0
        am = 0.32 * (13.0 - u) / (exp((13.0 - u) / 4.0) - 1.0)
        bm = 0.28 * (u - 40.0) / (exp((u - 40.0) / 5.0) - 1.0)
        an = 0.032 * (15.0 - u) / (exp((15.0 - u) / 5.0) - 1.0)
        bn = 0.5 * exp((10.0 - u) / 40.0)
        ah = 0.128 * exp((17.0 - u) / 18.0)
        bh = 4.0 / (1.0 + exp((40.0 - u) / 5.0))
        dm/dt = am * (1.0 - m) - bm * m : exponential
        dn/dt = an * (1.0 - n) - bn * n : exponential
        dh/dt = ah * (1.0 - h) - bh * h : exponential
        dv/dt = (10.0 * (-65.0 - v) + g_exc * (0.0 - v) + g_inh * (-80.0 - v) + 20000.0 * m*m*m*h * (50.0 - v)
                 + 6000.0 * n*n*n*n * (-90.0 - v)) / 200.0 : exponential
        dg_exc/dt = -g_exc / 5.0 : exponential
        dg_inh/dt = -g_inh / 10.0 : exponential
        """,
        spike="(v > -20.0) and (before <= -20.0)",
        reset="",
    )
    cells = net.create(int(parameters["n"]), neuron)
    cells.v = ann.Normal(-70.0, 5.0)
    cells.g_exc = ann.Normal(40.0, 15.0)
    cells.g_inh = ann.Normal(200.0, 120.0)
    return cells, 6.0, 67.0, 0.0


def brunel(net: Any, parameters: Parameters) -> tuple[Any, float, float, float]:
    """Brunel 2000; the drive is Gaussian, with the mean and variance of Poisson numbers, which ANNarchy does not draw.

    Jumps are written as a steady state that the membrane nears, so that one step is (v + jumps) exp(-dt / tau).
    """
    weight = parameters["weight"]
    mean = parameters["eta"] * 20 / weight / 20 * 0.1
    gain = 1 / math.expm1(0.1 / 20)
    neuron = ann.Neuron(
        equations=f"""
        drive = Normal({mean}, {math.sqrt(mean)})
        dv/dt = ({gain} * (g_exc - g_inh + {weight} * drive) - v) / 20.0 : exponential
        """,
        spike="v > 20.0",
        reset=f"v = {parameters['v_reset']}",
        refractory=2.0,
    )
    cells = net.create(int(parameters["n"]), neuron)
    cells.v = ann.Uniform(0.0, 20.0)
    return cells, weight, parameters["g"] * weight, parameters["delay"]


def network(setup: Setup) -> Any:
    """An empty network."""
    net = ann.Network(dt=0.1, seed=setup.seed + 1)
    net.config(dtype=ann.float32, num_threads=max(1, setup.threads))
    return net


def balanced(
    describe: Callable[[Any, Parameters], tuple[Any, float, float, float]], parameters: Parameters, setup: Setup
) -> Built:
    """Connect the first four fifths and the rest, and compile."""
    net = network(setup)
    cells, excite, inhibit, delay = describe(net, parameters)
    n = int(parameters["n"])
    probability = parameters["probability"] if "probability" in parameters else parameters["in_degree"] / n
    cut = balanced_sizes(n)["exc"]
    parts = {"exc": cells[:cut], "inh": cells[cut:]}
    for (name, part), weight in zip(parts.items(), (excite, inhibit), strict=True):
        net.connect(part, cells, target=name).fixed_probability(probability, weights=weight, delays=delay)
    return compiled(net, parts, setup)


def compiled(net: Any, parts: dict[str, Any], setup: Setup, weights: Callable[[], Any] | None = None) -> Built:
    """Record spikes of some cells and compile."""
    monitors = {name: net.monitor(part, "spike") for name, part in parts.items()}
    net.compile(directory=f"{setup.folder}/", silent=True)

    def run(seconds: float) -> Measured:
        began = time.perf_counter()
        net.simulate(seconds * 1000)
        wall = time.perf_counter() - began
        fired = {name: sum(map(len, monitor.get("spike").values())) for name, monitor in monitors.items()}
        found = {name: fired[name] / len(part) / seconds for name, part in parts.items()}
        return Measured(wall, found | (weight_results(weights()) if weights else {}))

    return Built(run)


def stdp(parameters: Parameters, setup: Setup) -> Built:
    """Poisson inputs onto neurons, pair-based and additive between 0 and the largest weight."""
    net = network(setup)
    tau, w_max = parameters["tau"], parameters["w_max"]
    gain = 1 / math.expm1(0.1 / 20)
    neuron = ann.Neuron(
        equations=f"dv/dt = ({gain} * g_exc - v) / 20.0 : exponential",
        spike="v > 20.0",
        reset="v = 0.0",
        refractory=2.0,
    )
    synapse = ann.Synapse(
        equations=f"""
        dx/dt = -x / {tau} : event-driven
        dy/dt = -y / {tau} : event-driven
        """,
        pre_spike=f"""
        g_target += w
        x += {parameters["a_plus"] * w_max}
        w = clip(w - y, 0.0, {w_max})
        """,
        post_spike=f"""
        y += {parameters["a_minus"] * w_max}
        w = clip(w + x, 0.0, {w_max})
        """,
    )
    source = net.create(ann.PoissonPopulation(int(parameters["inputs"]), rates=parameters["rate"]))
    cells = net.create(int(parameters["n"]), neuron)
    projection = net.connect(source, cells, target="exc", synapse=synapse)
    projection.fixed_probability(parameters["probability"], weights=w_max / 2)
    return compiled(net, {"post": cells}, setup, lambda: np.concatenate(projection.w))


NETWORKS: dict[str, Build] = {
    name: partial(balanced, describe) for name, describe in {"cuba": cuba, "cobahh": cobahh, "brunel": brunel}.items()
} | {"stdp": stdp}
