"""Events on their way through synapses whose weights a script changes.

An event of ours takes its weights along when it leaves; Brian 2 reads them when it arrives, after the delay that the
synapse had when it left. Where a script changed weights between two runs, what is on its way is put together again from
the events of the last steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.text import describe

if TYPE_CHECKING:
    from neuromorph.engine.checkpoint import PopulationState
    from neuromorph.engine.plastic.synapse_values import SynapseValues
    from neuromorph.engine.target import Program
    from neuromorph.network import Network, Projection
    from neuromorph.trace import Trace

Array = npt.NDArray[Any]
Events = Mapping[str, tuple[Array, Array]]
"""Steps and neurons of the events of each population."""


@dataclass(frozen=True)
class Flight:
    """What was on its way when a run ended.

    Attributes
    ----------
    events : mapping of str to (steps, neurons)
        The events of the last steps, by population.
    paths : mapping of str to str
        Text of each projection whose synapses do not change by themselves: equal texts are equal synapses.
    program : Program or None
        Whose synapses they were; None in another process.
    """

    events: Events
    paths: Mapping[str, str]
    program: Program | None

    def __getstate__(self) -> dict[str, Any]:
        return {"events": self.events, "paths": self.paths, "program": None}


def longest_delay(objects: Iterable[Any], dt: float) -> int:
    """Steps that an event is on its way at most, in Brian 2's synapses."""
    delays = [
        float(np.max(values))
        for thing in objects
        if type(thing).__name__ == "Synapses"
        for pathway in thing._pathways
        if np.size(values := pathway.variables["delay"].get_value())
    ]
    return int(np.ceil(max(delays, default=0.0) / dt)) + 1


def recent(before: Events, trace: Trace, first: int) -> Events:
    """The events since a step, of those before a stretch and those that it recorded."""
    found = {}
    for name in trace.recorded_events:
        new = trace.events(name)
        assert new.steps is not None  # the trace is our own
        old = before.get(name, (new.steps[:0], new.ids[:0]))
        steps, ids = np.concatenate([old[0], new.steps]), np.concatenate([old[1], new.ids])
        found[name] = steps[steps >= first], ids[steps >= first]
    return found


def flight_of(events: Events, network: Network, program: Program, states: Mapping[str, PopulationState]) -> Flight:
    """What is on its way at the end of a run; without texts if nothing is."""
    waiting = any(np.any(rows[1:]) for state in states.values() for rows in state.arriving.values())
    return Flight(events, _paths(network) if waiting else {}, program)


def redirected(
    flight: Flight, states: Mapping[str, PopulationState], network: Network, program: Program, step: int
) -> tuple[dict[str, PopulationState], list[str]]:
    """What is on its way to each population, with the weights that synapses have now, and what cannot be found out.

    Parameters
    ----------
    flight : Flight
    states : mapping of str to PopulationState
        What the last run left.
    network, program : Network and Program
        Of the next run.
    step : int
        Its first.
    """
    made = dict(states)
    paths = _paths(network) if flight.paths else {}
    ends = {j.name: (j.post.name, j.port) for j in network.projections}
    changed = {name for name in flight.paths.keys() & paths.keys() if flight.paths[name] != paths[name]}
    problems = []
    for population, port in sorted({ends[name] for name in changed}):
        state = made[population]
        rows = state.arriving.get(port)
        if rows is None or not np.any(rows[1:]):
            continue
        known = [
            j for j in network.projections if (j.post.name, j.port) == (population, port) and j.name in flight.paths
        ]
        given = [_pairs(flight, program, j) for j in known]
        problems += [problem for problem in given if isinstance(problem, str)]
        if not any(isinstance(each, str) for each in given):
            fresh = np.zeros_like(rows)
            for projection, synapses in zip(known, given, strict=True):
                _add(fresh, flight.events.get(projection.pre.name), synapses, step)
            made[population] = replace(state, arriving={**state.arriving, port: fresh})
    return made, problems


def _paths(network: Network) -> dict[str, str]:
    plain = (j for j in network.projections if j.synapse is None)
    return {j.name: f"{j.pre.name} {j.post.name} {j.port} {describe([j.rule, j.weight, j.delay])}" for j in plain}


def _pairs(flight: Flight, program: Program, projection: Projection) -> tuple[Array, Array, Array, Array] | str:
    """Sources, targets, delays then and weights now of the synapses, ordered by source; or why they are unknown."""
    what = f"{projection.name}: it was changed while events are on their way through it"
    if flight.program is None:
        return f"{what}, and they are known in the process that stored them alone; restore it there"
    before, now = flight.program.synapses(projection.name), program.synapses(projection.name)
    then, order = _order(before), _order(now)
    if not (np.array_equal(before.pre[then], now.pre[order]) and np.array_equal(before.post[then], now.post[order])):
        return f"{what}: it joins other neurons; run on until they have arrived"
    weights = np.asarray(getattr(now.weights, "value", now.weights))
    return now.pre[order], now.post[order], before.delays[then], np.broadcast_to(weights, len(now))[order]


def _order(synapses: SynapseValues) -> Array:
    return np.asarray(np.lexsort((synapses.post, synapses.pre)))


def _add(rows: Array, events: tuple[Array, Array] | None, synapses: Any, step: int) -> None:
    """Add what events bring: row k arrives k steps after this one."""
    if events is None:
        return
    pre, post, delays, weights = synapses
    steps, ids = events
    first, last = np.searchsorted(pre, ids, "left"), np.searchsorted(pre, ids, "right")
    counts = last - first
    which = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
    ahead = np.repeat(steps, counts) + delays[which] - step
    here = (ahead > 0) & (ahead < len(rows))
    np.add.at(rows, (ahead[here], post[which[here]]), weights[which[here]])
