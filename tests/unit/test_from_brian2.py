"""Networks of Brian 2 taken in: the same spikes in the same steps, and refusals by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, CheckError, Network, Reference, from_brian2, ms

b = pytest.importorskip("brian2")

from brian2_networks import numpy_code  # noqa: E402, F401  it acts by itself


def compare(
    objects: list[Any], duration: float, namespace: dict[str, Any] | None = None, target: Any = Reference
) -> int:
    """Run the same objects here and in Brian 2 for so many ms; the number of spikes, which are the same."""
    names = namespace or {}
    monitors = [o for o in objects if isinstance(o, b.SpikeMonitor)]
    theirs = b.Network(*objects)
    ours = from_brian2(theirs, namespace=names)
    trace = target(dtype="float64").compile(ours, dt=b.defaultclock.dt).run(duration * ms, progress=False)
    theirs.run(duration * b.ms, namespace=names)
    total = 0
    for monitor in monitors:
        expected = sorted(zip(steps_of(monitor), np.asarray(monitor.i).tolist(), strict=True))
        assert spikes(trace, monitor.source.name) == expected
        total += len(expected)
    return total


def steps_of(monitor: Any) -> list[int]:
    return np.rint(monitor.t_ / float(b.defaultclock.dt)).astype(int).tolist()


def spikes(trace: Any, population: str) -> list[tuple[int, int]]:
    events = trace.events(population)
    return sorted(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))


def test_constant_currents_and_parameters_of_each_neuron() -> None:
    group = b.NeuronGroup(
        40,
        """dv/dt = (drive - v)/tau : volt (unless refractory)
        drive : volt (constant)
        tau : second
        rest : second""",
        threshold="v > 15*mV",
        reset="v = -1*mV*(i % 3)",
        refractory="rest",
        method="exact",
    )
    group.drive = np.linspace(14, 40, 40) * b.mV
    group.tau = "(10 + 0.3*i)*ms"
    group.rest = "0.05*ms*i"
    assert compare([group, b.SpikeMonitor(group)], 200) > 100


CUBA = """
dv/dt  = (ge+gi-(v-El))/taum : volt (unless refractory)
dge/dt = -ge/taue : volt
dgi/dt = -gi/taui : volt
"""


def cuba(**options: Any) -> tuple[list[Any], dict[str, Any]]:
    """Brian 2's CUBA example with 400 neurons."""
    names = {"taum": 20 * b.ms, "taue": 5 * b.ms, "taui": 10 * b.ms, "El": -49 * b.mV, "we": 5 * b.mV, "wi": -9 * b.mV}
    group = b.NeuronGroup(
        400, CUBA, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * b.ms, method="exact", **options
    )
    group.v = "-60*mV + rand()*10*mV"
    exc, inh = b.Synapses(group, group, on_pre="ge += we"), b.Synapses(group, group, on_pre="gi += wi")
    exc.connect("i < 320", p=0.1)
    inh.connect("i >= 320", p=0.1)
    return [group, exc, inh, b.SpikeMonitor(group)], names


def test_cuba() -> None:
    objects, names = cuba()
    assert compare(objects, 100, names, target=CPU) > 500


