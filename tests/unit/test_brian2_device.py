"""Brian 2 scripts on the device, beside Brian 2's own runtime."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.devices.device import all_devices
from brian2.stateupdaters.base import StateUpdateMethod
from brian2_device import REFERENCE, both, clean, on  # noqa: F401  clean acts by itself

from neuromorph import CPU, Reference
from neuromorph.errors import CheckError, NeuromorphError, TargetError


def recurrent(runs: Callable[[Any, Any], None]) -> SimpleNamespace:
    """Twenty neurons with random synapses and initial values, watched in every way."""
    equations = """
    dv/dt = (ge - v + drive) / (10*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    f = clip(v, 0*mV, 5*mV) : volt
    drive : volt
    """
    group = b2.NeuronGroup(20, equations, threshold="v > 10*mV", reset="v = 0*mV", refractory=2 * b2.ms, method="exact")
    group.v = "rand()*10*mV"
    group.drive = "11*mV + i*0.2*mV"
    synapses = b2.Synapses(group, group, on_pre="ge += 0.5*mV", delay=1 * b2.ms)
    synapses.connect("i != j", p=0.3)
    made = SimpleNamespace(
        group=group,
        spikes=b2.SpikeMonitor(group, variables="v"),
        part=b2.SpikeMonitor(group[3:9]),
        states=b2.StateMonitor(group, ["v", "f", "lastspike", "not_refractory", "drive"], record=[0, 3]),
        end=b2.StateMonitor(group[5:], "v", record=True, when="end"),
        slow=b2.StateMonitor(group, "ge", record=[1], dt=0.5 * b2.ms),
        rate=b2.PopulationRateMonitor(group[:5]),
    )
    made.net = b2.Network(group, synapses, *(m for m in vars(made).values() if m is not group))
    runs(made.net, group)
    return made


def two_runs(net: Any, group: Any) -> None:
    net.run(20 * b2.ms)
    group.drive[3] = 20 * b2.mV
    group.v[2] = 3 * b2.mV
    net.run(13 * b2.ms)


def same(theirs: Any, ours: Any) -> None:
    """Equal spikes and times, and values up to rounding."""
    assert len(theirs.spikes.t) > 20
    for name in ("spikes", "part"):
        assert np.array_equal(getattr(theirs, name).i, getattr(ours, name).i)
        assert np.array_equal(getattr(theirs, name).t_, getattr(ours, name).t_)
        assert np.array_equal(getattr(theirs, name).count, getattr(ours, name).count)
    assert np.allclose(theirs.spikes.v_, ours.spikes.v_, rtol=0, atol=1e-14)
    for name, variables in {"states": ("v", "f", "drive"), "end": ("v",), "slow": ("ge",)}.items():
        assert np.array_equal(getattr(theirs, name).t_, getattr(ours, name).t_)
        for variable in variables:
            one, other = (getattr(getattr(m, name), variable + "_") for m in (theirs, ours))
            assert one.shape == other.shape
            assert np.allclose(one, other, rtol=0, atol=1e-14), (name, variable)
    assert np.array_equal(theirs.states.lastspike_, ours.states.lastspike_)
    assert np.array_equal(theirs.states.not_refractory_, ours.states.not_refractory_)
    assert np.array_equal(theirs.rate.rate_, ours.rate.rate_)
    assert np.array_equal(theirs.rate.t_, ours.rate.t_)
    for variable in ("v_", "ge_"):
        one, other = (np.asarray(getattr(m.group, variable)) for m in (theirs, ours))
        assert np.allclose(one, other, rtol=0, atol=1e-14)
    assert np.array_equal(theirs.group.lastspike_[:], ours.group.lastspike_[:])
    assert np.array_equal(theirs.group.not_refractory_[:], ours.group.not_refractory_[:])
    assert float(theirs.net.t) == float(ours.net.t)
    assert float(theirs.group.t_[:]) == float(ours.group.t_[:])


def test_two_runs_with_changes_between_them_are_those_of_brian2() -> None:
    same(*both(lambda: recurrent(two_runs)))


def test_a_run_in_pieces_is_the_whole_run() -> None:
    def pieces(net: Any, group: Any) -> None:
        for _ in range(4):
            net.run(5 * b2.ms)

    whole = on("runtime", lambda: recurrent(lambda net, group: net.run(20 * b2.ms)))
    same(whole, on("neuromorph", lambda: recurrent(pieces), **REFERENCE))


def test_the_cpu_gives_the_reference_bit_for_bit() -> None:
    one = on("neuromorph", lambda: recurrent(two_runs), **REFERENCE)
    other = on("neuromorph", lambda: recurrent(two_runs), threads=1)
    assert np.array_equal(one.spikes.t_, other.spikes.t_)
    assert np.array_equal(one.states.v_, other.states.v_)
    assert np.array_equal(one.group.v_[:], other.group.v_[:])


def test_spinnaker2_gives_the_cpu_bit_for_bit_in_its_arithmetic() -> None:
    one = on("neuromorph", lambda: recurrent(two_runs), target=CPU(dtype="float32"))
    other = on("neuromorph_spinnaker2", lambda: recurrent(two_runs))
    assert len(one.spikes.t) > 20
    assert np.array_equal(one.spikes.t_, other.spikes.t_)
    assert np.array_equal(one.spikes.i, other.spikes.i)
    assert np.array_equal(one.group.v_[:], other.group.v_[:])
    assert "PE" in str(b2.get_device().program.report())


def test_magic_run_and_the_names_around_it() -> None:
    def script() -> Any:
        tau = 7 * b2.ms  # noqa: F841  a name that the equations find where run() is called
        group = b2.NeuronGroup(2, "dv/dt = (1.5 - v) / tau : 1", threshold="v > 1", reset="v = 0", method="exact")
        spikes = b2.SpikeMonitor(group)
        b2.run(30 * b2.ms)
        return spikes.t_[:], np.asarray(group.v_)

    theirs, ours = both(script)
    assert len(theirs[0]) > 4
    assert np.array_equal(theirs[0], ours[0])
    assert np.allclose(theirs[1], ours[1], rtol=1e-13, atol=0)


def test_a_step_of_another_length_between_runs() -> None:
    def script() -> Any:
        group = b2.NeuronGroup(1, "dv/dt = -v/(3*ms) : 1", method="exact")
        group.v = 1
        watch = b2.StateMonitor(group, "v", record=True)
        net = b2.Network(group, watch)
        net.run(1 * b2.ms)
        b2.defaultclock.dt = 0.5 * b2.ms
        net.run(2 * b2.ms)
        return watch.t_[:], watch.v_[:]

    theirs, ours = both(script)
    assert np.array_equal(theirs[0], ours[0])
    assert np.allclose(theirs[1], ours[1], rtol=1e-13, atol=0)


def test_what_is_not_active_rests() -> None:
    def script() -> Any:
        group = b2.NeuronGroup(2, "dv/dt = 0.7/ms : 1", threshold="v > 1", reset="v = 0")
        spikes, watch = b2.SpikeMonitor(group), b2.StateMonitor(group, "v", record=True)
        net = b2.Network(group, spikes, watch)
        net.run(4 * b2.ms)
        group.active = False
        net.run(2 * b2.ms)
        group.active, spikes.active = True, False
        net.run(3 * b2.ms)
        return spikes.t_[:], watch.v_[:]

    theirs, ours = both(script)
    assert np.array_equal(theirs[0], ours[0])
    assert np.allclose(theirs[1], ours[1], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("in_file", [False, True])
def test_a_stored_network_goes_on_as_it_went_on_before(in_file: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "state") if in_file else None

    def again(net: Any, group: Any) -> None:
        net.run(20 * b2.ms)
        net.store("half", path)
        net.run(10 * b2.ms)
        again.first = group.v_[:].copy()  # type: ignore[attr-defined]
        net.restore("half", path)
        net.run(10 * b2.ms)

    made = on("neuromorph", lambda: recurrent(again), **REFERENCE)
    assert np.array_equal(again.first, made.group.v_[:])  # type: ignore[attr-defined]
    assert made.spikes.t_[-1] > 0.02
    assert len(made.spikes.t) == made.spikes.num_spikes == made.spikes.count[:].sum()


def test_nothing_is_restored_that_was_not_stored_here() -> None:
    def script(net: Any, group: Any) -> None:
        net.run(1 * b2.ms)
        with pytest.raises(TargetError, match="'elsewhere'"):
            net.restore("elsewhere")

    on("neuromorph", lambda: recurrent(script), **REFERENCE)


@pytest.mark.parametrize("name", ["rand_buffer", "rand_buffer_index", "randn_buffer", "randn_buffer_index"])
def test_compiled_code_draws_the_same_numbers_on_every_device(name: str) -> None:
    """What Brian 2 compiled keeps the buffers of the device that ran it first, so devices have the same ones."""
    assert getattr(all_devices["neuromorph"], name) is getattr(all_devices["runtime"], name)


@pytest.mark.parametrize("method", ["exact", ("exact", "euler")])
def test_equations_are_solved_no_more_often_than_by_brian2(method: Any) -> None:
    solved = StateUpdateMethod.apply_stateupdater.__wrapped__

    def script() -> Any:
        solved._cache.clear()
        before = solved._cache_statistics.misses
        equations = "dv/dt = -v/tau : 1 (unless refractory)"
        group = b2.NeuronGroup(2, equations, method, threshold="v > 1", refractory=2 * b2.ms, name="cells")
        b2.Network(group).run(1 * b2.ms, namespace={"tau": 5 * b2.ms})
        return solved._cache_statistics.misses - before

    theirs, ours = both(script)
    assert theirs == ours > 0


def test_progress_is_reported_and_a_run_can_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[float] = []

    def script(net: Any, group: Any) -> None:
        def report(elapsed: Any, share: float, start: Any, duration: Any) -> None:
            calls.append(share)
            assert float(duration) == pytest.approx(0.2)
            if 0 < share < 1:
                net.stop()

        net.run(200 * b2.ms, report=report, report_period=0 * b2.second)
        assert 0 < float(net.t) < 0.2
        assert calls[0] == 0.0
        assert calls[-1] == pytest.approx(float(net.t) / 0.2)
        net.run(1 * b2.ms, report="text")
        with pytest.raises(ValueError, match="'loudly'"):
            net.run(1 * b2.ms, report="loudly")

    on("neuromorph", lambda: recurrent(script), **REFERENCE)
    assert "100%" in capsys.readouterr().out


def test_what_cannot_run_is_named() -> None:
    def script() -> None:
        neuron = b2.SpatialNeuron(b2.Soma(30 * b2.um), "Im = 0*amp/meter**2 : amp/meter**2", name="compartments")
        group = b2.NeuronGroup(1, "dv/dt = foo(v)/ms : 1", name="cells")
        net = b2.Network(neuron, group)
        with pytest.raises((CheckError, b2.BrianObjectException)) as error:
            net.run(1 * b2.ms, namespace={"foo": b2.Function(lambda v: v, arg_units=[1], return_unit=1)})
        assert "compartments" in str(error.value)

    on("neuromorph", script, **REFERENCE)


def test_options() -> None:
    with pytest.raises(TypeError, match="thread"):
        b2.set_device("neuromorph", thread=2)
    with pytest.raises(TargetError, match="threads="):
        b2.set_device("neuromorph", target=Reference(), threads=2)
    b2.set_device("neuromorph", directory=None, with_output=False)  # what brian2.test() gives every device

    def script(net: Any, group: Any) -> None:
        with pytest.raises(TargetError, match="profile"):
            net.run(1 * b2.ms, profile=True)

    on("neuromorph", lambda: recurrent(script), **REFERENCE)
    with pytest.raises(NeuromorphError, match="nothing has run"):
        b2.get_device().program.report()


THEIRS = (
    "test_monitor::test_spike_monitor_variables",
    "test_monitor::test_rate_monitor_subgroups_2",
    "test_refractory::test_refractoriness_threshold_basic",
    "test_spikegenerator::test_spikegenerator_change_spikes",
    "test_synapses::test_transmission_one_to_all_heterogeneous_delays",
    "test_base::test_active_flag",
)
"""A few of Brian 2's own tests; all of them run in benchmarks/peer_suites/brian2.py."""


@pytest.mark.parametrize("test", THEIRS)
def test_brian2s_own(test: str, pytestconfig: pytest.Config) -> None:
    for mark in ("standalone_compatible", "standalone_only", "codegen_independent", "multiple_runs", "long"):
        pytestconfig.addinivalue_line("markers", f"{mark}: of Brian 2's tests")
    module, name = test.split("::")
    function = getattr(importlib.import_module(f"brian2.tests.{module}"), name)
    on("neuromorph", function, **REFERENCE)
