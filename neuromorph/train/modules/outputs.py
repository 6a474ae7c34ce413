"""Which values a module returns, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuromorph.errors import NetworkError
from neuromorph.language.neuron import Neuron
from neuromorph.language.suggest import suggestion
from neuromorph.network.network import Network


@dataclass(frozen=True)
class Output:
    """One value: ``name`` as asked for; what is "events", "fired", or the name of a state or intermediate."""

    name: str
    population: str
    what: str
    is_state: bool = False


@dataclass(frozen=True)
class Outputs:
    """All values."""

    each: tuple[Output, ...]

    def observed(self, population: str) -> tuple[str, ...]:
        """Intermediates of a population."""
        return tuple(
            o.what
            for o in self.each
            if o.population == population and not o.is_state and o.what not in ("events", "fired")
        )

    def states(self, population: str) -> tuple[str, ...]:
        """States of a population."""
        return tuple(o.what for o in self.each if o.population == population and o.is_state)

    def fired(self, population: str) -> bool:
        """Whether the indicator of its events is asked for."""
        return any(o.population == population and o.what == "fired" for o in self.each)


def read_outputs(network: Network, names: Sequence[str] | None) -> Outputs:
    """Outputs by name; None: every population without projections to others.

    Raises
    ------
    NetworkError
        There is nothing of a name.
    """
    if isinstance(names, str):
        raise NetworkError(f"outputs: give a list of names, as in [{names!r}]")
    if names is None:
        sends = {j.pre.name for j in network.projections if j.post is not j.pre}
        names = [p.name for p in network.populations if p.name not in sends]
    return Outputs(tuple(_read(network, name) for name in dict.fromkeys(names)))


def _read(network: Network, name: str) -> Output:
    populations = {p.name: p for p in network.populations}
    if name in populations:
        return Output(name, name, "events")
    owner, _, what = name.rpartition(".")
    if owner not in populations:
        raise NetworkError(
            f"outputs: network {network.name} has no population {owner or name!r}; "
            f"{suggestion(owner or name, list(populations))}",
            name=name,
        )
    neuron = populations[owner].neuron
    if what == "fired":
        return Output(name, owner, what)
    if not isinstance(neuron, Neuron):
        raise NetworkError(f"outputs: {owner} is a source, which has events alone; ask for {owner!r}", name=name)
    states = [s.name for s in neuron.states]
    known = [*states, *(n for n, _ in neuron.named)]
    if what not in known:
        raise NetworkError(f"outputs: {neuron.name} has no {what!r}; {suggestion(what, known)}", name=name)
    return Output(name, owner, what, what in states)
