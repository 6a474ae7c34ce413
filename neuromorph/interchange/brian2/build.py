"""Networks written for Brian 2, taken in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from neuromorph.errors import CheckError, NeuromorphError
from neuromorph.interchange.brian2.clocks import schedule_of
from neuromorph.interchange.brian2.expressions import problem_of
from neuromorph.interchange.brian2.links import Neighbour, in_turn
from neuromorph.interchange.brian2.moment import Operation, fired
from neuromorph.interchange.brian2.names import GroupNames
from neuromorph.interchange.brian2.neuron import Task, group_neurons, written
from neuromorph.interchange.brian2.operations import Acting
from neuromorph.interchange.brian2.operations import acting as acting_on
from neuromorph.interchange.brian2.samples import Sample, between, is_late, sampled, samples_of, turn_of
from neuromorph.interchange.brian2.schedule import slots_of
from neuromorph.interchange.brian2.shared_draws import drawing
from neuromorph.interchange.brian2.sources import feed_source, spike_source
from neuromorph.interchange.brian2.synapses.monitors import seen_by_monitor, watched_in
from neuromorph.interchange.brian2.synapses.projections import (
    Link,
    Surroundings,
    Taken,
    sender_of,
    take,
    unsettled,
    writes,
)
from neuromorph.interchange.brian2.tables import Feed
from neuromorph.interchange.brian2.walk import MONITORS, creation, walk, whole
from neuromorph.language import Neuron, PortSpec, Type
from neuromorph.network import AllToAll, EventsOf, Network, Sparse
from neuromorph.units import Quantity, one, si_unit


def from_brian2(
    network: Any = None, *, namespace: Mapping[str, Any] | None = None, seed: int = 0, name: str = "network"
) -> Network:
    """A network that was written for Brian 2, as it stands before its first run.

    Neuron groups become populations of neurons with the same equations, synapses become synapses with the weights and
    delays that they have now, and what the groups' variables hold now are the initial values. Spikes fall into the
    same steps as in Brian 2, so compile with its step: ``CPU().compile(from_brian2(net), dt=defaultclock.dt)``.

    Parameters
    ----------
    network : brian2.Network or iterable of Brian 2 objects, optional
        By default what ``brian2.run`` would run where this function is called.
    namespace : mapping, optional
        Values of the names that the equations use; by default the variables where this function is called, as in
        ``brian2.run``.
    seed : int
        Of noise and Poisson spikes; Brian 2's own random numbers are not reproduced.
    name : str

    Returns
    -------
    Network
        Populations are named like their groups, and projections like their synapses. What monitors watch is recorded,
        for all neurons of their groups; without any spike monitor every spike is. What a state monitor sees of ``v`` is
        recorded as ``v_start``, or with another ``when`` of its own in the place of ``start``. A population sends its
        group's spikes; a population ``cells low`` sends events ``low`` of a group ``cells`` that synapses follow, and
        events that only monitors watch are recorded as a state ``low_fired``.

    Raises
    ------
    CheckError
        Listing everything that cannot be taken, each with the reason. Of groups: code that changes what is linked to
        another group, functions that are not plain arithmetic, a long ``TimedArray`` read at a time that only the run
        itself shows, clocks that are no multiples of the shortest, network operations, multicompartment neurons.

    Notes
    -----
    An effect of delay d acts at the start of the step that begins d + dt after the spike in both; here that is a delay
    of d + dt. Refractory time there counts the step of the spike, so it is one step shorter here. Compile with the
    shortest step of all clocks; groups with a slower one wait for it. What a monitor samples after the thresholds of a
    step, such as with ``when="end"``, is in the row of the next step here.

    A group becomes a neuron with its equations where our step does the same in another order: integration by ``exact``,
    ``euler`` or ``exponential_euler``, a constant refractory time or none, synapses that add to variables that no reset
    uses. Of any other, Brian 2's step is written out statement by statement, its integrator's included.
    """
    import brian2

    if namespace is None or network is None:
        frame = sys._getframe(1)
        if namespace is None:
            namespace = dict(chain(frame.f_globals.items(), frame.f_locals.items()))
        if network is None:
            network = brian2.collect(level=1)
    return take_in(network, namespace, seed, name).network


Amend = Callable[[Any, Neuron], Neuron]
"""What is done to the neuron of a group before it becomes a population: given the Brian 2 group, gives a neuron."""


@dataclass(frozen=True)
class Imported:
    """A network taken in, and which of its synapses is which.

    Attributes
    ----------
    network : Network
    orders : mapping of str to int array (synapses,)
        Of each projection whose synapses change: the numbers in Brian 2 of its synapses.
    """

    network: Network
    orders: Mapping[str, Any]


def take_in(
    given: Any,
    namespace: Mapping[str, Any],
    seed: int,
    name: str = "network",
    amend: Amend | None = None,
    settle: Callable[[Any], Iterable[str]] | None = None,
    first: int = 0,
) -> Imported:
    """What `from_brian2` makes; the device for Brian 2 adds to the neurons what it wants to look at.

    Parameters
    ----------
    given : brian2.Network or iterable of Brian 2 objects
    namespace : mapping
    seed : int
    name : str
    amend : function, optional
    settle : function of a group, optional
        Gives variables whose values between two steps of Brian 2 are wanted. Then every neuron keeps them, and those of
        all variables that change, in states that :func:`~neuromorph.interchange.brian2.samples.between` names.
    first : int
        The first step of the run.
    """
    return _Import(given, namespace, settle, first).build(seed, name, amend)


class _Import:
    """A network in the making, and what is wrong with it."""

    def __init__(
        self, given: Any, namespace: Mapping[str, Any], settle: Callable[[Any], Iterable[str]] | None, first: int
    ) -> None:
        self.namespace = namespace
        self.settle = settle
        self.first = first
        self.refused: set[str] = set()
        self._leaving: Mapping[str, tuple[str, ...]] = {}
        self.objects, self.problems = walk(given)
        self.by_kind = self.objects.by_kind
        self.groups = self.objects.groups
        others = [o for kind in (*MONITORS, "Synapses") for o in self.by_kind[kind]]
        self._watching = ("StateMonitor",) if settle is None else ("StateMonitor", "SpikeMonitor", "EventMonitor")
        self.schedule, problems = schedule_of(slots_of(given), self.groups, others)
        self.problems += problems

    def build(self, seed: int, name: str, amend: Amend | None = None) -> Imported:
        acting = {group.name: self._acting(group) for group in self.groups if not is_generator(group)}
        leaving = {g.name: self._events(g, acting[g.name].thresholds) for g in self.groups if not is_generator(g)}
        self._leaving = leaving
        events = {name: next(iter(each), None) for name, each in leaving.items()}
        touched = [w for synapses in self.by_kind["Synapses"] for w in writes(synapses, self.schedule)]
        moving = {
            group.name: written(group, acting[group.name].operations) | {v for g, v, *_ in touched if g == group.name}
            for group in self.groups
            if not is_generator(group)
        }
        found = self._synapses(
            Surroundings(
                self.namespace,
                self.schedule,
                moving,
                {name: each.operations for name, each in acting.items()},
                {g.name: leaving.get(g.name) or ("spike",) for g in self.groups},
                {(group, variable) for group, variable, _, _, sets in touched if sets},
                tuple((group, variable, position, label) for group, variable, position, label, _ in touched),
            )
        )
        arrivals = {group.name: found.operations(group.name) for group in self.groups}
        around = {
            name: Neighbour(turn_of(group, self.schedule, events[name]), (*acting[name].operations, *arrivals[name]))
            for name, group in ((g.name, g) for g in self.groups if not is_generator(g))
        }
        neurons: dict[str, Any] = {}
        tasks: dict[str, Task] = {}
        for group in self.groups:
            if is_generator(group):
                ends = any(whole(s.target).name == group.name for s in self.by_kind["Synapses"])
                neurons[group.name] = self._attempt(group.name, partial(spike_source, group, self.schedule, ends))
                continue
            if group.name in self.refused:
                continue
            watching = [m for kind in self._watching for m in self.by_kind[kind]]
            samples = samples_of(group, watching, self.schedule, plain=self.settle is not None)
            samples += tuple(sample for name, sample in found.kept if name == group.name)
            if self.settle is not None:
                names = GroupNames(group, self.namespace, moving[group.name])
                changing = (v for v in sorted(moving[group.name]) if names.has(v))
                wanted = dict.fromkeys((*changing, *self.settle(group)))
                samples += tuple(Sample(between(v), v, None, plain=True) for v in wanted)
            tasks[group.name] = Task(
                group,
                self.namespace,
                self.schedule,
                acting[group.name],
                arrivals[group.name],
                samples,
                events[group.name],
                moving,
                tuple(sorted(v for g, v in found.seen if g == group.name)),
                self.first,
                around,
            )
        known: dict[str, GroupNames] = {}
        for group_name, (neuron, names, problems) in group_neurons(tasks).items():
            neurons[group_name], known[group_name] = neuron, names
            self.problems += [*problems, *unsettled(group_name, neuron, found, tasks[group_name].operations)]
        self.groups, problems = in_turn(self.groups, {name: names.reads for name, names in known.items()})
        self.problems += problems
        if self.problems:
            raise CheckError("this Brian 2 network cannot be taken", self.problems)
        if amend is not None:
            by_name = {group.name: group for group in self.groups}
            neurons = {k: amend(by_name[k], n) if isinstance(n, Neuron) else n for k, n in neurons.items()}
        orders = {link.name: np.asarray(link.order) for link in found.links if link.order is not None}
        return Imported(self._network(Network(seed, name), neurons, known, found), orders)

    # --- what there is --------------------------------------------------------------------------------------------
    def _synapses(self, around: Surroundings) -> Taken:
        known = {g.name for g in self.groups}
        found = Taken()
        for synapses in sorted(self.by_kind["Synapses"], key=creation):
            missing = [e.name for e in (synapses.source, synapses.target) if whole(e).name not in known]
            self.problems += [f"{synapses.name}: {name} is not among the objects given" for name in missing]
            if missing:
                continue
            watched, problems = watched_in(synapses, self.by_kind["StateMonitor"], self.schedule)
            taken, more = take(synapses, around, watched)
            self.problems += [*problems, *more]
            found |= taken
        return found

    def _acting(self, group: Any) -> Acting:
        extras = [p for p in self.by_kind["PoissonInput"] if whole(p._group).name == group.name]
        made = self._attempt(group.name, lambda: acting_on(group, extras, self.namespace, self.schedule))
        if made is None:
            self.refused.add(group.name)
        return made if made is not None else Acting((), None, {}, {})

    def _events(self, group: Any, thresholds: Mapping[str, Operation]) -> tuple[str, ...]:
        """The events that leave the neurons of a group: spikes, or what there is, then others that synapses follow."""
        followed = {
            pathway.event
            for synapses in self.by_kind["Synapses"]
            for pathway in synapses._pathways
            if whole(pathway.source).name == group.name and str(pathway.code).strip()
        }
        known = [name for name in ("spike", *sorted(followed), *thresholds) if name in thresholds]
        if not known:
            return ()
        others = sorted((followed & set(thresholds)) - {known[0]})
        for name in others:
            if is_late(thresholds[name].position, group, self.schedule, known[0]):
                self.problems.append(
                    f"{group.name}: synapses follow its event {name}, which is tested when they have acted; call "
                    f"set_event_schedule({name!r}, when='after_thresholds')"
                )
        return (known[0], *others)

    def _attempt(self, subject: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (NeuromorphError, SyntaxError) as error:
            text = problem_of(error) if isinstance(error, NeuromorphError) else str(error)
            self.problems.append(f"{subject}: {text}")
            return None

    # --- the network ----------------------------------------------------------------------------------------------
    def _network(
        self, made: Network, neurons: Mapping[str, Any], known: Mapping[str, GroupNames], found: Taken
    ) -> Network:
        watched = {whole(m.source).name for kind in MONITORS[:3] for m in self.by_kind[kind]}
        if self.settle is not None:
            watched = set()  # the device has to know of every event
        bare = {link.target for link in found.links if not link.port}
        neurons = {name: _with_port(neuron) if name in bare else neuron for name, neuron in neurons.items()}
        for name, names in known.items():
            if names.draws:
                made.population(drawing(names.draws), 1, _drawing(name), record=False)
        populations = {
            group.name: made.population(
                neurons[group.name], int(group.N), group.name, record=not watched or group.name in watched
            )
            for group in self.groups
        }
        every_event = self.by_kind["EventMonitor"]
        for group in self.groups:
            for event in self._leaving.get(group.name, ())[1:]:
                seen = not watched or any(whole(m.source) is group and m.event == event for m in every_event)
                name = sender_of(group.name, event, self._leaving[group.name])
                populations[name] = made.population(
                    EventsOf(populations[group.name], fired(event)), name=name, record=seen
                )
        for link in found.links:
            _project(made, populations, link)
        for name, names in known.items():
            for port, feed in names.feeds.items():
                self._feed(made, populations[name], port, feed)
            for port, read in names.reads.items():
                end = populations[name].port(port)
                made.read(populations[read.source], read.state, end, read.index, read.delay)
            for port in names.draws:
                made.read(made[_drawing(name)], port, populations[name].port(port))
        self._record(made, populations, found)
        return made

    def _feed(self, made: Network, population: Any, port: str, feed: Feed) -> None:
        source = made.population(feed_source(feed), name=f"{port} of {population.name}", record=False)
        each = None if feed.columns is None else Sparse((feed.columns, np.arange(population.size)))
        made.project(source, population.port(port), each or AllToAll(), weight=_one(population, port), delay=1)

    def _record(self, made: Network, populations: Mapping[str, Any], found: Taken) -> None:
        for monitor in self.by_kind["EventMonitor"]:
            source = whole(monitor.source).name
            if monitor.event not in self._leaving.get(source, ()):
                made.record(populations[source], fired(monitor.event))
        changing = {link.name: link for link in found.links if link.order is not None}
        for monitor in self.by_kind["StateMonitor"]:
            source, every = whole(monitor.source), max(self.schedule.every(monitor), 1)
            if source.name in populations:
                names = [sampled(monitor, v) for v in monitor.record_variables]
                made.record(populations[source.name], *names, every=every)
                continue
            link = changing[source.name]
            place = np.argsort(np.asarray(link.order))
            chosen = None if monitor.record is True else place[np.asarray(monitor.record, np.int64)]
            projection = next(p for p in made.projections if p.name == link.name)
            looks = [(v, seen_by_monitor(source, monitor, v, self.schedule)) for v in monitor.record_variables]
            made.record(projection, *(v if x is None else x.name for v, x in looks), every=every, indices=chosen)


def _drawing(group: str) -> str:
    """Name of the population that draws what a group's neurons share."""
    return f"draws of {group}"


