"""Networks written for Brian 2, taken in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import numpy as np

from neuromorph.errors import CheckError
from neuromorph.interchange.brian2.neuron import Incoming, group_neuron, poisson_neuron, port_name
from neuromorph.interchange.brian2.synapses import Effect, effects
from neuromorph.interchange.brian2.walk import MONITORS, creation, walk, whole
from neuromorph.language import Neuron
from neuromorph.network import EventSource, Network, Sparse


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
        Populations are named like their groups, and projections like their synapses. What spike and state monitors
        watch is recorded, for all neurons of their groups; without any spike monitor every spike is.

    Raises
    ------
    CheckError
        Listing everything that cannot be taken: plasticity and other synaptic dynamics, summed and linked variables,
        multicompartment neurons, ``TimedArray``, ``run_regularly``, network operations, custom events, several clocks.

    Notes
    -----
    An effect of delay d acts at the start of the step that begins d + dt after the spike in both; here that is a delay
    of d + dt. Refractory time there counts the step of the spike, so it is one step shorter here. A recorded state is
    its value at the end of a step; a Brian 2 monitor samples the next step's start, when arrivals have been added.
    The sum of Poisson inputs is drawn from a Poisson, not a binomial, distribution.
    """
    import brian2

    if namespace is None or network is None:
        frame = sys._getframe(1)
        if namespace is None:
            namespace = dict(chain(frame.f_globals.items(), frame.f_locals.items()))
        if network is None:
            network = brian2.collect(level=1)
    return take_in(network, namespace, seed, name)


Amend = Callable[[Any, Neuron], Neuron]
"""What is done to the neuron of a group before it becomes a population: given the Brian 2 group, gives a neuron."""


def take_in(
    given: Any, namespace: Mapping[str, Any], seed: int, name: str = "network", amend: Amend | None = None
) -> Network:
    """What `from_brian2` makes; the device for Brian 2 adds to the neurons what it wants to look at.

    Parameters
    ----------
    given : brian2.Network or iterable of Brian 2 objects
    namespace : mapping
    seed : int
    name : str
    amend : function, optional
    """
    return _Import(given, namespace).build(seed, name, amend)


class _Import:
    """A network in the making, and what is wrong with it."""

    def __init__(self, given: Any, namespace: Mapping[str, Any]) -> None:
        self.namespace = namespace
        self.objects, self.problems = walk(given)
        self.by_kind = self.objects.by_kind
        self.groups = self.objects.groups

    def build(self, seed: int, name: str, amend: Amend | None = None) -> Network:
        known = {g.name for g in self.groups}
        found: list[Effect] = []
        for synapses in sorted(self.by_kind["Synapses"], key=creation):
            for end in (synapses.source, synapses.target):
                if whole(end).name not in known:
                    self.problems.append(f"{synapses.name}: {end.name} is not among the objects given")
            acting, problems = effects(synapses, self.namespace)
            found += acting
            self.problems += problems
        neurons = {group.name: self._neuron(group, found) for group in self.groups}
        if self.problems:
            raise CheckError("this Brian 2 network cannot be taken", self.problems)
        if amend is not None:
            by_name = {group.name: group for group in self.groups}
            neurons = {k: amend(by_name[k], n) if isinstance(n, Neuron) else n for k, n in neurons.items()}
        made = Network(seed, name)
        watched = {whole(m.source).name for kind in MONITORS[:2] for m in self.by_kind[kind]}
        populations = {
            group.name: made.population(
                neurons[group.name], int(group.N), group.name, record=not watched or group.name in watched
            )
            for group in self.groups
        }
        for effect in found:
            post = populations[effect.target].port(port_name(effect.variable))
            varied = np.ndim(getattr(effect.delays, "value", effect.delays)) > 0
            columns = (effect.pre, effect.post, effect.weights)
            rule = Sparse((*columns, effect.delays)) if varied else Sparse(columns)
            made.project(
                populations[effect.source], post, rule, delay=None if varied else effect.delays, name=effect.name
            )
        self._record(made, populations)
        return made

    def _neuron(self, group: Any, found: list[Effect]) -> Any:
        kind = type(group).__name__
        if kind == "SpikeGeneratorGroup":
            return self._spike_source(group)
        if kind == "PoissonGroup":
            return poisson_neuron(group, self.namespace)
        variables = dict.fromkeys(e.variable for e in found if e.target == group.name)
        poisson = tuple(p for p in self.by_kind["PoissonInput"] if whole(p._group).name == group.name)
        self.problems += [
            f"{p.name}: it drives a part of {group.name} only" for p in poisson if p._group.name != group.name
        ]
        neuron, problems = group_neuron(group, Incoming(tuple(variables), poisson), self.namespace)
        self.problems += problems
        return neuron

    def _spike_source(self, group: Any) -> EventSource:
        from brian2.core.functions import timestep

        if 0 < float(group.variables["period"].get_value().item()) < 1e9:
            self.problems.append(f"{group.name}: its spikes repeat with a period; write them all out")
        times = np.asarray(group.variables["spike_time"].get_value(), np.float64)
        steps = np.asarray(timestep(times, float(group.clock.dt)), np.int64)
        return EventSource(int(group.N), steps=steps, indices=np.asarray(group.variables["neuron_index"].get_value()))

    def _record(self, made: Network, populations: Mapping[str, Any]) -> None:
        for monitor in self.by_kind["StateMonitor"]:
            population = populations[whole(monitor.source).name]
            every = max(round(float(monitor.clock.dt) / float(whole(monitor.source).clock.dt)), 1)
            known = {s.name for s in population.neuron.states} | {n for n, _ in population.neuron.named}
            made.record(population, *(v for v in monitor.record_variables if v in known), every=every)
