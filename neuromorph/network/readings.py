"""Populations that look at another: a state of each of its neurons, in every step, without events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron
from neuromorph.network.population import Population, PortRef, no_port, port_names


@dataclass(frozen=True, eq=False)
class Reading:
    """A port that gets the value of another population's state in every step, added to what arrives there.

    Attributes
    ----------
    pre : Population
        Whose state is read.
    variable : str
        Name of the state.
    post : Population
    port : str
        Name of the port of ``post``.
    index : int64 (post.size,)
        The neuron that each neuron reads.
    delay : {0, 1}
        0: the state at the end of this step; 1: at the end of the step before.
    """

    pre: Population
    variable: str
    post: Population
    port: str
    index: npt.NDArray[np.int64]
    delay: int

    @property
    def subject(self) -> str:
        """What messages call it."""
        return f"reading {self.pre.name}.{self.variable} -> {self.post.name}.{self.port}"


def reading(
    populations: Sequence[Population], pre: Population, variable: str, end: PortRef, index: Any, delay: int
) -> Reading:
    """A reading, checked; see :meth:`Network.read`.

    Parameters
    ----------
    populations : sequence of Population
        All of the network.

    Raises
    ------
    NetworkError
    """
    for each in (pre, end.population if isinstance(end, PortRef) else None):
        if not isinstance(each, Population):
            raise NetworkError(f"reading: expected a population and a port, got {pre!r:.40} and {end!r:.40}")
        if each.index >= len(populations) or populations[each.index] is not each:
            raise NetworkError(f"reading: population {each.name} belongs to another network")
    post = end.population
    subject = f"reading {pre.name}.{variable} -> {end!r}"
    if not isinstance(pre.neuron, Neuron):
        raise NetworkError(f"{subject}: {pre.neuron.name} is a source of events and has no states")
    if end.port not in port_names(post):
        raise NetworkError(f"{subject}: {no_port(post, end.port)}", port=end.port, ports=port_names(post))
    states = {state.name: state for state in pre.neuron.states}
    if variable not in states:
        have = ", ".join(states) or "none"
        raise NetworkError(f"{subject}: {pre.neuron.name} has no state '{variable}'; its states are {have}")
    state, port = states[variable], post.neuron.ports[port_names(post).index(end.port)]
    if Type.INT in (state.type, port.type):
        raise NetworkError(f"{subject}: states and ports that are read are floats; make a float of it with to_float")
    if state.unit.dim != port.unit.dim:
        raise NetworkError(
            f"{subject}: the state is in {state.unit.dim}, and the port in {port.unit.dim}; give the port "
            f"unit={state.unit.name or 'one'}"
        )
    if isinstance(delay, bool) or delay not in (0, 1):
        raise NetworkError(f"{subject}: delay {delay!r}; give 0 for this step's value, 1 for that of the step before")
    if delay == 0 and pre.index >= post.index:
        raise NetworkError(
            f"{subject}: populations make their step in the order in which they were added, so {post.name} cannot see "
            f"what {pre.name} is in the same step; add {pre.name} earlier, or read with delay=1"
        )
    return Reading(pre, variable, post, end.port, _index(subject, index, pre.size, post.size), delay)


def _index(subject: str, given: Any, of: int, size: int) -> npt.NDArray[np.int64]:
    if given is None:
        if of not in (1, size):
            raise NetworkError(f"{subject}: {size} neurons read {of}; give index= with the neuron that each one reads")
        return np.zeros(size, np.int64) if of == 1 else np.arange(size)
    index = np.asarray(given)
    if index.dtype.kind not in "iu" or index.shape != (size,):
        raise NetworkError(
            f"{subject}: index has type {index.dtype} and shape {index.shape}; give an int for each of {size} neurons"
        )
    if size and (index.min() < 0 or index.max() >= of):
        wrong = int(index.max() if index.max() >= of else index.min())
        raise NetworkError(f"{subject}: index has {wrong}, and there are neurons 0 to {of - 1}")
    made = index.astype(np.int64)
    made.setflags(write=False)
    return made
