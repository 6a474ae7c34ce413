"""neuromorph.nengo.Simulator beside Nengo's own: the same spikes, values and rules of use."""

from __future__ import annotations

import pickle
import signal
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest
from nengo_models import agree, both, ours

from neuromorph import CPU, TargetError
from neuromorph.mapping.spinnaker2 import SpiNNaker2

nengo = pytest.importorskip("nengo")
SpikingTypes = [nengo.LIF(), nengo.SpikingRectifiedLinear(), nengo.AdaptiveLIF(), nengo.Izhikevich()]
RateTypes = [nengo.LIFRate(tau_rc=0.03, amplitude=0.5), nengo.RectifiedLinear(), nengo.Sigmoid(), nengo.Tanh()]


def sine(t: float) -> float:
    return float(np.sin(20 * t))


def chain(kind: Any = None) -> Any:
    """Two ensembles in a loop, driven by a node, with probes of every sort."""
    with nengo.Network(seed=3) as model:
        if kind is not None:
            model.config[nengo.Ensemble].neuron_type = kind
        stimulus = nengo.Node(sine)
        a, b = nengo.Ensemble(40, 1, label="a"), nengo.Ensemble(30, 2, label="b")
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b[1], function=np.square, synapse=nengo.Alpha(0.01))
        nengo.Connection(b, a, transform=[[0.5, 0.2]])
        nengo.Connection(a, b[0], solver=nengo.solvers.LstsqL2(weights=True))
        model.probes_of_ensembles = [nengo.Probe(x, synapse=s) for x in (a, b) for s in (None, 0.01)]
        model.probes_of_neurons = [nengo.Probe(x.neurons) for x in (a, b)]
    return model


@pytest.mark.parametrize("kind", [*SpikingTypes, *RateTypes], ids=lambda kind: type(kind).__name__)
def test_every_neuron_type_sends_what_it_sends_in_nengo(kind: Any) -> None:
    model = chain(kind)
    theirs, mine = both(model)
    assert mine.lifted.reasons == ()
    assert len(mine.lifted.cells) == 2
    agree(theirs, mine, model)


@pytest.mark.parametrize("target", [None, CPU(threads=1), SpiNNaker2()], ids=repr)
def test_other_targets_send_the_same_spikes(target: Any) -> None:
    model = chain()
    theirs, mine = both(model, steps=100, target=target)
    agree(theirs, mine, model, within=1e-3)
    assert mine.lifted.stages == 1


def test_the_host_computes_between_ensembles_and_within_a_step() -> None:
    """A node behind one ensemble and in front of another, without synapses: two stages; and a loop through the host."""
    with nengo.Network(seed=1) as model:
        a, b = nengo.Ensemble(50, 1), nengo.Ensemble(40, 1)
        between = nengo.Node(lambda t, x: np.cos(9 * t) - x**2, size_in=1)
        nengo.Connection(a, between, synapse=None)
        nengo.Connection(between, b, synapse=None)
        behind = nengo.Node(lambda t, x: 0.5 * x + np.sin(t), size_in=1)
        nengo.Connection(b, behind, synapse=0.02)
        nengo.Connection(behind, a, synapse=None)
        nengo.Connection(b.neurons[:20], a.neurons[5:25], transform=-0.001, synapse=0.01)
        for x in (a, b):
            nengo.Probe(x.neurons)
            nengo.Probe(x, synapse=0.02)
    theirs, mine = both(model)
    assert mine.lifted.stages == 2
    assert mine.lifted.apart
    agree(theirs, mine, model)


def test_states_inputs_and_parts_can_be_probed() -> None:
    with nengo.Network(seed=2) as model:
        drive = nengo.Node([0.4, -0.6])
        cells = nengo.Ensemble(30, 2, neuron_type=nengo.AdaptiveLIF(inc_n=0.05), noise=None)
        back = nengo.Connection(cells, cells, synapse=0.02, transform=0.4)
        nengo.Connection(drive, cells, synapse=None)
        for attribute in ("output", "voltage", "refractory_time", "adaptation", "input"):
            nengo.Probe(cells.neurons, attribute)
        nengo.Probe(cells.neurons[::3], synapse=0.01)
        nengo.Probe(cells, "input")
        nengo.Probe(cells, sample_every=0.005)
        nengo.Probe(back, "output")
        nengo.Probe(cells[1], synapse=0.01)
    theirs, mine = both(model)
    agree(theirs, mine, model)


