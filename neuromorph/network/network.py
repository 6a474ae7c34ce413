"""Networks: populations and projections, added one after the other and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.language.neuron import Neuron
from neuromorph.language.synapse import Synapse
from neuromorph.network.conduction import DistanceDelay
from neuromorph.network.plasticity import check_delays, check_events, check_plasticity
from neuromorph.network.population import (
    Population,
    PortRef,
    check_values,
    no_port,
    port_names,
    read_positions,
    read_shape,
)
from neuromorph.network.projection import Projection
from neuromorph.network.readings import Reading, reading
from neuromorph.network.recordings import Recording, SynapseRecording, of_population, of_projection
from neuromorph.network.rules.rule import Rule
from neuromorph.network.sources import EventsOf, Source
from neuromorph.network.values import check_delay, check_weights

if TYPE_CHECKING:
    from neuromorph.network.forecast import Forecast
    from neuromorph.units import Quantity


class Network:
    """Populations and projections.

    It only ever grows; whatever compiles it takes what is there at that moment.

    Parameters
    ----------
    seed : int
        Of all random numbers: connections, drawn values and noise. From 0 to 2**64 - 1.
    name : str

    Attributes
    ----------
    populations : tuple of Population
    projections : tuple of Projection
    recordings : tuple of Recording
    synapse_recordings : tuple of SynapseRecording
    readings : tuple of Reading
    """

    def __init__(self, seed: int = 0, name: str = "network") -> None:
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**64:
            raise NetworkError(f"network {name}: seed {seed!r}; give an int from 0 to 2**64 - 1", seed=seed)
        self.seed = int(seed)
        self.name = _read_name("network", name)
        self.populations: tuple[Population, ...] = ()
        self.projections: tuple[Projection, ...] = ()
        self.recordings: tuple[Recording, ...] = ()
        self.synapse_recordings: tuple[SynapseRecording, ...] = ()
        self.readings: tuple[Reading, ...] = ()

    def population(
        self,
        neuron: Neuron | Source,
        size: int | tuple[int, ...] | None = None,
        name: str | None = None,
        positions: Any = None,
        record: bool = True,
    ) -> Population:
        """Add a population.

        Parameters
        ----------
        neuron : Neuron, EventSource, Live, Lookup or EventsOf
        size : int or tuple of int, optional
            Number of neurons, or the shape they are laid out in, row-major. Default 1, or the source's size.
        name : str, optional
            Unique; by default the neuron's name, with a number if need be.
        positions : array or Quantity (size, 1 to 3), optional
            For rules that depend on distance; by default each neuron's place in its shape.
        record : bool
            Whether events go into the trace.

        Raises
        ------
        NetworkError
            If the name is taken, or a size, position or per-neuron value has the wrong shape.
        """
        if isinstance(neuron, type) or not (hasattr(neuron, "ports") and hasattr(neuron, "name")):
            raise NetworkError(
                f"population {name or ''}: expected a neuron or a source of events, got {neuron!r}; decorate a class "
                "body with @neuron"
            )
        chosen = self._free_name(neuron.name) if name is None else _read_name("population", name)
        subject = f"population {chosen}"
        if any(p.name == chosen for p in self.populations):
            raise NetworkError(f"{subject}: the network has a population of this name; choose another", name=chosen)
        if any(self.projections[r.projection].name == chosen for r in self.synapse_recordings):
            raise NetworkError(
                f"{subject}: a projection of this name is recorded, and the trace could not tell them apart; choose "
                "another",
                name=chosen,
            )
        if size is None:
            size = neuron.size if isinstance(neuron, Source) else 1
        shape = read_shape(subject, size)
        count = int(np.prod(shape, dtype=object))
        if isinstance(neuron, Source) and neuron.size != count:
            raise NetworkError(
                f"{subject}: size {count}, its {neuron.name} has {neuron.size} neurons; leave the size out", size=count
            )
        if isinstance(neuron, EventsOf):
            neuron.check(self[neuron.population])
        check_values(subject, neuron, count, shape)
        first_id = sum(p.size for p in self.populations)
        if first_id + count > 1 << 32:
            raise NetworkError(f"{subject}: {first_id + count:,} neurons in all; the most is 2**32")
        coordinates, in_metres = read_positions(subject, positions, count)
        made = Population(chosen, len(self.populations), neuron, shape, first_id, coordinates, in_metres, bool(record))
        self.populations += (made,)
        return made

    def project(
        self,
        pre: Population,
        post: PortRef | Population,
        rule: Rule,
        weight: Any = None,
        delay: Any = None,
        name: str | None = None,
        *,
        synapse: Synapse | None = None,
        third: Population | None = None,
        delays: Mapping[str, Any] | None = None,
        events: Mapping[str, Population] | None = None,
    ) -> Projection:
        """Add a projection.

        Parameters
        ----------
        pre : Population
        post : PortRef or Population
            A port, as in ``hidden.a_x``; a population if its neuron has one port only.
        rule : Rule
        weight : number, array, Quantity or Distribution, optional
            One number for all synapses (stored once), an array that broadcasts to (n_pre, n_post), or a distribution to
            draw each from; in the port's unit. Default 1 where the port has no unit. With a rule that brings weights,
            one number that multiplies them.
        delay : int, Quantity, array, Distribution or DistanceDelay, optional
            Steps, or times that are rounded to steps; at least 1 step, which is the default. Delays that are drawn or
            come from a distance become 1 step if they are below.
        name : str, optional
            Unique; by default ``pre -> post``, with the port if the neuron has several.
        synapse : Synapse, optional
            How the synapses change while the network runs, as in ``PairSTDP(w_max=0.8)``; default: they do not.
        third : Population, optional
            For synapses that read a ``Third``: the population that has it, of one neuron or as many as the target.
        delays : mapping of str to delay, optional
            For late synapses, of their pathways and of ``"on_post"``: one delay, or one for each synapse, in their
            order (:meth:`neuromorph.Program.synapses` lists them). Without: as ``delay`` for events of the source, a
            step for those of the target.
        events : mapping of str to Population, optional
            For late synapses, of paths that follow further events of the source or target: a population of
            ``EventsOf`` it, as in ``{"on_post": low}``.

        Raises
        ------
        NetworkError
            If the port does not exist or the rule cannot join the two populations.
        UnitError
            If weights or delays have another dimension than the port or a time.
        """
        for end in (pre, post.population if isinstance(post, PortRef) else post):
            if not isinstance(end, Population):
                what = "a population" if end is pre else "a population or a port of one"
                raise NetworkError(f"projection {name or 'without a name'}: expected {what}, got {end!r:.80}", got=end)
        target = post.population if isinstance(post, PortRef) else post
        subject = f"projection {name or f'{pre.name} -> {target.name}'}"
        for end in (pre, target):
            if end.index >= len(self.populations) or self.populations[end.index] is not end:
                raise NetworkError(f"{subject}: population {end.name} belongs to another network")
        if not _acts_by_itself(synapse) and isinstance(pre.neuron, Neuron) and pre.neuron.event is None:
            raise NetworkError(
                f"{subject}: {pre.neuron.name} has no Event, so it sends nothing; give it one, as in "
                "spike = Event(when=v > theta)"
            )
        port = self._port(subject, post)
        if isinstance(rule, type) or not isinstance(rule, Rule):
            raise NetworkError(
                f"{subject}: {rule!r:.80} is not a rule; use one such as OneToOne() or FixedProbability(0.1)"
            )
        rule.check(pre, target, subject)
        spec = target.neuron.ports[port_names(target).index(port)]
        own = getattr(rule, "weights", None), getattr(rule, "delays", None)
        check_weights(subject, spec, own[0], weight, pre.size, target.size)
        if isinstance(delay, DistanceDelay) and own[1] is None:
            delay.check(pre, target, subject)
        else:
            check_delay(subject, own[1], delay, pre.size, target.size)
        check_plasticity(subject, synapse, third, pre, target, spec, rule, self.populations)
        check_delays(subject, synapse, delays or {})
        check_events(subject, synapse, events or {}, pre, target, self.populations)
        several = len(target.neuron.ports) > 1
        chosen = name or self._free_projection_name(f"{pre.name} -> {target.name}{f'.{port}' if several else ''}")
        if any(p.name == chosen for p in self.projections):
            raise NetworkError(f"{subject}: the network has a projection of this name; choose another", name=chosen)
        paths = dict(delays or {}), dict(events or {})
        made = Projection(chosen, len(self.projections), pre, target, port, rule, weight, delay, synapse, third, *paths)
        self.projections += (made,)
        return made

    def read(self, pre: Population, variable: str, post: PortRef, index: Any = None, delay: int = 0) -> Reading:
        """Let neurons see a state of other neurons, without events: in every step its value is added at a port.

        Parameters
        ----------
        pre : Population
            Whose state is read.
        variable : str
            A state that is a float.
        post : PortRef
            A port in the unit of the state, as in ``cells.drive``.
        index : int array (post.size,), optional
            Which neuron each neuron reads. Default: that of its own number, or the one that there is.
        delay : {0, 1}
            0: what the state is at the end of this very step, for which `pre` must have been added to the network
            before the population that reads it; 1: what it was at the end of the step before.

        Raises
        ------
        NetworkError
        """
        made = reading(self.populations, pre, variable, post, index, delay)
        self.readings += (made,)
        return made

    def record(self, recorded: Population | Projection, *names: str, every: int = 1, indices: Any = None) -> None:
        """Record states or named intermediates over time; values are those at the end of a step.

        The trace has them under the name of the population or projection: ``trace.state("learning", "w")``.

        Parameters
        ----------
        recorded : Population or Projection
            A projection whose synapses change records their states.
        *names : str
        every : int
            Steps from one sample to the next.
        indices : array of int, optional
            Of a projection: only these synapses, by their numbers in :meth:`Program.synapses`; for a ``PreState`` or
            ``PostState``, these neurons. Default: all, which can be many.

        Raises
        ------
        NetworkError
            If the neuron or synapse has nothing of that name, or the projection's synapses do not change.
        """
        if isinstance(recorded, Projection):
            self._record_synapses(recorded, names, every, indices)
            return
        if not isinstance(recorded, Population):
            raise NetworkError(f"recording: expected a population or a projection, got {recorded!r:.80}", got=recorded)
        subject = f"recording of {recorded.name}"
        if recorded.index >= len(self.populations) or self.populations[recorded.index] is not recorded:
            raise NetworkError(f"{subject}: population {recorded.name} belongs to another network")
        if indices is not None:
            raise NetworkError(f"{subject}: indices= is for synapses; leave it out for a population")
        made = of_population(recorded, names, every)
        kept = (r for r in self.recordings if not (r.population == recorded.index and r.name in names))
        self.recordings = (*kept, *made)

    def _record_synapses(self, projection: Projection, names: Sequence[str], every: int, indices: Any) -> None:
        subject = f"recording of {projection.name}"
        if projection.index >= len(self.projections) or self.projections[projection.index] is not projection:
            raise NetworkError(f"{subject}: projection {projection.name} belongs to another network")
        if any(p.name == projection.name for p in self.populations):
            raise NetworkError(
                f"{subject}: the network has a population of this name, too, and the trace could not tell them apart; "
                "project(name=...) it otherwise",
                name=projection.name,
            )
        made = of_projection(projection, names, every, indices)
        kept = (r for r in self.synapse_recordings if not (r.projection == projection.index and r.name in names))
        self.synapse_recordings = (*kept, *made)

    def recorded(self, population: Population) -> tuple[tuple[str, int], ...]:
        """What is recorded of a population: (name, every)."""
        return tuple((r.name, r.every) for r in self.recordings if r.population == population.index)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return sum(p.size for p in self.populations)

    def forecast(self, dt: Quantity | float | None = None) -> Forecast:
        """Synapses and bytes that building will take; nothing is built.

        Parameters
        ----------
        dt : Quantity or float, optional
            The step (seconds if a plain number), which decides how wide delays are.
        """
        from neuromorph.network.forecast import forecast

        return forecast(self, dt)

    def text(self) -> str:
        """Everything the network is made of, as text; arrays by their digest."""
        from neuromorph.network.text import network_text

        return network_text(self)

    @property
    def hash(self) -> str:
        """SHA-256 of :meth:`text`."""
        return sha256(self.text().encode()).hexdigest()

    def graph(self) -> Any:
        """Populations and projections as a :class:`networkx.MultiDiGraph`.

        Nodes are population names with ``neuron``, ``size``, ``shape`` and ``index``; edges have the projection's name
        as key and ``port``, ``rule``, ``synapses`` (expected) and ``index``.
        """
        from networkx import MultiDiGraph

        graph = MultiDiGraph(name=self.name)
        for p in self.populations:
            graph.add_node(p.name, neuron=p.neuron.name, size=p.size, shape=p.shape, index=p.index)
        for j in self.projections:
            graph.add_edge(
                j.pre.name, j.post.name, j.name, port=j.port, rule=j.rule_name, synapses=j.count.mean, index=j.index
            )
        return graph

    def __getitem__(self, name: str) -> Population:
        """The population of this name.

        Raises
        ------
        NetworkError
            If there is none; the message lists what there is.
        """
        for p in self.populations:
            if p.name == name:
                return p
        have = ", ".join(p.name for p in self.populations) or "none"
        raise NetworkError(f"network {self.name}: no population '{name}'; it has {have}")

    def __repr__(self) -> str:
        return (
            f"<Network {self.name}: {len(self.populations)} populations, {self.size:,} neurons, "
            f"{len(self.projections)} projections>"
        )

    def _repr_html_(self) -> str:
        from neuromorph.network.html import network_html

        return network_html(self)

    def _free_name(self, base: str) -> str:
        taken = {p.name for p in self.populations}
        number = 1
        while (name := base if number == 1 else f"{base}_{number}") in taken:
            number += 1
        return name

    def _free_projection_name(self, base: str) -> str:
        taken = {p.name for p in self.projections}
        number = 1
        while (name := base if number == 1 else f"{base} ({number})") in taken:
            number += 1
        return name

    @staticmethod
    def _port(subject: str, post: PortRef | Population) -> str:
        population = post.population if isinstance(post, PortRef) else post
        ports = port_names(population)
        if isinstance(post, PortRef):
            if post.port not in ports:
                raise NetworkError(f"{subject}: {no_port(population, post.port)}", port=post.port, ports=ports)
            return post.port
        if len(ports) != 1:
            if not ports:
                raise NetworkError(
                    f"{subject}: {population.neuron.name} has no ports: nothing can be projected onto it"
                )
            raise NetworkError(
                f"{subject}: {population.neuron.name} has {len(ports)} ports; say which, as in "
                f"{population.name}.{ports[0]}: it has {', '.join(ports)}",
                ports=ports,
            )
        return ports[0]


def _read_name(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name or "/" in name or name in (".", "..") or not name.isprintable():
        raise NetworkError(
            f"{what}: name {name!r}; give a string without '/' and unprintable characters, for it names a place in "
            "trace files"
        )
    return name


def _acts_by_itself(synapse: Synapse | None) -> bool:
    """Whether a synapse does something without events: it delivers in every step, or only its own variables move."""
    if not isinstance(synapse, Synapse):
        return False
    moves = any(state.dot is not None or state.next is not None for state in synapse.states)
    return any(o.every is not None for o in synapse.outputs) or (synapse.weight is None and moves)
