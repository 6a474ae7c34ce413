"""What a checkpoint keeps of a plastic projection: its states, the events under way, and what views saw.

Arrays by name: ``state <name>``; ``sent steps``, ``sent ids`` and perhaps ``sent values`` of the events that were sent
no longer ago than the longest delay; the same with ``returned`` of the targets' events, where they act later, and with
``further 0`` and so on of further events of both;
``view <number>`` with the rows that a view needs, oldest first: as many steps as it lags, or for a target what it has
now; ``value <name>`` of each value that was set (:mod:`.setting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from neuromorph.engine.layout import Layout
from neuromorph.engine.memory import Memory
from neuromorph.lowering.plastic import PlasticProjection

from .memory import Array, PlasticMemory
from .reference import RunningPlastic

KEPT = {"pre": "states", "post": "states", "synapse": "states", "seen": "views", "floats": "values", "ints": "values"}
"""Fields of :class:`PlasticMemory` that differ between runs of one network, and as which part they are kept."""
DERIVED = {
    "lowered": "from the network and the values",
    "columns": "from the targets",
    "column": "from the targets",
    "column_source": "from the rows",
    "listed": "from the routes",
}
"""The others, and why a checkpoint need not keep them."""

Sent = tuple[Array, Array | None]
"""Source neurons, ascending, and the values of their events, if they carry any."""


def kept(
    lowered: PlasticProjection,
    step: int,
    states: Sequence[Array],
    sent: Callable[[int], Sent],
    returned: Callable[[int], Sent],
    further: Sequence[Callable[[int], Sent]],
    views: Sequence[Array],
) -> dict[str, Array]:
    """The arrays of a checkpoint.

    Parameters
    ----------
    step : int
        Number of the next step.
    sent, returned : functions of a step
        The events of the source neurons, and of the targets, in it.
    further : sequence of functions of a step
        The same of each population of further events.
    views : sequence of (rows, neurons)
    """
    arrays = {f"state {slot.name}": np.array(v) for slot, v in zip(lowered.program.states, states, strict=True)}
    arrays |= _listed("sent", sent, range(max(0, step - lowered.max_delay), step))
    if lowered.back():
        arrays |= _listed("returned", returned, range(max(0, step - lowered.back()), step))
    for k, events in enumerate(further):
        arrays |= _listed(f"further {k}", events, range(max(0, step - lowered.max_delay), step))
    return arrays | {f"view {k}": np.array(rows) for k, rows in enumerate(views)}


def _listed(name: str, events: Callable[[int], Sent], when: range) -> dict[str, Array]:
    lists = [events(t) for t in when]
    arrays = {f"{name} steps": np.repeat(np.array(when, np.int64), [len(ids) for ids, _ in lists])}
    arrays[f"{name} ids"] = np.concatenate([np.zeros(0, np.uint32), *(ids.astype(np.uint32) for ids, _ in lists)])
    values = [v for _, v in lists if v is not None]
    return arrays | ({f"{name} values": np.concatenate(values)} if values else {})


def events_in(arrays: Mapping[str, Array], step: int, name: str = "sent") -> Sent:
    """The events of a step among those kept."""
    chosen = arrays[f"{name} steps"] == step
    values = arrays.get(f"{name} values")
    return arrays[f"{name} ids"][chosen], None if values is None else values[chosen]


def state_of_reference(running: RunningPlastic, step: int) -> dict[str, Array]:
    """What a checkpoint keeps of a projection that runs in NumPy."""
    lowered = running.lowered
    lag, lagged = lowered.min_delay, 0
    views = []
    for view in lowered.views:
        if view.lag:
            rows = [running.seen.get(t, running.first_seen)[lagged] for t in range(step - lag, step)] if step else []
            views.append(np.array(rows))
            lagged += 1
        else:
            views.append(running.value(view.population, view.variable)[None])
    nothing = np.zeros(0, np.uint32), None
    lists = (running.sent, running.returned, *running.further.values())
    sent, returned, *further = ((lambda t, of=of: of.get(t, nothing)) for of in lists)
    return kept(lowered, step, running.states, sent, returned, further, views)


def load_reference(running: RunningPlastic, step: int, arrays: Mapping[str, Array]) -> None:
    """Put back what :func:`kept` gave; the populations have to be restored first."""
    lowered, lag = running.lowered, running.lowered.min_delay
    running.states = [arrays[f"state {slot.name}"].copy() for slot in lowered.program.states]
    running.sent = {t: events_in(arrays, t) for t in range(max(0, step - lowered.max_delay), step)}
    running.returned = {t: events_in(arrays, t, "returned") for t in range(max(0, step - lowered.back()), step)}
    for k, population in enumerate(lowered.further):
        when = range(max(0, step - lowered.max_delay), step)
        running.further[population] = {t: events_in(arrays, t, f"further {k}") for t in when}
    rows = [arrays[f"view {k}"] for k, view in enumerate(lowered.views) if view.lag]
    if step:
        running.seen = {t: [row[t - step + lag] for row in rows] for t in range(step - lag, step)}
        running.first_seen = [row[0] for row in rows]
    for k, view in enumerate(lowered.views):
        if not view.lag:
            running.show(view.population, view.variable, arrays[f"view {k}"][0])


def state_of_memory(
    memory: PlasticMemory, memories: Sequence[Memory], layouts: Sequence[Layout | None], step: int, threads: int
) -> dict[str, Array]:
    """What a checkpoint keeps of a compiled projection, whose latest events so many threads listed."""
    lowered = memory.lowered

    def events(source: Memory, t: int) -> Sent:
        row, bounds = t & source.event_mask, source.bounds(threads)
        parts = [slice(bounds[k], bounds[k] + source.counts[k, row]) for k in range(threads)]
        values = None if source.values is None else np.concatenate([source.values[row, part] for part in parts])
        return np.concatenate([source.fired[row, part] for part in parts]), values

    views = []
    for view, rows in zip(lowered.views, memory.seen, strict=True):
        size = memories[view.population].size
        if rows is not None:
            when = np.arange(step - view.lag, step) if step else np.zeros(0, np.int64)
            views.append(rows[when & (len(rows) - 1), :size])
        else:
            views.append(_shown(memories[view.population], layouts[view.population], view.variable)[None, :size])
    ends = (lowered.pre, lowered.post, *lowered.further)
    sent, returned, *further = (partial(events, memories[k]) for k in ends)
    return kept(lowered, step, memory.states(), sent, returned, further, views)


def load_memory(
    memory: PlasticMemory,
    memories: Sequence[Memory],
    layouts: Sequence[Layout | None],
    step: int,
    arrays: Mapping[str, Array],
) -> None:
    """Put back what :func:`kept` gave; the populations have to be restored first."""
    lowered = memory.lowered
    for k, slot in enumerate(lowered.program.states):
        memory.state(k)[:] = arrays[f"state {slot.name}"]
    memory.share()
    ends = [("sent", lowered.pre, lowered.max_delay), ("returned", lowered.post, lowered.back())]
    ends += [(f"further {k}", population, lowered.max_delay) for k, population in enumerate(lowered.further)]
    for name, end, back in ends:
        for t in range(max(0, step - back), step):
            _list(memories[end], t, *events_in(arrays, t, name))
    for k, (view, rows) in enumerate(zip(lowered.views, memory.seen, strict=True)):
        found = arrays[f"view {k}"]
        if rows is None:
            _shown(memories[view.population], layouts[view.population], view.variable)[: found.shape[1]] = found[0]
        else:
            for t, row in enumerate(found, step - view.lag):
                rows[t & (len(rows) - 1), : row.size] = row


def _list(source: Memory, step: int, ids: Array, values: Array | None) -> None:
    """List the events of a step as one thread would."""
    row = step & source.event_mask
    source.counts[:, row] = 0
    source.counts[0, row] = len(ids)
    source.fired[row, : len(ids)] = ids
    if values is not None and source.values is not None:
        source.values[row, : len(ids)] = values


def _shown(memory: Memory, layout: Layout | None, variable: str) -> Array:
    assert layout is not None  # a source of events has nothing to look at
    offset = layout.place(variable).offset
    shown: Array = memory.floats[offset : offset + memory.stride]
    return shown
