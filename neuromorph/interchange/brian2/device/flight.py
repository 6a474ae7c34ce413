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

Path = tuple[str, str, str]


@dataclass(frozen=True)
class Leg:
    """Events of the last steps that left with the delays of one program.

    Attributes
    ----------
    events : mapping of str to (steps, neurons)
        By population.
    program : Program or None
        None in another process.
    reach : int
        Steps that an event is on its way at most.
    """

    events: Events
    program: Program | None
    reach: int

    def __getstate__(self) -> dict[str, Any]:
        return {"events": self.events, "program": None, "reach": self.reach}

    def later(self, trace: Trace, step: int) -> Leg:
        """With the events of a stretch, at the step that follows it."""
        found = {}
        for name in trace.recorded_events:
            new = trace.events(name)
            assert new.steps is not None  # the trace is our own
            old = self.events.get(name, (new.steps[:0], new.ids[:0]))
            found[name] = np.concatenate([old[0], new.steps]), np.concatenate([old[1], new.ids])
        return self.at(step, found)

    def at(self, step: int, events: Events | None = None) -> Leg:
        """With those events that may be on their way before this step."""
        given = self.events if events is None else events
        recent = {name: steps >= step - self.reach for name, (steps, _) in given.items()}
        return replace(self, events={name: (s[recent[name]], i[recent[name]]) for name, (s, i) in given.items()})


@dataclass(frozen=True)
class Flight:
    """What was on its way when a run ended.

    Attributes
    ----------
    legs : tuple of Leg
        By time.
    paths : mapping of str to (population, port, text)
        Where each projection ends whose synapses do not change by themselves; equal texts are equal synapses. Empty if
        nothing can have been on its way.
    """

    legs: tuple[Leg, ...]
    paths: Mapping[str, Path]


def legs_of(flight: Flight | None, program: Program, objects: Iterable[Any], dt: float, step: int) -> tuple[Leg, ...]:
    """The legs at the beginning of a run, the last of which is the run's own."""
    before = tuple(leg.at(step) for leg in flight.legs) if flight is not None else ()
    if before and before[-1].program is program:
        return before
    kept = tuple(leg for leg in before if any(len(steps) for steps, _ in leg.events.values()))
    return (*kept, Leg({}, program, _longest_delay(objects, dt)))


def flight_of(legs: tuple[Leg, ...], network: Network) -> Flight:
    """What is on its way at the end of a run; weights of 0 may become others, so they count."""
    waiting = any(leg.reach > 1 and len(steps) for leg in legs for steps, _ in leg.events.values())
    return Flight(legs, _paths(network) if waiting else {})


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
    changed = {path[:2] for name, path in flight.paths.items() if paths.get(name) != path}
    problems = []
    for population, port in sorted(changed & {(name, port) for name, each in made.items() for port in each.arriving}):
        state = made[population]
        rows = state.arriving[port]
        fresh = np.zeros((1 + max(leg.reach for leg in flight.legs), rows.shape[1]), rows.dtype)
        there = (j for j in network.projections if (j.post.name, j.port) == (population, port))
        for projection in (j for j in there if j.name in flight.paths):
            for leg in flight.legs:
                if len(leg.events.get(projection.pre.name, ((),))[0]):
                    synapses = _synapses(leg, program, projection)
                    if isinstance(synapses, str):
                        problems.append(synapses)
                    else:
                        _add(fresh, leg.events[projection.pre.name], synapses, step)
        used = 1 + int(np.max(np.flatnonzero(fresh.any(axis=1)), initial=-1))
        made[population] = replace(state, arriving={**made[population].arriving, port: fresh[:used]})
    return made, problems


def _paths(network: Network) -> dict[str, Path]:
    plain = (j for j in network.projections if j.synapse is None)
    return {j.name: (j.post.name, j.port, describe([j.pre.name, j.rule, j.weight, j.delay])) for j in plain}


def _longest_delay(objects: Iterable[Any], dt: float) -> int:
    delays = [
        float(np.max(values))
        for thing in objects
        if type(thing).__name__ == "Synapses"
        for pathway in thing._pathways
        if np.size(values := pathway.variables["delay"].get_value())
    ]
    return int(np.ceil(max(delays, default=0.0) / dt)) + 1


def _synapses(leg: Leg, program: Program, projection: Projection) -> tuple[Array, Array, Array, Array] | str:
    """Sources, targets, delays then and weights now of the synapses, ordered by source; or why they are unknown."""
    what = f"{projection.name}: it was changed while events are on their way through it"
    if leg.program is None:
        return f"{what}, and they are known in the process that stored them alone; restore it there"
    before, now = leg.program.synapses(projection.name), program.synapses(projection.name)
    then, order = _order(before), _order(now)
    if not (np.array_equal(before.pre[then], now.pre[order]) and np.array_equal(before.post[then], now.post[order])):
        return f"{what}: it joins other neurons; run on until they have arrived"
    weights = np.asarray(getattr(now.weights, "value", now.weights))
    return now.pre[order], now.post[order], before.delays[then], np.broadcast_to(weights, len(now))[order]


def _order(synapses: SynapseValues) -> Array:
    return np.asarray(np.lexsort((synapses.post, synapses.pre)))


def _add(rows: Array, events: tuple[Array, Array], synapses: tuple[Array, Array, Array, Array], step: int) -> None:
    """Add what events bring: row k arrives k steps after this one."""
    pre, post, delays, weights = synapses
    steps, ids = events
    first, last = np.searchsorted(pre, ids, "left"), np.searchsorted(pre, ids, "right")
    counts = last - first
    which = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
    ahead = np.repeat(steps, counts) + delays[which] - step
    here = (ahead > 0) & (ahead < len(rows))
    np.add.at(rows, (ahead[here], post[which[here]]), weights[which[here]])
