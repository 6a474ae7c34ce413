"""SONATA's point neurons: event by event, and against the spikes that NEST and NEURON sent from the same files."""

from __future__ import annotations

import heapq
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    EventSource,
    FixedProbability,
    Network,
    OneToOne,
    Reference,
    Uniform,
    from_sonata,
    ms,
    mV,
    pA,
    to_sonata,
)
from neuromorph.interchange.sonata.neurons import IafPscAlpha, IafPscDelta, IafPscExp, IntFire1, Izhikevich

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def peers() -> ModuleType:
    """The script that asked NEST and NEURON."""
    spec = importlib.util.spec_from_file_location("sonata_peers", BENCHMARKS / "sonata_peers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "template", [name for name in peers().CASES if name not in ("nest:glif_psc R", "nest:glif_psc R ASC")]
)
def test_spikes_are_those_of_nest_and_neuron(template: str, tmp_path: Path) -> None:
    script = peers()
    dt, steps = script.STEPS[template], 1000
    net = from_sonata(to_sonata(script.network(template), tmp_path, dt=dt, duration=script.DURATION))
    events = Reference("float64").compile(net, dt=dt, progress=False).run(steps, progress=False).events("cells")
    theirs = np.load(BENCHMARKS / "results" / "sonata_spikes.npz")[template]
    theirs = theirs[:, theirs[0] < steps]
    ours = np.stack([events.steps, events.ids])
    assert theirs.shape[1] > 70
    np.testing.assert_array_equal(ours[:, np.lexsort(ours[::-1])], theirs)


def event_driven(
    tau: float,
    refrac: float,
    given: list[tuple[float, int]],
    drive: float,
    synapses: list[tuple[int, int, float, float]],
) -> list[tuple[float, int]]:
    """IntFire1 by its definition: from event to event, at any time; events of one time together.

    Parameters
    ----------
    tau, refrac : float
        In ms.
    given : list of (time, neuron)
    drive : float
        Weight of the given events.
    synapses : list of (source, target, weight, delay)
    """
    n = 1 + max(target for _, target, _, _ in synapses)
    m, last, free = np.zeros(n), np.zeros(n), np.full(n, -np.inf)
    queue = [(time, neuron, drive) for time, neuron in given]
    heapq.heapify(queue)
    fired = []
    while queue:
        time, neuron, weight = heapq.heappop(queue)
        while queue and queue[0][:2] == (time, neuron):
            weight += heapq.heappop(queue)[2]
        if time > 100:
            break
        if time < free[neuron]:
            continue
        m[neuron] = m[neuron] * np.exp((last[neuron] - time) / tau) + weight
        last[neuron] = time
        if m[neuron] > 1:
            fired.append((time, neuron))
            m[neuron], free[neuron] = 0, time + refrac
            for source, target, strength, delay in synapses:
                if source == neuron:
                    heapq.heappush(queue, (time + delay, target, strength))
    return fired


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("refrac", [0.0, 2.0, 2.1])
def test_intfire1_is_exact_between_events(seed: int, refrac: float) -> None:
    """Times on the grid of steps, here of 1/8 ms, are the only thing that the step decides."""
    dt, n = 0.125, 12
    dense = np.random.default_rng(seed).random((800, n)) < 0.03
    net = Network(seed=seed)
    outside = net.population(EventSource.from_dense(dense), name="outside")
    cells = net.population(IntFire1(tau=12 * ms, refrac=refrac * ms), n, name="cells")
    net.project(outside, cells, OneToOne(), weight=0.45, delay=1)
    net.project(
        cells, cells, FixedProbability(0.4), weight=Uniform(-0.2, 0.4), delay=Uniform(0.5 * ms, 4 * ms), name="inner"
    )
    program = Reference("float64").compile(net, dt=dt * ms, progress=False)
    made = program.synapses("inner")
    delays = np.broadcast_to(made.delays, made.pre.shape) * dt
    synapses = list(zip(made.pre.tolist(), made.post.tolist(), made.weights.tolist(), delays.tolist(), strict=True))
    synapses.append((-1, n - 1, 0.0, 1.0))
    given = [((int(step) + 1) * dt, int(neuron)) for step, neuron in np.argwhere(dense)]
    expected = event_driven(12.0, refrac, given, 0.45, synapses)
    events = program.run(801, progress=False).events("cells")
    assert len(expected) > 30
    assert [(s * dt, int(i)) for s, i in zip(events.steps, events.ids, strict=True)] == sorted(expected)


