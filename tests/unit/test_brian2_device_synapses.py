"""Events and synapses of Brian 2 on the device: several kinds of events, code in every step, monitors, several runs."""

from __future__ import annotations

from types import SimpleNamespace

import brian2 as b2
import numpy as np
import pytest
from brian2_device import both, clean  # noqa: F401  clean acts by itself

from neuromorph.interchange.brian2.device import session

KINDS = {"transmit": "spike", "far": "above", "back": "spike", "late": "above"}


def learning(*durations: float) -> SimpleNamespace:
    """Neurons with two kinds of events, and synapses on which everything acts that can."""
    group = b2.NeuronGroup(
        9,
        "dv/dt = (drive + g - v)/(5*ms) : 1\ndg/dt = -g/(3*ms) : 1\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        events={"above": "v > 0.8"},
        method="exact",
        name="cells",
    )
    group.drive = "1.1 + 0.05*i"
    synapses = b2.Synapses(
        group,
        group,
        """w : 1
        a : 1
        c : 1
        y = w*(1 + v_post) : 1 (constant over dt)
        z = a + 0.5*y : 1""",
        on_pre={"transmit": "g_post += 0.1*y", "far": "a = 0.9*a + 0.01*w"},
        on_post={"back": "w = clip(w + 0.01*a, 0, 1)", "late": "c += 1 + z"},
        on_event=KINDS,
        name="synapses",
    )
    synapses.connect("i != j", p=0.6)
    synapses.w = "0.1*rand()"
    synapses.far.delay, synapses.back.delay, synapses.late.delay = 1.2 * b2.ms, 0.7 * b2.ms, "0.1*ms*(i % 4)"
    synapses.run_regularly("w *= 0.999", dt=0.5 * b2.ms)
    made = SimpleNamespace(
        synapses=synapses,
        group=group,
        spikes=b2.SpikeMonitor(group),
        above=b2.EventMonitor(group, "above"),
        part=b2.EventMonitor(group[2:7], "above", variables="v"),  # which sees each event a step later
        early=b2.StateMonitor(synapses, ["w", "a", "y", "z"], record=[0, 7, 3]),
        end=b2.StateMonitor(synapses, ["w", "c"], record=[2, 11], when="end"),
        slow=b2.StateMonitor(synapses, ["z", "c"], record=[5], when="before_synapses", dt=0.5 * b2.ms),
    )
    net = b2.Network(vars(made).values())
    for duration in durations:
        net.run(duration * b2.ms)
        synapses.w[0] = 0.05
    return made


def test_several_runs_with_events_of_two_kinds_on_their_way_are_those_of_brian2() -> None:
    theirs, ours = both(lambda: learning(6.3, 5.2, 8.1))
    assert theirs.spikes.num_spikes > 10
    assert theirs.above.num_events > 50
    for name in ("spikes", "above", "part"):
        assert np.array_equal(getattr(theirs, name).i, getattr(ours, name).i)
        assert np.array_equal(getattr(theirs, name).t_, getattr(ours, name).t_)
    np.testing.assert_allclose(ours.part.v, theirs.part.v, rtol=1e-9)
    for name in "wacy":
        one, other = (m.synapses.variables[name].get_value() for m in (theirs, ours))
        np.testing.assert_allclose(other, one, rtol=1e-9, err_msg=name)
    for name in ("early", "end", "slow"):
        one, other = getattr(theirs, name), getattr(ours, name)
        assert np.array_equal(one.t_, other.t_)
        for variable in one.record_variables:
            np.testing.assert_allclose(getattr(other, variable), getattr(one, variable), rtol=1e-9, err_msg=variable)


def test_monitors_of_a_part_see_events_a_step_later_across_stretches_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ROW_BYTES", 400)  # monitors are filled every few steps

    def script() -> SimpleNamespace:
        group = b2.NeuronGroup(5, "dv/dt = (1 + 0.1*i)/ms : 1", events={"full": "v > 1"}, method="euler")
        group.run_on_event("full", "v = 0")
        part = b2.EventMonitor(group[1:4], "full", variables="v")
        counts = b2.EventMonitor(group, "full", record=False)
        net = b2.Network(group, part, counts)
        for duration in (5.2, 3.3):
            net.run(duration * b2.ms)
        columns = {name: np.array(getattr(part, name)) for name in ("t_", "i", "v")}
        return SimpleNamespace(columns=columns, counts=np.array(counts.count))

    theirs, ours = both(script)
    for name, expected in theirs.columns.items():
        np.testing.assert_allclose(ours.columns[name], expected, rtol=1e-9, err_msg=name)
    assert np.array_equal(ours.counts, theirs.counts)
    assert theirs.counts.min() > 5
