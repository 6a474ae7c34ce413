"""Brian 2's groups that replay spikes, and what else comes in from outside, as sources of events."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.schedule import Schedule, steps_of
from neuromorph.interchange.brian2.tables import Feed
from neuromorph.language import Event, Neuron, Param, make_neuron, step, trunc_div
from neuromorph.network import EventSource

REPEATED = 64
"""Spikes of one neuron in a period that are compared with one by one."""


def spike_source(group: Any, schedule: Schedule, ends: bool = False) -> EventSource | Neuron:
    """A SpikeGeneratorGroup: a list of spikes, or a neuron that counts steps.

    It is a neuron where spikes repeat without end, or where synapses end at it.

    Raises
    ------
    LanguageError
        For a period that is no whole number of steps, or for more than `REPEATED` spikes of one neuron, in a period or
        where synapses end.
    """
    from brian2.core.functions import timestep

    length = float(group.clock.dt_)
    times = np.asarray(group.variables["spike_time"].get_value(), np.float64)
    steps = np.asarray(timestep(times, length), np.int64) * schedule.every(group)
    indices = np.asarray(group.variables["neuron_index"].get_value(), np.int64)
    period = float(group.variables["period"].get_value().item())
    if not 0 < period < 1e9:
        return _counting(group, steps, indices) if ends else EventSource(int(group.N), steps=steps, indices=indices)
    whole = steps_of(period, schedule.dt)
    if not whole:
        raise LanguageError(f"its period of {period * 1e3:g} ms is no whole number of steps")
    return _counting(group, steps % whole, indices, whole)


def _counting(group: Any, steps: Any, indices: Any, period: int | None = None) -> Neuron:
    size = int(group.N)
    order = np.lexsort((steps, indices))
    steps, indices = steps[order], indices[order]
    count = np.bincount(indices, minlength=size)
    most = int(count.max(initial=0))
    if most > REPEATED:
        why = "synapses end at it" if period is None else "its spikes repeat with a period"
        raise LanguageError(
            f"{why}, and a neuron has {most} spikes{'' if period is None else ' in each'}; at most {REPEATED} can be "
            "compared with: " + ("let a NeuronGroup spike" if period is None else "write all of them out")
        )
    table = np.full((size, max(most, 1)), -1, np.int64)
    table[indices, np.arange(len(indices)) - np.repeat(np.cumsum(count) - count, count)] = steps
    columns = {f"spike_{k}": Param(-1, dtype=int) for k in range(table.shape[1])}
    now = step if period is None else step - trunc_div(step, period) * period
    when = now == columns["spike_0"]
    for k in range(1, table.shape[1]):
        when = when | (now == columns[f"spike_{k}"])
    doc = f"Spikes at given steps, from Brian 2's {group.name}."
    made = make_neuron(group.name, {**columns, "spike": Event(when=when)}, doc=doc)
    return made(**{name: table[:, k] for k, name in enumerate(columns)})


def feed_source(feed: Feed) -> EventSource:
    """A table over time as events that arrive in the step that they are for."""
    steps, columns = np.nonzero(feed.values[1:])  # nothing can arrive in step 0
    return EventSource(feed.values.shape[1], steps=steps, indices=columns, values=feed.values[1:][steps, columns])
