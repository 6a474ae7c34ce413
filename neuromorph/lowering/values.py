"""The numbers that a population starts with: parameters and initial states, sampled where distributions were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.statics import Static, Statics
from neuromorph.units import as_quantity

Numbers = npt.NDArray[Any]


def parameter_values(neuron: Neuron, size: int, seed: int = 0, index: int = 0) -> dict[str, Numbers]:
    """Value of each parameter in SI units.

    Parameters
    ----------
    neuron : Neuron
    size : int
        Neurons of the population.
    seed, index : int
        Of the network, and the population's position in it: samples depend on these and the parameter's name.

    Returns
    -------
    dict of str to array
        float64 or int64, shape () or (size,).

    Raises
    ------
    LanguageError
        An array of another length than `size`.
    """
    given = dict(neuron.values)
    return {
        p.name: _numbers(neuron, p.name, given.get(p.name, p.default), p.type, size, seed, index) for p in neuron.params
    }


def initial_states(
    neuron: Neuron, params: dict[str, Numbers], size: int, dt: float, seed: int = 0, index: int = 0
) -> dict[str, Numbers]:
    """Initial value of each state, shape (size,); see :func:`parameter_values`."""
    found = initial_statics(neuron, params, size, dt, seed, index)
    types = {s.name: np.int64 if s.type is Type.INT else np.float64 for s in neuron.states}
    return {name: np.array(np.broadcast_to(made.value, (size,)), types[name]) for name, made in found.items()}


def initial_statics(
    neuron: Neuron, params: dict[str, Numbers], size: int, dt: float, seed: int = 0, index: int = 0
) -> dict[str, Static]:
    """How the initial value of each state is made, shape () or (size,); one that was given is a ``param`` itself."""
    statics, given = Statics(params, dt), dict(neuron.values)
    result = {}
    for s in neuron.states:
        if s.name in given:
            value = _numbers(neuron, s.name, given[s.name], s.type, size, seed, index)
            result[s.name] = Static(("state", s.name), s.name, value, False, "param", payload=s.name)
        else:
            result[s.name] = statics.require(s.initial)
    return result


def given_numbers(neuron: Neuron, name: str, size: int, seed: int = 0, index: int = 0) -> Numbers:
    """Numbers that the user's value of a parameter or initial state stands for; see :func:`parameter_values`."""
    types = {p.name: p.type for p in neuron.params} | {s.name: s.type for s in neuron.states}
    return _numbers(neuron, name, dict(neuron.values)[name], types[name], size, seed, index)


def _numbers(neuron: Neuron, name: str, given: Any, type_: Type, size: int, seed: int, index: int) -> Numbers:
    subject = f"{neuron.name}.{name}"
    if hasattr(given, "sample"):
        from neuromorph.network.keys import stream_key, uniforms

        key = stream_key(seed, index, f"initial/{name}")
        if hasattr(given, "quantile"):
            number = np.asarray(given.quantile(uniforms(key, 0, size)))
        else:
            number = np.asarray(given.sample(np.random.Generator(np.random.Philox(key=key)), size))
        if type_ is Type.INT and np.any(number != np.floor(number)):
            raise LanguageError(f"{subject}: {given!r} does not give whole numbers, and dtype=int needs them")
    elif type(given) is np.ndarray and given.dtype.kind in "iuf":
        number = given  # already in SI units; not copied, for it may hold the values of many samples
    else:
        number = np.asarray(as_quantity(given, subject).value)
    if number.ndim > 1:
        number = number.reshape(-1)
    if number.ndim and number.size != size:
        raise LanguageError(
            f"{subject}: {number.size} values for {size} neuron{'s' if size > 1 else ''}; give one value, or one for "
            "each neuron",
            expected=size,
            got=int(number.size),
        )
    return number.astype(np.int64 if type_ is Type.INT else np.float64)
