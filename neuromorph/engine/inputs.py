"""What a program's populations are called, and the inputs of a batch of samples, read and checked for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError, TargetError
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.units import si_value

if TYPE_CHECKING:
    from neuromorph.network import Population

Inputs = dict[int, dict[str, npt.NDArray[Any]]]
"""Values in SI units, (samples, n), by index of the population and name of the parameter or state."""


class Described(Protocol):
    """A program that knows its populations and their neurons."""

    lowered: LoweredNetwork

    def index_of(self, population: str | Population) -> int:
        """Position of a population."""
        ...

    def neuron_of(self, index: int) -> Neuron:
        """The neuron of a population with the values that it has now."""
        ...


def population_index(lowered: LoweredNetwork, population: str | Population) -> int:
    """Position of a population among those that were compiled.

    Raises
    ------
    NetworkError
        There is none of this name; the message lists those that there are.
    """
    name = population if isinstance(population, str) else population.name
    names = [each.name for each in lowered.populations]
    if name not in names:
        raise NetworkError(f"{lowered.name} has no population {name!r}; it has {', '.join(names)}", known=names)
    return names.index(name)


def settable(lowered: LoweredNetwork, index: int, neuron: object) -> Neuron:
    """``neuron``, that of population ``index``, if it is one; NetworkError for a source of events."""
    if not isinstance(neuron, Neuron):
        name = lowered.populations[index].name
        raise NetworkError(f"population {name} replays events: it has no parameters or states to set")
    return neuron


def read_inputs(program: Described, inputs: Mapping[str, Mapping[str, Any]]) -> tuple[Inputs, int]:
    """Inputs by population index, in SI units, shape (samples, n), and the number of samples.

    Raises
    ------
    NetworkError, LanguageError, UnitError, TargetError
        An unknown population, parameter or state, a wrong dimension or shape.
    """
    result: Inputs = {}
    lengths: dict[str, int] = {}
    for name, values in inputs.items():
        index = program.index_of(name)
        neuron, size = program.neuron_of(index), program.lowered.populations[index].size
        units = {p.name: p.unit for p in neuron.params} | {s.name: s.unit for s in neuron.states}
        for variable, value in values.items():
            subject = f"run_batch: {name}.{variable}"
            if variable not in units:
                raise NetworkError(
                    f"{subject}: {neuron.name} has no parameter or state {variable!r}; it has {', '.join(units)}"
                )
            array = np.asarray(si_value(value, units[variable].dim, subject))
            if array.ndim < 2 or prod(array.shape[1:]) != size:
                raise TargetError(
                    f"{subject}: shape {array.shape}; give (samples, {size}), a row of values for each sample",
                    shape=array.shape,
                    expected=size,
                )
            lengths[f"{name}.{variable}"] = len(array)
            result.setdefault(index, {})[variable] = array.reshape(len(array), size)
    if len(set(lengths.values())) != 1:
        said = ", ".join(f"{subject} has {n}" for subject, n in lengths.items()) or "no inputs were given"
        raise TargetError(f"run_batch needs inputs with one number of samples: {said}", lengths=lengths)
    samples = next(iter(lengths.values()))
    if samples == 0:
        raise TargetError("run_batch: the inputs hold no samples; give at least one", lengths=lengths)
    return result, samples
