"""NEST: spikes on the grid, homogeneous weights, threads as asked for. It computes in double precision only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import nest

from . import Build, Built, Measured, Parameters, Setup, balanced_sizes, weight_results


def version() -> str:
    """Of NEST."""
    return str(nest.__version__)


def start(setup: Setup) -> None:
    """An empty kernel."""
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.set(resolution=0.1, local_num_threads=max(1, setup.threads), rng_seed=setup.seed + 1, print_time=False)


def connected(cells: Any, probability: float, excite: float, inhibit: float, delay: float) -> Built:
    """Connect the first four fifths and the rest, each with a weight of its own, and record both."""
    cut = balanced_sizes(len(cells))["exc"]
    populations = {"exc": (cells[:cut], excite), "inh": (cells[cut:], inhibit)}
    for name, (part, weight) in populations.items():
        nest.CopyModel("static_synapse_hom_w", f"from_{name}", {"weight": weight, "delay": delay})
        rule = {"rule": "pairwise_bernoulli", "p": probability}
        nest.Connect(part, cells, rule, {"synapse_model": f"from_{name}"})
    return recorded({name: part for name, (part, _) in populations.items()})


def recorded(populations: dict[str, Any], weights: Callable[[], Any] | None = None) -> Built:
    """Record spikes of populations, and make ready to run."""
    recorders = {name: nest.Create("spike_recorder") for name in populations}
    for name, part in populations.items():
        nest.Connect(part, recorders[name])
    nest.Prepare()

    def run(seconds: float) -> Measured:
        before = {name: recorder.n_events for name, recorder in recorders.items()}
        began = time.perf_counter()
        nest.Run(seconds * 1000)
        wall = time.perf_counter() - began
        found = {name: (recorders[name].n_events - before[name]) / len(populations[name]) / seconds for name in before}
        return Measured(wall, found | (weight_results(weights()) if weights else {}))

    return Built(run)


def cuba(parameters: Parameters, setup: Setup) -> Built:
    """Brette et al. 2007, benchmark 2; a current in pA stands for a conductance variable in mV."""
    start(setup)
    constants = {"C_m": 20.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "t_ref": 5.0}
    constants |= {"E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "I_e": 0.0}
    cells = nest.Create("iaf_psc_exp", int(parameters["n"]), constants)
    cells.V_m = nest.random.uniform(-60.0, -50.0)
    return connected(cells, parameters["probability"], 1.62, -9.0, 0.1)


def cobahh(parameters: Parameters, setup: Setup) -> Built:
    """Brette et al. 2007, benchmark 3; NEST integrates it with an adaptive Runge-Kutta method.

    Initial conductances cannot be set, so they arrive as one spike.
    """
    start(setup)
    constants = {"C_m": 200.0, "g_L": 10.0, "g_Na": 20000.0, "g_K": 6000.0, "V_T": -63.0, "t_ref": 3.0}
    constants |= {"E_L": -65.0, "E_Na": 50.0, "E_K": -90.0, "E_ex": 0.0, "E_in": -80.0, "I_e": 0.0}
    constants |= {"tau_syn_ex": 5.0, "tau_syn_in": 10.0}
    cells = nest.Create("hh_cond_exp_traub", int(parameters["n"]), constants)
    cells.V_m = nest.random.normal(-70.0, 5.0)
    kick = nest.Create("spike_generator", 1, {"spike_times": [0.1]})
    for weight in (nest.random.normal(40.0, 15.0), nest.random.normal(-200.0, 120.0)):
        nest.Connect(kick, cells, "all_to_all", {"weight": weight, "delay": 0.1})
    return connected(cells, parameters["probability"], 6.0, -67.0, 0.1)


def brunel(parameters: Parameters, setup: Setup) -> Built:
    """Brunel 2000 with a Poisson generator."""
    start(setup)
    weight, delay = parameters["weight"], parameters["delay"]
    constants = {"tau_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": parameters["v_reset"], "t_ref": 2.0, "I_e": 0.0}
    cells = nest.Create("iaf_psc_delta", int(parameters["n"]), constants)
    cells.V_m = nest.random.uniform(0.0, 20.0)
    drive = nest.Create("poisson_generator", 1, {"rate": parameters["eta"] * 20 / weight / 20 * 1000})
    nest.Connect(drive, cells, "all_to_all", {"weight": weight, "delay": 0.1})
    probability = parameters["in_degree"] / parameters["n"]
    return connected(cells, probability, weight, -parameters["g"] * weight, delay)


def stdp(parameters: Parameters, setup: Setup) -> Built:
    """Poisson inputs, passed on by relays that plastic synapses can start at, onto neurons."""
    start(setup)
    tau, w_max = parameters["tau"], parameters["w_max"]
    constants = {"tau_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": 0.0, "t_ref": 2.0, "I_e": 0.0, "tau_minus": tau}
    cells = nest.Create("iaf_psc_delta", int(parameters["n"]), constants)
    relays = nest.Create("parrot_neuron", int(parameters["inputs"]))
    nest.Connect(nest.Create("poisson_generator", 1, {"rate": parameters["rate"]}), relays)
    plastic = {"lambda": parameters["a_plus"], "alpha": parameters["a_minus"] / parameters["a_plus"]}
    plastic |= {"mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": tau, "Wmax": w_max}
    nest.CopyModel("stdp_synapse", "plastic", plastic)
    rule = {"rule": "pairwise_bernoulli", "p": parameters["probability"]}
    nest.Connect(relays, cells, rule, {"synapse_model": "plastic", "weight": w_max / 2, "delay": 0.1})
    some = nest.GetConnections(relays[::20], cells[::20], "plastic")  # reading all would take longer than to run
    return recorded({"post": cells}, lambda: some.weight)


NETWORKS: dict[str, Build] = {"cuba": cuba, "cobahh": cobahh, "brunel": brunel, "stdp": stdp}
