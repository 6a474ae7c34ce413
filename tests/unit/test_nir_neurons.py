"""Neurons of NIR graphs against plain loops, and those of the programs that write such files."""

from __future__ import annotations

import numpy as np
import pytest
from nir_graphs import (
    DT,
    Cell,
    chain,
    dense,
    node,
    outputs,
    parameters,
    run,
)

from neuromorph import CheckError, second
from neuromorph.interchange import from_nir
from neuromorph.interchange.nir.firing import RESETS

N = 5


def loop(kind: str, p: dict[str, np.ndarray], x: np.ndarray, reset: str) -> tuple[np.ndarray, np.ndarray]:
    """Voltages and outputs of NIR's neurons."""
    cell = Cell(kind, p, reset)
    events, voltages = [], []
    for arriving in x:
        events.append(cell.step(arriving))
        voltages.append(cell.v)
    return np.array(voltages), np.array(events)


FIRING = [(kind, reset) for kind in ("IF", "LIF", "CubaLIF") for reset in RESETS]


@pytest.mark.parametrize(("kind", "reset"), [("I", "zero"), ("LI", "zero"), ("CubaLI", "zero"), *FIRING])
def test_neurons_follow_their_equations(kind: str, reset: str) -> None:
    rng = np.random.default_rng(7)
    x = (rng.random((60, 3)) < 0.4).astype(float)
    strength = 1.5 if kind == "IF" else 4.5
    w, b, p = rng.uniform(0, strength, (N, 3)).astype(np.float32), rng.uniform(0, 0.2, N), parameters(rng, kind, N)
    graph = chain((3,), dense=node("Affine", weight=w, bias=b), cells=node(kind, **p))
    net = from_nir(graph, dt=DT * second, events=x, reset=reset)
    trace = run(net, 61, ("cells", "v"))
    voltages, events = loop(kind, p, x @ w.T + b, reset)
    np.testing.assert_allclose(trace.state("cells", "v").data[1:], voltages, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dense(net, trace, "cells", 60), events, rtol=1e-6)
    if "v_threshold" in p:
        assert 20 < (events > 0).sum() < 280
        assert reset in ("zero", "multiple") or (voltages > p["v_threshold"]).any()
        assert reset == "multiple" or events.max() == 1


def test_reset_of_snntorch_is_the_loop_that_snntorch_runs() -> None:
    # The loop as its library writes it: reset from the voltage before, taken off before the test and given back after.
    x = np.random.default_rng(12).choice([0.0, 0.4, 1.7], (40, 1))
    v, spikes = 0.0, []
    for (arriving,) in x:
        reset = float(v > 1.0)
        v = 0.8 * v + arriving - reset
        spikes.append(float(v > 1.0))
        v = v - (spikes[-1] - reset)
    cells = node("LIF", tau=np.array([5 * DT]), r=np.array([5.0]), v_leak=np.zeros(1), v_threshold=np.ones(1))
    got = outputs(chain((1,), cells=cells), x, "cells", reset="snntorch")
    assert got.ravel().tolist() == spikes
    assert spikes != outputs(chain((1,), cells=cells), x, "cells", reset="subtract").ravel().tolist()


def snntorch_delayed(x: np.ndarray, alpha: float | None, beta: float, zero: bool) -> list[float]:
    """Spikes of snnTorch's neurons with ``reset_delay=True``: the reset is of the voltage before the step."""
    syn, mem, spikes = 0.0, 0.0, []
    for (arriving,) in x:
        reset = float(mem > 1.0)
        syn = arriving if alpha is None else alpha * syn + arriving
        mem = beta * mem + syn
        mem = mem - reset * mem if zero else mem - reset
        spikes.append(float(mem > 1.0))
    return spikes


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
@pytest.mark.parametrize("zero", [False, True])
def test_delayed_resets_are_the_loops_that_snntorch_runs(kind: str, zero: bool) -> None:
    x, one = np.random.default_rng(12).choice([0.0, 0.4, 1.7], (40, 1)), np.ones(1)
    if kind == "LIF":
        cells = node("LIF", tau=5 * DT * one, r=5 * one, v_leak=0 * one, v_threshold=one)
        wanted = snntorch_delayed(x, None, 0.8, zero)
    else:
        cells = node(
            "CubaLIF", tau_syn=4 * DT * one, w_in=4 * one, tau_mem=5 * DT * one, r=5 * one, v_leak=0 * one,
            v_threshold=one,
        )  # fmt: skip
        x = x / 3
        wanted = snntorch_delayed(x, 0.75, 0.8, zero)
    reset = "snntorch_delay_zero" if zero else "snntorch_delay"
    got = outputs(chain((1,), cells=cells), x, "cells", reset=reset).ravel().tolist()
    assert got == wanted
    assert 3 < sum(wanted) < 38
    assert got != outputs(chain((1,), cells=cells), x, "cells", reset="zero").ravel().tolist()