def test_coba_with_exponential_euler() -> None:
    group = b.NeuronGroup(
        200,
        """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + 22*mV)/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * b.ms,
        method="exponential_euler",
    )
    group.v = "-60*mV + rand()*10*mV"
    exc, inh = b.Synapses(group, group, on_pre="ge += 0.6"), b.Synapses(group, group, on_pre="gi += 6.7/2")
    exc.connect("i < 160", p=0.1)
    inh.connect("i >= 160", p=0.1)
    assert compare([group, exc, inh, b.SpikeMonitor(group)], 60) > 80


def test_adaptive_threshold_with_input_to_the_membrane() -> None:
    group = b.NeuronGroup(
        20,
        """dv/dt = (1.6*vt0 - v)/(10*ms) : volt
        dvt/dt = (vt0 - vt)/tau_t : volt""",
        threshold="v > vt",
        reset="v = 0*mV; vt += 3*mV",
        method="exact",
    )
    group.vt = 10 * b.mV
    source = b.SpikeGeneratorGroup(20, np.repeat(np.arange(20), 40), np.tile(np.arange(40) * 5.0, 20) * b.ms)
    kicks = b.Synapses(source, group, on_pre="v_post += 2*mV")  # would be lost in the step of a spike, there and here
    kicks.connect("i == j")
    kicks.delay = "i*0.3*ms"
    names = {"tau_t": 15 * b.ms, "vt0": 10 * b.mV}
    assert compare([group, source, kicks, b.SpikeMonitor(group)], 100, names) > 100


def test_jumps_of_a_held_membrane_are_lost_in_the_same_steps() -> None:
    group = b.NeuronGroup(
        30, "dv/dt = -v/(10*ms) : 1 (unless refractory)", threshold="v > 1", reset="v = 0", refractory=1 * b.ms
    )
    steps, indices = np.nonzero(np.random.default_rng(5).random((1000, 60)) < 0.04)
    source = b.SpikeGeneratorGroup(60, indices, steps * 0.1 * b.ms)
    kicks = b.Synapses(source, group, "w : 1", on_pre="v += w")
    kicks.connect(p=0.4)
    kicks.w = "0.2 + 0.2*rand()"
    assert compare([group, source, kicks, b.SpikeMonitor(group)], 100) > 200


def test_izhikevich_with_euler_and_delays() -> None:
    names = {"a": 0.02 / b.ms, "bb": 0.2 / b.ms}
    group = b.NeuronGroup(
        50,
        """dv/dt = (0.04/ms/mV)*v**2 + (5/ms)*v + 140*mV/ms - u + drive + I : volt
        du/dt = a*(bb*v - u) : volt/second
        dI/dt = -I/(3*ms) : volt/second
        drive : volt/second""",
        threshold="v > 30*mV",
        reset="v = -65*mV; u += 8*mV/ms",
        method="euler",
    )
    group.v, group.u = -65 * b.mV, -13 * b.mV / b.ms
    group.drive = np.linspace(4, 12, 50) * b.mV / b.ms
    synapses = b.Synapses(group, group, "w : volt/second", on_pre="I += 2*w/N_incoming_max")
    synapses.connect(p=0.2)
    synapses.w = "(1 + rand())*mV/ms"
    synapses.delay = "rand()*5*ms"
    names["N_incoming_max"] = 2
    assert compare([group, synapses, b.SpikeMonitor(group)], 100, names) > 50


def test_hodgkin_huxley_until_a_condition_ends() -> None:
    group = b.NeuronGroup(
        10,
        """dv/dt = (gl*(-65*mV - v) - 100*msiemens/cm**2*m**3*h*(v - 50*mV)
                    - 30*msiemens/cm**2*n**4*(v + 90*mV) + drive)/(1*ufarad/cm**2) : volt
        dm/dt = alpham*(1 - m) - betam*m : 1
        dn/dt = alphan*(1 - n) - betan*n : 1
        dh/dt = 0.128*exp((17*mV - v - 63*mV)/(18*mV))/ms*(1 - h) - 4./(1 + exp((40*mV - v - 63*mV)/(5*mV)))/ms*h : 1
        alpham = 0.32*4/exprel((13*mV - v - 63*mV)/(4*mV))/ms : Hz
        betam = 0.28*5/exprel((v + 63*mV - 40*mV)/(5*mV))/ms : Hz
        alphan = 0.032*5/exprel((15*mV - v - 63*mV)/(5*mV))/ms : Hz
        betan = .5*exp((10*mV - v - 63*mV)/(40*mV))/ms : Hz
        drive : amp/metre**2""",
        threshold="v > -20*mV",
        refractory="v > -20*mV",
        method="exponential_euler",
    )
    b.defaultclock.dt = 0.02 * b.ms
    group.v, group.h = -65 * b.mV, 1
    group.drive = np.linspace(0.5, 8, 10) * b.uA / b.cm**2
    names = {"gl": 0.1 * b.msiemens / b.cm**2}
    assert compare([group, b.SpikeMonitor(group)], 18, names) > 5


@pytest.mark.parametrize("method", ["rk4", "heun"])
def test_other_methods_as_brian2_writes_them_out(method: str) -> None:
    group = b.NeuronGroup(
        20,
        """dv/dt = (gl*d*exp((v - vt)/d) + gl*(el - v) - w + drive)/c : volt
        dw/dt = (4*nsiemens*(v - el) - w)/(144*ms) : amp
        drive : amp""",
        threshold="v > vt + 5*d",
        reset="v = -70.6*mV; w += 0.08*nA",
        method=method,
    )
    names = {"gl": 30 * b.nS, "el": -70.6 * b.mV, "vt": -50.4 * b.mV, "d": 2 * b.mV, "c": 281 * b.pF}
    group.v = names["el"]
    group.drive = np.linspace(0.5, 3, 20) * b.nA
    assert compare([group, b.SpikeMonitor(group)], 60, names) > 10


@pytest.mark.parametrize("seed", range(4))
def test_groups_put_together_at_random(seed: int) -> None:
    random = np.random.default_rng(seed)
    held = "(unless refractory)" if seed % 2 else ""
    group = b.NeuronGroup(
        12,
        f"""dv/dt = (e - v + drive + g/2)/tau : 1 {held}
        dg/dt = -g/(4*ms) : 1 {held if random.random() < 0.5 else ""}
        dw/dt = (0.2*v - w)/(20*ms) : 1
        drive : 1
        tau : second (constant)
        rest : second
        count : 1""",
        threshold=str(random.choice(["v > 1", "v > 1 + w", "v >= 1 and w < 5"])),
        reset=str(random.choice(["v = 0", "v -= 1", "v = 0; w += 0.1; count += 1", "v = 0.1; v *= 0.5; g += 0.05"])),
        refractory=[0 * b.ms, 1.7 * b.ms, "rest"][seed % 3],
        method=str(random.choice(["exact", "euler", "exponential_euler"])),
    )
    group.drive, group.tau, group.v, group.rest = "0.6 + 0.8*rand()", "(8 + 6*rand())*ms", "rand()", "rand()*3*ms"
    steps, indices = np.nonzero(random.random((1000, 8)) < 0.02)
    source = b.SpikeGeneratorGroup(8, indices, steps * 0.1 * b.ms)
    forward = b.Synapses(source, group, "weight : 1", on_pre=f"{random.choice(['v', 'g', 'w', 'count'])} += weight")
    forward.connect(p=0.5)
    forward.weight, forward.delay = "0.3*rand()", "rand()*3*ms"
    back = b.Synapses(group, group, on_pre=f"{random.choice(['v', 'g'])}_post -= 0.1*tau_post/(10*ms)")
    back.connect(p=0.2)
    assert compare([source, group, forward, back, b.SpikeMonitor(group)], 60, {"e": 0.1}) > 10


def test_subgroups_and_several_statements() -> None:
    source = b.NeuronGroup(10, "dv/dt = 1/(2*ms) : 1", threshold="v > 1 + 0.1*i", reset="v = 0", method="euler")
    group = b.NeuronGroup(
        10, "dx/dt = -x/(5*ms) : 1\ndy/dt = (x - y)/(5*ms) : 1\ngain : 1", threshold="y > 0.2", reset="y = 0"
    )
    group.gain = "1 + 0.1*i"
    synapses = b.Synapses(
        source[4:], group[2:8], on_pre={"one": "x += gain_post; x_post -= 0.05", "two": "x += int(i == 1)"}
    )
    synapses.connect()
    synapses.two.delay = 1.24 * b.ms
    assert compare([source, group, synapses, b.SpikeMonitor(group), b.SpikeMonitor(source)], 20) > 10


def test_poisson_groups_and_inputs_by_rate() -> None:
    rates = np.array([10.0, 50.0, 200.0] * 100) * b.Hz
    source = b.PoissonGroup(300, rates)
    group = b.NeuronGroup(50, "dv/dt = -v/(10*ms) : 1")
    drive = b.PoissonInput(group, "v", 100, 20 * b.Hz, weight=0.1)
    network = from_brian2([source, group, drive, b.StateMonitor(group, "v", record=True)])
    trace = CPU().compile(network, dt=b.defaultclock.dt).run(1000 * ms, progress=False)
    counts = np.bincount(np.asarray(trace.events(source.name).ids), minlength=300).reshape(100, 3).mean(axis=0)
    np.testing.assert_allclose(counts, [10, 50, 200], rtol=0.15)
    v = np.asarray(trace.state(group.name, "v_start").data)[1000:]
    assert abs(v.mean() - 0.1 * 100 * 20 * 0.01) < 0.05  # weight * number * rate * time constant
    assert abs(v.std() - 0.1 * np.sqrt(100 * 20 * 0.01 / 2)) < 0.05


def test_noise_and_a_monitor_with_a_slower_clock() -> None:
    group = b.NeuronGroup(400, "dv/dt = -v/tau + sigma*sqrt(2/tau)*xi : volt", method="euler", name="walkers")
    names = {"tau": 5 * b.ms, "sigma": 3 * b.mV}
    network = from_brian2([group, b.StateMonitor(group, "v", record=[0], dt=1 * b.ms)], namespace=names)
    trace = CPU().compile(network, dt=b.defaultclock.dt).run(200 * ms, progress=False)
    v = np.asarray(trace.state("walkers", "v_start").data)
    assert v.shape == (200, 400)
    assert abs(v[50:].std() - 3) < 0.1  # in the state's unit, mV


def test_names_are_found_where_the_function_is_called() -> None:
    tau = 10 * b.ms  # noqa: F841 - the equations name it
    group = b.NeuronGroup(3, "dv/dt = (2 - v)/tau : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells")
    monitor = b.SpikeMonitor(group)  # noqa: F841 - Brian 2 collects what is in sight
    network = from_brian2()
    assert isinstance(network, Network)
    assert [p.name for p in network.populations] == ["cells"]
    assert dict(zip([p.name for p in network["cells"].neuron.params], ["tau"], strict=True)) == {"tau": "tau"}


def test_everything_that_cannot_be_taken_is_named_at_once() -> None:
    driven = b.NeuronGroup(2, "dv/dt = -v/(5*ms) : 1", method="euler", name="driven")
    linked = b.NeuronGroup(
        2, "dv/dt = (x - v)/ms : 1\nx : 1 (linked)", method="euler", threshold="v > 1", reset="x = 0", name="linked"
    )
    linked.x = b.linked_var(driven, "v")
    opaque = b.Function(pyfunc=lambda x: np.interp(x, [0, 1], [0, 1]), arg_units=[1], return_unit=1)
    called = b.NeuronGroup(2, "dv/dt = -opaque(v)/(5*ms) : 1", name="called", method="euler")
    regular = b.NeuronGroup(2, "dv/dt = -v/(5*ms) : 1\ny : 1", threshold="v > 1", reset="v = 0", name="regular")
    slow = b.NeuronGroup(2, "dv/dt = -v/(5*ms) : 1", dt=0.25 * b.ms, name="slow", method="exact")
    stdp = b.Synapses(
        regular, regular, "w : 1\ndapre/dt = -apre/(20*ms) : 1 (event-driven)", on_pre="v += w", name="stdp"
    )
    facilitating = b.Synapses(
        regular, regular, "w : 1", on_pre="v += w; w *= 1.1", on_post="w -= 1", name="facilitating"
    )
    summed = b.Synapses(regular, regular, "y_post = v_pre : 1 (summed)", name="summed")
    setting = b.Synapses(regular, regular, on_pre="v = 0.1*i", name="setting")
    for synapses in (stdp, facilitating, summed, setting):
        synapses.connect()

    @b.network_operation(name="operation")
    def operation() -> None:
        pass

    things = [driven, linked, called, regular, slow, stdp, facilitating, summed, setting, operation]
    with pytest.raises(CheckError) as caught:
        from_brian2(things, namespace={"opaque": opaque})
    text = "\n".join(caught.value.problems)
    for expected in (
        "operation: a NetworkOperation",
        "slow: its step of 0.25 ms is no multiple of the shortest in the network, 0.1 ms",
        "called: method: the function opaque() cannot be said in equations",
        "setting: on_pre 'v = 0.1*i': it sets v_post, and some neuron of regular has several synapses",
        "regular: a summed variable reads v, which",
        "linked: reset: x is linked to v of driven; a group changes its own variables alone",
    ):
        assert expected in text, text


def test_a_reset_that_reads_what_synapses_change_in_the_same_step() -> None:
    group = b.NeuronGroup(
        8,
        "dv/dt = (1.3 - v)/(5*ms) : 1\ndw/dt = -w/(5*ms) : 1\nlimit = 1 + 0.3*w : 1",
        threshold="v > limit",
        reset="w += v; v = 0.2*w",
        method="exact",
    )
    group.v = "0.1*i"
    synapses = b.Synapses(group, group, on_pre="v += 0.3")
    synapses.connect(condition="i != j", p=0.4)
    assert compare([group, synapses, b.SpikeMonitor(group)], 100) > 20


def test_what_each_refusal_says_names_the_object_and_no_line_of_the_importer() -> None:
    group = b.NeuronGroup(2, "dv/dt = v/(5*ms) : 1\ny = nothing*v : 1", method="euler", name="cells")
    units = b.NeuronGroup(2, "dv/dt = (drive - v)/(5*ms) : volt\ndrive : 1", method="euler", name="units")
    with pytest.raises(CheckError) as caught:
        from_brian2([group, units], namespace={})
    assert caught.value.problems == (
        "cells: y: the name nothing cannot be resolved; give namespace= with it",
        "units: method: cannot subtract v (voltage (V)) from drive (float, dimensionless)",
    )
