"""The same Brian 2 objects run here and in Brian 2, spikes and samples side by side."""

from __future__ import annotations

import logging
from typing import Any

import brian2 as b
import numpy as np
import pytest

from neuromorph import Reference, from_brian2, ms
from neuromorph.interchange.brian2.samples import is_late, sampled
from neuromorph.interchange.brian2.schedule import Schedule, slots_of


@pytest.fixture(autouse=True)
def numpy_code() -> None:
    """Brian 2 without compiling, from one seed, and silent."""
    b.prefs.codegen.target = "numpy"
    b.start_scope()
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(11)
    logging.getLogger("brian2").setLevel(logging.WARNING)  # what it says of every object takes longer than all else


def compare(
    objects: Any, duration: float, namespace: dict[str, Any] | None = None, target: Any = Reference, rtol: float = 1e-12
) -> int:
    """Run the same objects here and in Brian 2 for so many ms; the number of spikes, which are the same.

    So is every sample of every state monitor, up to rounding.
    """
    names = namespace or {}
    theirs = objects if isinstance(objects, b.Network) else b.Network(*objects)
    network = from_brian2(theirs, namespace=names)
    clocks = [o.clock for o in theirs.objects if hasattr(o, "variables")]
    step = min(float(c.dt_) for c in clocks)
    trace = (
        target(dtype="float64").compile(network, dt=step * 1000 * ms).run((duration + 1e3 * step) * ms, progress=False)
    )
    theirs.run(duration * b.ms, namespace=names)
    total = 0
    steps = round(duration * 1e-3 / step)
    for monitor in theirs.objects:
        if isinstance(monitor, b.StateMonitor):
            same_samples(network, trace, monitor, Schedule(slots_of(theirs), step), steps, rtol)
        elif isinstance(monitor, b.SpikeMonitor | b.EventMonitor):
            expected = sorted(zip(np.rint(monitor.t_ / step).astype(int).tolist(), indices(monitor), strict=True))
            ours = events_of(trace, monitor, Schedule(slots_of(theirs), step))
            assert sorted(pair for pair in ours if pair[0] < steps) == expected
            total += len(expected)
    return total


def events_of(trace: Any, monitor: Any, schedule: Schedule) -> list[tuple[int, int]]:
    """(step, neuron) of every event that a monitor should have."""
    source = whole(monitor.source)
    if monitor.event == "spike":
        events = trace.events(source.name)
        return list(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))
    sender = f"{source.name} {monitor.event}"
    if sender in trace.populations:
        events = trace.events(sender)
        return list(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))
    late = is_late(schedule.position(source.thresholder[monitor.event]), source, schedule)
    rows, ids = np.nonzero(np.asarray(trace.state(source.name, f"{monitor.event}_fired").data))
    return list(zip((rows - late).tolist(), ids.tolist(), strict=True))


def whole(group: Any) -> Any:
    return group.source if type(group).__name__ == "Subgroup" else group


def indices(monitor: Any) -> list[int]:
    return (np.asarray(monitor.i) + int(getattr(monitor.source, "start", 0))).tolist()


def same_samples(network: Any, trace: Any, monitor: Any, schedule: Schedule, steps: int, rtol: float) -> None:
    source = whole(monitor.source)
    every = schedule.every(monitor)
    late = is_late(schedule.position(monitor), source, schedule)
    columns = np.asarray(monitor.record) + int(getattr(monitor.source, "start", 0))
    for variable in monitor.record_variables:
        recorded = trace.state(source.name, sampled(monitor, variable))
        scale = network[source.name].neuron.state(sampled(monitor, variable)).unit.scale
        ours = np.asarray(recorded.data, np.float64)[late : late + -(-steps // every)][:, columns] * scale
        expected = np.asarray(getattr(monitor, variable + "_"), np.float64).T
        assert ours.shape == expected.shape, (variable, ours.shape, expected.shape)
        np.testing.assert_allclose(
            ours, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=0), err_msg=variable
        )
