"""What a projection with plastic synapses must be, checked when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuromorph.errors import NetworkError, UnitError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron, PortSpec
from neuromorph.language.suggest import suggestion
from neuromorph.language.synapse import Synapse, ViewSpec
from neuromorph.network.population import Population


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


def _check_port(subject: str, synapse: Synapse, port: PortSpec) -> None:
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
    """Raise NetworkError unless a state's value is one, or one for each neuron that has the state."""
    number = getattr(value, "value", value)
    if hasattr(value, "sample") or np.ndim(number) == 0:
        return
    owner = pre if synapse.state(name).place == "pre" else post
    if np.size(number) != owner.size:
        raise NetworkError(
            f"{subject}: {synapse.name}.{name} has {np.size(number)} values; give one, or one for each of the "
            f"{owner.size} neurons of {owner.name}",
            expected=owner.size,
            got=int(np.size(number)),
        )
