"""What is wrong with a network, or hardly meant, beyond what was refused when it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.language.derivative import derivative
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.affine import split_noise
from neuromorph.lowering.statics import Statics
from neuromorph.lowering.values import given_numbers, initial_states, parameter_values

if TYPE_CHECKING:
    from neuromorph.network import Network, Population


def check_population(population: Population, dt: float, seed: int) -> list[str]:
    """Problems of a population's own values; see :func:`value_problems`."""
    neuron = population.neuron
    if not isinstance(neuron, Neuron):
        return []
    found = value_problems(neuron, population.size, dt, seed, population.index)
    return [f"population {population.name}: {problem}" for problem in found]


def require_values(neuron: Neuron, size: int, dt: float, seed: int = 0, index: int = 0) -> None:
    """Raise a LanguageError that lists every problem of :func:`value_problems`, if there is one."""
    problems = value_problems(neuron, size, dt, seed, index)
    if problems:
        raise LanguageError("; ".join(problems), problems=problems)


def value_problems(neuron: Neuron, size: int, dt: float, seed: int = 0, index: int = 0) -> list[str]:
    """Problems of a neuron's values: lengths, numbers that are not finite, refractory times that no counter can hold.

    Parameters
    ----------
    size : int
        Neurons of the population.
    dt : float
        Seconds.
    seed, index : int
        Of the network and of the population in it; values that are drawn depend on them.
    """
    problems = []
    for name, _ in neuron.values:
        try:
            values = given_numbers(neuron, name, size, seed, index)
        except NeuromorphError as error:
            problems.append(str(error))
            continue
        if not np.all(np.isfinite(values)):
            problems.append(f"{neuron.name}.{name} is not finite for every neuron")
    if problems:
        return problems
    params = parameter_values(neuron, size, seed, index)
    for name, state in initial_states(neuron, params, size, dt, seed, index).items():
        if not np.all(np.isfinite(state)):
            problems.append(f"initial {name} of {neuron.name} is not finite for every neuron")
    problems += _refractory(neuron, Statics(params, dt), dt)
    return problems


def _refractory(neuron: Neuron, statics: Statics, dt: float) -> Iterator[str]:
    time = neuron.event.refractory if neuron.event is not None else None
    if time is None:
        return
    static = statics.require(time)
    if np.any(static.value < 0) or not np.all(np.isfinite(static.value)):
        yield f"refractory time {static.name} is negative or not finite for some neuron; use 0 for none"
    steps = static.value / dt
    if np.any(steps >= 2**31):
        yield (
            f"refractory time {static.name} is {float(np.max(static.value)):g} s for some neuron; the longest is 2**31 "
            f"steps of {dt * 1e3:g} ms, {2**31 * dt:g} s"
        )
    short = (steps > 0) & (np.rint(steps) < 1)
    if np.any(short):
        shortest = float(np.min(static.value[short] if static.value.ndim else static.value))
        yield (
            f"refractory time {shortest * 1e3:g} ms is shorter than half a step of {dt * 1e3:g} ms and would be none; "
            "use a shorter step, a longer time, or 0"
        )


def network_problems(network: Network, dt: float) -> list[str]:
    """Problems of the network as a whole: nothing in it, delays that do not suit the step."""
    from neuromorph.network.conduction import DistanceDelay
    from neuromorph.network.distributions import Distribution
    from neuromorph.network.values import delay_steps, magnitude

    problems = []
    if not network.populations:
        problems.append("it has no populations; add one with network.population(neuron, size)")
    for projection in network.projections:
        own = getattr(projection.rule, "delays", None)
        delay = own if projection.delay is None else projection.delay
        if delay is None or isinstance(delay, Distribution | DistanceDelay):
            continue  # at least a step, whatever they give
        try:
            delay_steps(f"projection {projection.name}", np.asarray(magnitude(delay)), dt)
        except NeuromorphError as error:
            problems.append(str(error))
    return problems


def network_warnings(network: Network, dt: float) -> list[str]:
    """What is allowed and yet hardly meant."""
    driven = {(p.post.index, p.port) for p in network.projections}
    driven |= {(r.post.index, r.port) for r in network.readings}
    warnings = [
        f"population {population.name}: nothing drives port {port.name}; its sum is always 0"
        for population in network.populations
        for port in population.neuron.ports
        if (population.index, port.name) not in driven
    ]
    for population in network.populations:
        if isinstance(population.neuron, Neuron) and population.neuron.method == "euler":
            warnings += (f"population {population.name}: {text}" for text in _unstable(population, dt, network.seed))
    return warnings


def _unstable(population: Population, dt: float, seed: int) -> Iterator[str]:
    neuron = population.neuron
    assert isinstance(neuron, Neuron)  # the caller chose it
    statics = Statics(parameter_values(neuron, population.size, seed, population.index), dt)
    for state in neuron.states:
        if state.dot is None:
            continue
        try:
            calm = split_noise(state.dot)[0]
        except LanguageError:
            continue
        slope = None if calm is None else statics(derivative(calm, state.name))
        if slope is not None and np.any(slope.value * dt < -2.0):
            fastest = -1e3 / float(np.min(slope.value))
            yield (
                f"forward Euler of {state.name} is unstable: its time constant is {fastest:g} ms and a step is "
                f"{dt * 1e3:g} ms, more than twice as long; use a shorter step or another method"
            )
