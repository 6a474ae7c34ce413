"""Other values for the synapses of a compiled network: whose they are, if they fit, and what a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.language.synapse import Synapse
from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredNetwork

from .memory import Array

if TYPE_CHECKING:
    from neuromorph.network import Network, Population, Projection

VALUE = "value "
"""What the name of a value that was set begins with, among the arrays of a checkpoint."""


class Plastic(Protocol):
    """A program that may have synapses that change."""

    network: Network
    lowered: LoweredNetwork


def synapses_of(program: Plastic) -> list[Synapse]:
    """The synapse model of each plastic projection, with the values that the network gave it."""
    described = (program.network.projections[each.index].synapse for each in program.lowered.plastic)
    return [synapse for synapse in described if synapse is not None]


def plastic_number(program: Plastic, owner: str | Population | Projection) -> int | None:
    """Position of a projection among those whose synapses change; None for a population, also if one has the name.

    Raises
    ------
    NetworkError
        A projection of another network, or whose synapses do not change.
    """
    from neuromorph.network import Projection

    name = owner if isinstance(owner, str) else owner.name
    if not isinstance(owner, Projection):
        known = {j.name for j in program.network.projections}
        if not isinstance(owner, str) or name not in known or any(p.name == name for p in program.lowered.populations):
            return None
    names = [each.name for each in program.lowered.plastic]
    if name in names:
        return names.index(name)
    if any(j.name == name for j in program.network.projections):
        raise NetworkError(
            f"projection {name}: its synapses do not change, so they have no values to set; give it synapse=, or "
            "compile the network with another weight=",
            name=name,
        )
    raise NetworkError(f"{program.lowered.name} has no projection {name!r}; its plastic ones are {names}", known=names)


def given(program: Plastic, present: PlasticProjection, synapse: Synapse, values: Mapping[str, Any]) -> Synapse:
    """A copy of a projection's model that has other values, too.

    Raises
    ------
    LanguageError, UnitError, NetworkError
        No such parameter or state, the weight, or a value of a wrong dimension or length.
    """
    from neuromorph.network.plasticity import check_length

    described, made = program.network.projections[present.index], synapse(**values)
    for name in values:
        check_length(f"projection {present.name}", made, name, values[name], described.pre, described.post)
    return made


def with_values(program: Plastic, present: PlasticProjection, synapse: Synapse) -> PlasticProjection:
    """A projection of a program with the values of another copy of its model.

    Raises
    ------
    LanguageError
        The model cannot run with them.
    """
    from neuromorph.lowering.synapse import initial_states, lower_synapse

    described = replace(program.network.projections[present.index], synapse=synapse)
    made = replace(present, program=lower_synapse(synapse, program.lowered.dt, program.lowered.dtype))
    assert made.program.code == present.program.code  # parameters have one value each, so the code is the model's alone
    lowered, weight = program.lowered, present.program.weight
    weights = None if weight is None else present.initial[weight]
    initial = initial_states(described, made, weights, lowered.dt, lowered.dtype, lowered.seed)
    return replace(made, initial=initial)


def values_kept(program: Plastic, made: Sequence[PlasticProjection], synapses: Sequence[Synapse]) -> dict[str, Any]:
    """By projection, the arrays of a checkpoint that hold the values which are not those of the network.

    Parameters
    ----------
    made : sequence of PlasticProjection
        Each with the present values of its synapse.
    """
    from neuromorph.lowering.synapse import parameter_numbers

    kept = {}
    for lowered, synapse, before in zip(made, synapses, synapses_of(program), strict=True):
        known, numbers = dict(before.values), dict(parameter_numbers(synapse))
        numbers |= {slot.name: np.asarray(v) for slot, v in zip(lowered.program.states, lowered.initial, strict=True)}
        kept[lowered.name] = {
            f"{VALUE}{name}": numbers[name]
            for name, value in synapse.values
            if name not in known or known[name] is not value
        }
    return kept


def restored_synapse(synapse: Synapse, arrays: Mapping[str, Array]) -> Synapse:
    """The model as the network gave it, with the values that a checkpoint holds; the same one if it holds none."""
    saved = {name.removeprefix(VALUE): array for name, array in arrays.items() if name.startswith(VALUE)}
    if not saved:
        return synapse
    merged = {**dict(synapse.values), **saved}
    order = [*(param.name for param in synapse.params), *(state.name for state in synapse.states)]
    return replace(synapse, values=tuple((name, merged[name]) for name in order if name in merged))
