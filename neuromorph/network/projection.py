"""Projections: from one population to one port of another, by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neuromorph.language.synapse import Synapse
from neuromorph.network.population import Population
from neuromorph.network.rules.rule import Count, Rule


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """A rule, weights and delays from one population to one port of another; synapses come when it is built.

    Attributes
    ----------
    name : str
    index : int
        Position among the network's projections.
    pre, post : Population
    port : str
        Name of the port of ``post``.
    rule : Rule
    weight : number, array, Quantity, Distribution or None
        As given; None: 1, or the rule's own weights.
    delay : int, array, Quantity, Distribution or None
        As given; None: 1 step, or the rule's own delays.
    synapse : Synapse or None
        How the synapses change; None: they do not.
    third : Population or None
        Where the synapse's third factor comes from.
    delays : mapping of str to delay
        Of paths of the synapse other than ``on_pre``, as given.
    events : mapping of str to Population
        Of paths of the synapse that follow further events of the projection's ends: the populations of these.
    """

    name: str
    index: int
    pre: Population
    post: Population
    port: str
    rule: Rule
    weight: Any = None
    delay: Any = None
    synapse: Synapse | None = None
    third: Population | None = None
    delays: Mapping[str, Any] = field(default_factory=dict)
    events: Mapping[str, Population] = field(default_factory=dict)

    @property
    def port_index(self) -> int:
        """Position of the port among the post neuron's ports."""
        return [port.name for port in self.post.neuron.ports].index(self.port)

    @property
    def port_spec(self) -> Any:
        """The port itself: name, unit and type."""
        return self.post.neuron.ports[self.port_index]

    @property
    def count(self) -> Count:
        """How many synapses the rule promises."""
        return self.rule.count(self.pre, self.post)

    def __repr__(self) -> str:
        return f"<Projection {self.name}: {self.pre.name} -> {self.post.name}.{self.port}, {self.rule_name}>"

    @property
    def rule_name(self) -> str:
        """The rule's class."""
        return type(self.rule).__name__

    def _repr_html_(self) -> str:
        from neuromorph.network.html import projection_html

        return projection_html(self)
