"""What a projection with plastic synapses must be, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuromorph.errors import NetworkError, UnitError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron, PortSpec
from neuromorph.language.suggest import suggestion
from neuromorph.language.synapse import OutputSpec, Synapse, ViewSpec
from neuromorph.network.population import Population
from neuromorph.network.sources import EventsOf
from neuromorph.network.values import dimension, magnitude
from neuromorph.units import NONE, TIME


def check_plasticity(
    subject: str,
    synapse: Any,
    third: Any,
    pre: Population,
    post: Population,
    port: PortSpec,
    rule: Any,
    populations: Sequence[Population],
) -> None:
    """Raise unless the synapse suits the port, the populations that it looks at and the rule.

    Raises
    ------
    NetworkError, UnitError
    """
    if synapse is None:
        if third is not None:
            raise NetworkError(f"{subject}: third= is for plastic synapses; give synapse=, too, or leave it out")
        return
    if not isinstance(synapse, Synapse):
        raise NetworkError(
            f"{subject}: synapse={synapse!r:.60} is not a synapse; decorate a class body with @synapse, as PairSTDP"
        )
    _check_port(subject, synapse, port)
    for output in synapse.outputs:
        _check_output(subject, synapse, output, post, port)
    reached = [output.port or port.name for output in synapse.outputs]
    twice = sorted({name for name in reached if reached.count(name) > 1})
    if twice:
        raise NetworkError(f"{subject}: several outputs of {synapse.name} add to {', '.join(twice)}; make them one sum")
    if getattr(rule, "kernel_size", None) is not None:
        raise NetworkError(
            f"{subject}: the synapses of {type(rule).__name__} share one kernel, and plastic synapses have weights of "
            "their own; use Sparse or Dense"
        )
    _check_third(subject, synapse, third, post, populations)
    ends = {"pre": pre, "post": post, "third": third}
    for view in synapse.views:
        _check_view(subject, synapse, view, ends[view.end])
    for name, value in synapse.values:
        check_length(subject, synapse, name, value, pre, post)


def check_delays(subject: str, synapse: Synapse | None, delays: Mapping[str, Any]) -> None:
    """Raise unless delays are times or numbers of steps for pathways that the synapse has and that may have them.

    Raises
    ------
    NetworkError, UnitError
    """
    if not delays:
        return
    if synapse is None or not synapse.late:
        raise NetworkError(f"{subject}: delays= is for synapses with @synapse(late=True); use delay=")
    known = [path.name for path in synapse.paths if path.name != "on_pre"]
    for name, given in delays.items():
        if name == "on_pre":
            raise NetworkError(f"{subject}: the delay of on_pre is delay=; leave it out of delays=")
        if name not in known:
            raise NetworkError(f"{subject}: {synapse.name} has no pathway {name!r}; {suggestion(name, known)}")
        if hasattr(given, "sample") or np.ndim(magnitude(given)) > 1:
            raise NetworkError(f"{subject}: delay of {name}: give one, or an array with one for each synapse")
        numbers = np.asarray(magnitude(given))
        if dimension(given) not in (NONE, TIME) or (dimension(given) == NONE and numbers.dtype.kind not in "iu"):
            raise UnitError(
                f"{subject}: delay of {name}: expected a time or a whole number of steps, got {given!r:.40}"
            )


def check_events(
    subject: str,
    synapse: Synapse | None,
    events: Mapping[str, Any],
    pre: Population,
    post: Population,
    populations: Sequence[Population],
) -> None:
    """Raise NetworkError unless paths that the synapse has follow further events of the neurons at their end."""
    if not events:
        return
    if synapse is None or not synapse.late:
        raise NetworkError(f"{subject}: events= is for synapses with @synapse(late=True); project from that population")
    ends = {path.name: (pre if path.end == "pre" else post) for path in synapse.paths}
    for name, given in events.items():
        if name not in ends:
            raise NetworkError(f"{subject}: {synapse.name} has no pathway {name!r}; {suggestion(name, ends)}")
        whose, neuron = ends[name], getattr(given, "neuron", None)
        known = any(p is given for p in populations)
        if not known or not isinstance(neuron, EventsOf) or neuron.population != whose.name:
            raise NetworkError(
                f"{subject}: {name} follows {given!r:.60}; give a population of this network with EventsOf "
                f"{whose.name}, whose events that path has"
            )
        if (
            whose is pre
            and isinstance(pre.neuron, Neuron)
            and pre.neuron.event is not None
            and pre.neuron.event.value is not None
        ):
            raise NetworkError(f"{subject}: {name} follows spikes, and {pre.name} sends graded events; have one kind")


def _check_output(subject: str, synapse: Synapse, output: OutputSpec, post: Population, default: PortSpec) -> None:
    ports = {p.name: p for p in post.neuron.ports}
    if output.port and output.port not in ports:
        raise NetworkError(
            f"{subject}: {synapse.name} adds to port {output.port!r}, and {post.neuron.name} has none of this name; "
            f"{suggestion(output.port, ports)}"
        )
    port = ports[output.port or default.name]
    if port.type is Type.INT:
        raise NetworkError(f"{subject}: port '{port.name}' takes ints, and synapses add floats")
    if port.unit.dim != output.dim:
        raise UnitError(
            f"{subject}: port '{port.name}' takes {port.unit.dim}, output {output.name!r} of {synapse.name} is "
            f"{output.dim}; give states and weights their units",
            expected=port.unit.dim,
            got=output.dim,
        )


def _check_port(subject: str, synapse: Synapse, port: PortSpec) -> None:
    if synapse.weight is None:
        return
    if port.type is Type.INT:
        raise NetworkError(
            f"{subject}: port '{port.name}' takes ints, and plastic weights are floats; project onto a float port"
        )
    unit = synapse.state(synapse.weight).unit
    if not synapse.in_port_unit and unit.dim != port.unit.dim:
        raise UnitError(
            f"{subject}: port '{port.name}' takes {port.unit.dim}, the weight of {synapse.name} is {unit.dim}; write "
            "Weight() for a rule that suits every port",
            expected=port.unit.dim,
            got=unit.dim,
        )


def _check_third(subject: str, synapse: Synapse, third: Any, post: Population, populations: Sequence[Any]) -> None:
    reads = [view.variable for view in synapse.views if view.end == "third"]
    if third is None:
        if reads:
            raise NetworkError(f"{subject}: {synapse.name} reads Third({reads[0]!r}); give third=population")
        return
    if not isinstance(third, Population) or not any(p is third for p in populations):
        raise NetworkError(f"{subject}: third={third!r:.60} is not a population of this network")
    if not reads:
        raise NetworkError(f"{subject}: {synapse.name} reads no Third; leave third= out")
    if third.size not in (1, post.size):
        raise NetworkError(
            f"{subject}: third factor {third.name} has {third.size} neurons; give a population of 1, or of "
            f"{post.size} as the target has",
            size=third.size,
        )


def _check_view(subject: str, synapse: Synapse, view: ViewSpec, population: Population) -> None:
    neuron = population.neuron
    label = f"{subject}: {synapse.name} looks at {view.variable!r} of population {population.name}"
    known = {s.name: (s.unit.dim, s.type) for s in neuron.states} if isinstance(neuron, Neuron) else {}
    if isinstance(neuron, Neuron):
        known |= {name: (expr.dim, expr.type) for name, expr in neuron.named}
    if view.variable not in known:
        raise NetworkError(f"{label}, and {neuron.name} has no such state or value; {suggestion(view.variable, known)}")
    dim, type_ = known[view.variable]
    if type_ is not Type.FLOAT:
        raise NetworkError(f"{label}, which is no float; give it a float, as in seen = to_float({view.variable})")
    if dim != view.dim:
        raise UnitError(
            f"{label}, which is {dim}, as if it were {view.dim}; give its unit in the view", expected=dim, got=view.dim
        )


def check_length(subject: str, synapse: Synapse, name: str, value: Any, pre: Population, post: Population) -> None:
    """Raise NetworkError unless a state's value is one, or one for each neuron that has the state.

    How many synapses there are is known when they are built; see :func:`neuromorph.lowering.synapse.initial_numbers`.
    """
    number = getattr(value, "value", value)
    if hasattr(value, "sample") or np.ndim(number) == 0:
        return
    place = synapse.state(name).place
    if place == "synapse":
        return
    owner = pre if place == "pre" else post
    if np.size(number) != owner.size:
        raise NetworkError(
            f"{subject}: {synapse.name}.{name} has {np.size(number)} values; give one, or one for each of the "
            f"{owner.size} neurons of {owner.name}",
            expected=owner.size,
            got=int(np.size(number)),
        )