NOTHING = "nothing"
"""Port of neurons that synapses end at and bring nothing to: those that change their own variables alone."""


def _with_port(neuron: Any) -> Any:
    """The neuron with a port at which nothing arrives; sources have none."""
    if not isinstance(neuron, Neuron):
        return neuron
    return replace(neuron, ports=(*neuron.ports, PortSpec(NOTHING, one, Type.FLOAT)))


def _project(made: Network, populations: Mapping[str, Any], link: Link) -> None:
    target = populations[link.target]
    varied = np.ndim(getattr(link.delays, "value", link.delays)) > 0
    columns = (link.pre, link.post, *([] if link.weights is None and not varied else [link.weights]))
    port = link.port or NOTHING
    made.project(
        populations[link.source],
        target.port(port),
        Sparse((*columns, link.delays)) if varied else Sparse(columns),
        weight=_one(target, port) if link.weights is None and not target.neuron.port(port).unit.dim.is_none else None,
        delay=None if varied else link.delays,
        name=link.name,
        synapse=link.synapse,
        delays=link.further,
        events={path: populations[sender] for path, sender in link.events.items()},
    )


def _one(population: Any, port: str) -> Any:
    """The weight with which values arrive as they are sent, in SI units."""
    dim = population.neuron.port(port).unit.dim
    return 1.0 if dim.is_none else Quantity(1.0, dim, si_unit(dim))


def is_generator(group: Any) -> bool:
    """Whether a group replays given spikes."""
    return type(group).__name__ == "SpikeGeneratorGroup"
