"""Network operations: Python between the steps of a run, beside Brian 2."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2_device import REFERENCE, Counting, both, clean, on  # noqa: F401  clean acts by itself

from neuromorph.errors import CheckError


def cells(operations: Any, more: Any = lambda made: ()) -> SimpleNamespace:
    """Five neurons that excite each other, with the network operations that a function makes of them."""
    equations = "dv/dt = (drive - v)/(5*ms) : 1 (unless refractory)\ndrive : 1"
    group = b2.NeuronGroup(
        5, equations, threshold="v > 1", reset="v = 0", refractory=1 * b2.ms, method="euler", name="cells"
    )
    group.drive, group.v = 1.5, "i*0.15"
    synapses = b2.Synapses(group, group, "w : 1", on_pre="v += w", delay=0.3 * b2.ms, name="synapses")
    synapses.connect("i != j")
    synapses.w = 0.1
    made = SimpleNamespace(
        group=group,
        synapses=synapses,
        spikes=b2.SpikeMonitor(group),
        states=b2.StateMonitor(group, ["v", "drive"], record=True),
        rate=b2.PopulationRateMonitor(group),
        log=[],
    )
    made.net = b2.Network(*(x for x in vars(made).values() if x is not made.log))
    made.net.add(*operations(made), *more(made))
    return made


def same(theirs: Any, ours: Any) -> None:
    """Equal spikes, and equal values up to rounding, also those that the operations saw."""
    assert len(theirs.spikes.t) > 4
    assert np.array_equal(theirs.spikes.t_, ours.spikes.t_)
    assert np.array_equal(theirs.spikes.i, ours.spikes.i)
    assert np.array_equal(theirs.rate.rate_, ours.rate.rate_)
    for name in ("t_", "v_", "drive_"):
        assert np.allclose(getattr(theirs.states, name), getattr(ours.states, name), rtol=0, atol=1e-13)
    assert len(theirs.log) == len(ours.log) > 0
    for one, other in zip(theirs.log, ours.log, strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-13)


def test_operations_see_and_change_what_they_would_in_brian2() -> None:
    def operations(made: Any) -> Any:
        @b2.network_operation(dt=0.5 * b2.ms)
        def steer(t: Any) -> None:
            made.log.append((float(t / b2.ms), made.spikes.num_spikes, *np.asarray(made.group.v_)))
            if t > 3 * b2.ms:
                made.group.drive = "1.3 + 0.1*i" if made.spikes.num_spikes % 2 else 1.4

        @b2.network_operation(when="after_end")
        def push() -> None:
            made.log.append((float(made.net.t), float(b2.defaultclock.t / b2.ms), made.group.v_[1]))
            if made.group.v_[0] > 0.9:
                made.group.v[0] = 0.5

        return steer, push

    def script() -> Any:
        made = cells(operations)
        made.net.run(8 * b2.ms)
        made.synapses.w = 0.2
        made.net.run(4.2 * b2.ms)
        return made

    target = Counting()
    theirs, ours = on("runtime", script), on("neuromorph", script, target=target)
    same(theirs, ours)
    assert len(target.compiled) == 4  # drives that are all the same or differ, with the first weights and with others


def test_operations_change_synapses_and_what_is_active() -> None:
    def operations(made: Any) -> Any:
        @b2.network_operation(dt=2 * b2.ms)
        def change(t: Any) -> None:
            made.log.append(float(t / b2.ms))
            made.synapses.w = 0.05 * len(made.log)
            made.spikes.active = len(made.log) != 3

        return (change,)

    def script() -> Any:
        made = cells(operations)
        made.net.run(10 * b2.ms)
        return made

    same(*both(script))


@pytest.mark.parametrize("late", [False, True])
def test_an_operation_stops_the_run_where_brian2_stops(late: bool) -> None:
    def operations(made: Any) -> Any:
        @b2.network_operation(when="after_end" if late else "start")
        def stop() -> None:
            made.log.append(made.spikes.num_spikes)
            if made.spikes.num_spikes > 5:
                made.net.stop()

        return (stop,)

    def script() -> Any:
        made = cells(operations)
        made.net.run(20 * b2.ms)
        made.stopped = float(made.net.t)
        made.net.run(0.5 * b2.ms)
        return made

    theirs, ours = both(script)
    same(theirs, ours)
    assert 0.001 < theirs.stopped == ours.stopped < 0.02


def test_spikes_of_the_last_step() -> None:
    def operations(made: Any) -> Any:
        @b2.network_operation
        def look() -> None:
            made.log.append(sum(2**k for k in made.group.spikes))

        return (look,)

    def script() -> Any:
        made = cells(operations)
        for monitor in (made.spikes, made.rate):
            made.net.remove(monitor)  # nothing else records them
        made.net.run(8 * b2.ms)
        return made.log

    theirs, ours = both(script)
    assert theirs == ours
    assert max(theirs) > 0


def test_an_operation_in_the_middle_of_a_step_is_refused() -> None:
    def operations(made: Any) -> Any:
        @b2.network_operation(when="synapses")
        def wrong() -> None:
            """Never called."""

        return (wrong,)

    def script() -> None:
        with pytest.raises(CheckError, match=r"networkoperation.*: it is called between .*when='after_end'"):
            cells(operations).net.run(1 * b2.ms)

    on("neuromorph", script, **REFERENCE)