def test_learning_stays_on_the_host_and_learns() -> None:
    with nengo.Network(seed=5) as model:
        stimulus = nengo.Node(lambda t: np.sin(10 * t))
        pre, post, error = (nengo.Ensemble(40, 1) for _ in range(3))
        nengo.Connection(stimulus, pre)
        learned = nengo.Connection(pre, post, function=lambda x: 0.0, learning_rule_type=nengo.PES(1e-3))
        nengo.Connection(post, error)
        nengo.Connection(stimulus, error, transform=-1)
        nengo.Connection(error, learned.learning_rule)
        nengo.Probe(post, synapse=0.01)
        nengo.Probe(learned, "weights", sample_every=0.01)
        nengo.Probe(post.neurons)
    theirs, mine = both(model, steps=300)
    assert len(mine.lifted.cells) == 3
    agree(theirs, mine, model)


def test_random_processes_draw_as_in_nengo() -> None:
    with nengo.Network(seed=6) as model:
        noise = nengo.Node(nengo.processes.WhiteSignal(1.0, high=10, rms=0.5))
        cells = nengo.Ensemble(40, 1, noise=nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.02)))
        poisson = nengo.Ensemble(20, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        nengo.Connection(noise, cells)
        nengo.Connection(cells, poisson)
        for x in (cells, poisson):
            nengo.Probe(x.neurons)
    theirs, mine = both(model, seed=9)
    agree(theirs, mine, model)
    assert any("makes Nengo's spikes on the host" in reason for reason in mine.lifted.reasons)


@pytest.mark.parametrize("optimize", [True, False])
def test_noise_without_seeds_of_its_own_is_that_of_nengo_as_built(optimize: bool) -> None:
    """Filters that the target took over would have drawn, too. Nengo's optimizer changes the order, ours must not."""
    with nengo.Network(seed=3) as model:
        signals = [nengo.Node(nengo.processes.WhiteSignal(1.0, high=10)) for _ in range(2)]
        noisy = [nengo.Ensemble(20, 1, noise=nengo.processes.WhiteNoise()) for _ in range(3)]
        for signal in signals:
            for cells in noisy:
                nengo.Connection(signal, cells, synapse=0.02)
                nengo.Connection(cells, noisy[0], synapse=0.01)
        for probed in (*signals, *(cells.neurons for cells in noisy)):
            nengo.Probe(probed)
    with nengo.Simulator(model, progress_bar=False, optimize=False) as theirs:
        theirs.run_steps(60)
    with ours(model, optimize=optimize) as mine:
        mine.run_steps(60)
        agree(theirs, mine, model)
        first = [mine.data[probe].copy() for probe in model.all_probes]
        mine.reset()
        mine.run_steps(60)
        assert all(map(np.array_equal, first, (mine.data[probe] for probe in model.all_probes)))
        mine.reset(seed=1)
        mine.run_steps(60)
        assert not np.array_equal(first[2], mine.data[model.all_probes[2]])


def test_signals_of_the_target_can_be_read_and_refuse_to_be_written() -> None:
    model = chain()
    with model:
        a = model.ensembles[0]
        nengo.Probe(a.neurons, "voltage")
    with ours(model) as simulator:
        simulator.run_steps(20)
        built = simulator.model.sig
        voltage, time = built[a.neurons]["voltage"], simulator.model.time
        assert np.any(simulator.signals[voltage])
        with pytest.raises(TargetError, match=r"voltage.*build a Simulator again"):
            simulator.signals[voltage] = 0.0
        for signal in (voltage, built[a]["encoders"], built[model.connections[1]]["weights"]):
            with pytest.raises(ValueError, match="read-only"):
                simulator.signals[signal][...] = 0.0
        with pytest.raises(KeyError, match=r"refractory_time.*probe"):
            simulator.signals[built[a.neurons]["refractory_time"]]
        simulator.signals[time] = 7.0
        simulator.reset()
        assert simulator.signals[time] == 0.0
        assert np.array_equal(simulator.signals[voltage], voltage.initial_value)


def test_reset_seed_steps_and_times() -> None:
    model = chain()
    probe = model.probes_of_neurons[0]
    with ours(model, seed=1) as simulator:
        assert (simulator.dt, simulator.n_steps, simulator.time) == (0.001, 0, 0.0)
        simulator.run(0.05)
        first = simulator.data[probe].copy()
        simulator.reset()
        assert simulator.n_steps == 0
        assert len(simulator.data[probe]) == 0
        simulator.run_steps(30)
        simulator.step()
        simulator.clear_probes()
        simulator.run_steps(19)
        assert np.array_equal(simulator.data[probe], first[31:])
        assert np.allclose(simulator.trange(), 0.001 * np.arange(1, 51))
    with pytest.raises(nengo.exceptions.SimulatorClosed):
        simulator.step()
    assert np.array_equal(simulator.data[probe], first[31:])


def test_ctrl_c_ends_a_run_between_steps() -> None:
    """Pressed within a node of the step: the step is completed, and the run goes on as if nothing had been."""
    with nengo.Network(seed=1) as model:
        pressing = nengo.Node(lambda t: signal.raise_signal(signal.SIGINT) if 0.0195 < t < 0.0205 else None, size_in=0)
        cells = nengo.Ensemble(20, 1)
        between = nengo.Node(lambda t, x: x, size_in=1)
        nengo.Connection(cells, between, synapse=0.01)
        nengo.Connection(between, cells, synapse=None)
        probe = nengo.Probe(between)
    assert pressing.size_out == 0
    with ours(model) as simulator:
        with pytest.raises(KeyboardInterrupt):
            simulator.run_steps(50)
        assert simulator.n_steps == len(simulator.data[probe]) == 20
        simulator.run_steps(30)
        interrupted = simulator.data[probe].copy()
    model.nodes[0].output = lambda t: None
    with ours(model) as simulator:
        simulator.run_steps(50)
        assert np.array_equal(interrupted, simulator.data[probe])


def test_a_step_that_an_error_cut_short_cannot_be_gone_on_from() -> None:
    with nengo.Network(seed=1) as model:
        a, b = nengo.Ensemble(20, 1), nengo.Ensemble(20, 1)
        between = nengo.Node(lambda t, x: 1 / 0 if 0.0055 < t < 0.0065 else x, size_in=1)
        nengo.Connection(a, between, synapse=None)
        nengo.Connection(between, b, synapse=None)
        nengo.Probe(b.neurons)
    with ours(model) as simulator:
        with pytest.raises(ZeroDivisionError):
            simulator.run_steps(10)
        with pytest.raises(TargetError, match="cut short"):
            simulator.step()
        simulator.reset()
        simulator.run_steps(5)
        assert simulator.n_steps == 5


@pytest.mark.parametrize("optimize", [True, False])
def test_a_pickled_simulator_goes_on(optimize: bool) -> None:
    model = chain()
    probe = model.probes_of_neurons[0]
    with ours(model, optimize=optimize) as simulator:
        simulator.run_steps(40)
        copy, theirs = pickle.loads(pickle.dumps((simulator, probe)))
        simulator.run_steps(60)
    with copy:
        assert copy.n_steps == 40
        copy.run_steps(60)
        assert np.array_equal(copy.data[theirs], simulator.data[probe])


def test_a_built_model_can_be_run_twice() -> None:
    model = chain()
    built = nengo.builder.Model()
    built.build(model)
    probe = model.probes_of_ensembles[1]
    values = []
    for _ in range(2):
        with ours(None, model=built, seed=0) as simulator:
            simulator.run_steps(50)
            values.append(simulator.data[probe].copy())
    assert np.array_equal(*values)
    assert np.any(values[0])


def test_a_model_without_neurons_needs_no_target() -> None:
    with nengo.Network() as model:
        node = nengo.Node(lambda t: t)
        probe = nengo.Probe(node)
    with ours(model) as simulator:
        simulator.run_steps(5)
        assert simulator.program is None
        assert np.allclose(simulator.data[probe].ravel(), simulator.trange())


@pytest.mark.parametrize("target", ["cpu", CPU])
def test_a_target_that_is_none_is_refused_before_anything_is_built(target: Any) -> None:
    with pytest.raises(TargetError, match=r"such as CPU\(\)"):
        ours(None, target=target)


def test_nengo_finds_the_backend() -> None:
    from neuromorph.nengo import Simulator

    assert Simulator in [entry.load() for entry in entry_points(group="nengo.backends")]