def test_several_spikes_in_a_step_are_one_event_of_that_value() -> None:
    cells = node("IF", r=np.full(2, 1 / DT), v_threshold=np.array([1.0, 0.5]))
    x = np.array([[1.0, 0.5], [3.5, 1.3], [0.6, 0.1]])
    got = outputs(chain((2,), cells=cells), x, "cells", reset="multiple")
    assert got.tolist() == [[1, 1], [3, 2], [1, 0]]  # also where v equals the threshold


@pytest.mark.parametrize("kind", ["LI", "LIF", "CubaLIF"])
def test_rockpools_step_is_the_loop_that_rockpool_runs(kind: str) -> None:
    x, tau, tau_syn = np.random.default_rng(3).choice([0.0, 0.3, 2.1], (50, 1)), 5.0, 3.0
    alpha, beta = np.exp(-1 / tau), np.exp(-1 / tau_syn)
    values = {"r": np.array([tau * alpha]), "v_leak": np.zeros(1)}  # as Rockpool writes them
    if kind == "CubaLIF":
        values |= {"tau_syn": np.array([tau_syn * DT]), "tau_mem": np.array([tau * DT])}
    else:
        values |= {"tau": np.array([tau * DT])}
    if kind != "LI":
        values |= {"v_threshold": np.ones(1)}
    isyn, v, wanted = 0.0, 0.0, []
    for (arriving,) in x:
        if kind == "LI":
            v = (v + arriving) * alpha
            wanted.append(v)
            continue
        isyn = (isyn + arriving) * beta if kind == "CubaLIF" else arriving
        v = v * alpha + isyn
        count = np.floor(v) if v >= 1 else 0.0
        v -= count
        wanted.append(count)
    got = outputs(chain((1,), c=node(kind, **values)), x, "c", method="rockpool", reset="multiple")
    np.testing.assert_allclose(got.ravel(), wanted, rtol=1e-6)
    assert max(wanted) >= 1 + (kind != "LI")
    with pytest.raises(CheckError, match="v_leak is not 0; neurons of Rockpool leak to 0"):
        outputs(chain((1,), c=node(kind, **values | {"v_leak": np.ones(1)})), x, "c", method="rockpool")


def test_exact_integration_of_a_leaky_and_a_current_based_neuron() -> None:
    x, tau, tau_syn = np.eye(30)[:, :1], 7 * DT, 3 * DT
    leaky = node("LI", tau=np.array([tau]), r=np.array([2.0]), v_leak=np.zeros(1))
    t = np.arange(30)
    expected = 2 * (1 - np.exp(-DT / tau)) * np.exp(-t * DT / tau)
    np.testing.assert_allclose(outputs(chain((1,), c=leaky), x, "c", method="exact").ravel(), expected, rtol=1e-6)
    cuba = node("CubaLI", tau_syn=np.array([tau_syn]), tau_mem=np.array([tau]), r=np.ones(1), v_leak=np.zeros(1))
    i, v, fine = 0.0, 0.0, []
    for k in range(30 * 4000):
        h = DT / 4000
        i, v = i + h / tau_syn * (float(k < 4000) - i), v + h / tau * (i - v)
        if k % 4000 == 3999:
            fine.append(v)
    np.testing.assert_allclose(outputs(chain((1,), c=cuba), x, "c", method="exact").ravel(), fine, rtol=2e-3)


def test_threshold_is_strict_and_sees_the_bias() -> None:
    x = np.array([[1.0, 1.0], [0.5, 2.0], [0.0, 1.5]])
    graph = chain(
        (2,),
        shift=node("Affine", weight=np.eye(2), bias=np.array([0.5, -0.5])),
        z=node("Threshold", threshold=np.ones(2)),
    )
    np.testing.assert_array_equal(outputs(graph, x, "z"), (x + np.array([0.5, -0.5]) > 1).astype(float))


def test_times_may_be_in_steps() -> None:
    x = np.random.default_rng(8).random((20, 1))
    cells = node("IF", r=np.ones(1), v_threshold=np.ones(1))
    v, wanted = 0.0, []
    for (arriving,) in x:
        v += arriving
        wanted.append([float(v > 1)])
        v = 0.0 if v > 1 else v
    assert outputs(chain((1,), c=cells), x, "c", time_unit=DT * second).tolist() == wanted
    assert not outputs(chain((1,), c=cells), x, "c").any()