def test_a_step_that_is_finer_changes_nothing_for_intfire1() -> None:
    """The same times on a finer grid give the same spikes: nothing is integrated step by step."""
    found = []
    for dt in (1.0, 0.25):
        net = Network(seed=1)
        times = np.random.default_rng(5).integers(1, 200, 400)
        pairs = np.unique(np.stack([times, np.arange(400) % 10]), axis=1)
        outside = net.population(EventSource(10, times=pairs[0] * ms, indices=pairs[1]), name="outside")
        cells = net.population(IntFire1(refrac=3 * ms), 10, name="cells")
        net.project(outside, cells, OneToOne(), weight=0.4, delay=1 * ms)
        net.project(cells, cells, FixedProbability(0.3), weight=0.3, delay=2 * ms)
        program = Reference("float64").compile(net, dt=dt * ms, progress=False)
        events = program.run(round(200 / dt), progress=False).events("cells")
        found.append(sorted(zip(np.rint(events.steps * dt).tolist(), events.ids.tolist(), strict=True)))
    assert len(found[0]) > 50
    assert found[0] == found[1]


def membrane(neuron: Any, port: str, weight: Any, dt: float, steps: int) -> np.ndarray:
    """V_m after one event that arrives at 1 ms, in mV at the end of each step."""
    net = Network()
    source = net.population(EventSource(1, steps=[0], indices=[0]), name="source")
    cells = net.population(neuron, 1, name="cells")
    net.project(source, cells.port(port), OneToOne(), weight=weight, delay=1 * ms)
    net.record(cells, "V_m")
    trace = Reference("float64").compile(net, dt=dt * ms, progress=False).run(steps, progress=False)
    return np.asarray(trace.state("cells", "V_m"))[:, 0]


@pytest.mark.parametrize("tau_syn", [0.5, 2.0, 9.999999, 10.0, 30.0])
def test_potentials_are_the_analytic_ones(tau_syn: float) -> None:
    """Also where the time constants of synapse and membrane are equal, or nearly."""
    from scipy.integrate import quad

    tau_m, c_m, w = 10.0, 250.0, 100.0
    for model, current in (
        (IafPscExp, lambda s: np.exp(-s / tau_syn)),
        (IafPscAlpha, lambda s: np.e / tau_syn * s * np.exp(-s / tau_syn)),
    ):
        v = membrane(model(tau_syn_ex=tau_syn * ms, tau_m=tau_m * ms), "ex", w * pA, 0.5, 41)
        for step in (2, 3, 10, 40):
            t = step * 0.5 - 1.0
            exact = quad(lambda s, t=t, f=current: f(s) * np.exp(-(t - s) / tau_m), 0, t, epsabs=0, epsrel=1e-13)[0]
            assert v[step] * scale(v) + 70 == pytest.approx(w / c_m * exact, rel=1e-9, abs=1e-12)


def scale(v: np.ndarray) -> float:
    """Recorded potentials are in mV or volts, as the trace has them."""
    return 1.0 if abs(v[0]) > 1 else 1e3


def test_time_zero_is_where_initial_values_hold() -> None:
    """Step 0 is time 0: nothing has changed yet; step k is k dt later."""
    start, drive = -60.0, 100.0
    for model in (IafPscDelta, IafPscExp, IafPscAlpha):
        port = "delta" if model is IafPscDelta else "ex"
        zero = 0 * mV if model is IafPscDelta else 0 * pA
        v = membrane(model(V_m=start * mV, I_e=drive * pA), port, zero, 0.25, 21)
        steady = -70 + drive * 10 / 250
        expected = steady + (start - steady) * np.exp(-np.arange(21) * 0.25 / 10)
        np.testing.assert_allclose(v * scale(v), expected, rtol=1e-12)
    v = membrane(Izhikevich(I_e=10.0), "delta", 0.0, 0.5, 3)
    assert v[0] == -65
    assert v[1] == pytest.approx(-65 + 0.5 * (0.04 * 65**2 - 5 * 65 + 140 + 13 + 10))
