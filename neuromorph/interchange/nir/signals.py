"""What reaches each population of a NIR graph: sums of populations' outputs, each through a chain of linear maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from math import prod

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.file import Graph, Node
from neuromorph.interchange.nir.linear import LINEAR, Effect, Link, Shape, effect, expands
from neuromorph.interchange.nir.neurons import PARAMETERS

#: Node types that become populations, or ends of the graph.
ENDS = (*PARAMETERS, "Input", "Output")


@dataclass(frozen=True)
class Term:
    """The output of one population, through maps and delays.

    Attributes
    ----------
    source : str
        Node that is the population.
    links : tuple of Link
        Maps in the order in which they apply; none: one to one.
    factor : float
    delay_before : int or int array (n_source,)
        Steps by which elements are late before the first map.
    delay_after : int array (n,) or None
        Further steps, after the last map.
    through : tuple of str
        The linear nodes on its way that do something.
    """

    source: str
    links: tuple[Link, ...] = ()
    factor: float = 1.0
    delay_before: int | npt.NDArray[np.int64] = 0
    delay_after: npt.NDArray[np.int64] | None = None
    through: tuple[str, ...] = ()

    @property
    def identity(self) -> bool:
        """Whether this is the population's output as it is."""
        plain = not self.links and self.factor == 1.0 and self.delay_after is None
        return plain and not np.any(self.delay_before)

    @property
    def shortest(self) -> int:
        """The least delay that any of its events has, in steps."""
        after = 0 if self.delay_after is None else int(self.delay_after.min())
        return int(np.min(self.delay_before)) + after


@dataclass(frozen=True)
class Signal:
    """A sum of terms and a constant."""

    terms: tuple[Term, ...]
    constant: npt.NDArray[np.float64]


def shapes_of(graph: Graph, dt: float, problems: list[str]) -> tuple[dict[str, Shape], dict[str, Effect]]:
    """Shape of what leaves each node, and the effect of each linear one; what does not fit goes to ``problems``.

    A neuron's shape is that of its parameters; if they are single numbers, that of what reaches it.
    """
    shapes: dict[str, Shape] = {}
    effects: dict[str, Effect] = {}
    failed: set[str] = set()
    for node in graph.nodes.values():
        try:
            own = _own_shape(node)
        except NetworkError as error:
            problems.append(str(error))
            continue
        if own is not None:
            shapes[node.name] = own
    single = [name for name, node in graph.nodes.items() if node.type in PARAMETERS and name not in shapes]
    while True:
        before = len(shapes)
        for name, node in graph.nodes.items():
            known = [shapes[a] for a in graph.before(name) if a in shapes]
            if name in shapes or name in failed or not known:
                continue
            try:
                if node.type in LINEAR:
                    effects[name] = effect(node, known[0], dt)
                shapes[name] = effects[name].shape if name in effects else known[0]
            except NetworkError as error:
                told = str(error)
                problems.append(told if str(node) in told else f"{node}: {told}")  # a rule does not know its node
                failed.add(name)
        if len(shapes) == before:
            unknown = [name for name in single if name not in shapes and not problems]
            if not unknown:
                break
            shapes[unknown[0]] = (1,)
    _check_sizes(graph, shapes, effects, problems)
    return shapes, effects


def _own_shape(node: Node) -> Shape | None:
    """Shape that a node's values fix."""
    if node.type == "Input":
        return node.lengths("shape")
    given = (name.rstrip("?") for name in PARAMETERS.get(node.type, ()))
    shapes = [node.numbers(name).shape for name in given if node.values.get(name) is not None]
    largest = max(shapes, key=prod, default=())
    return tuple(int(n) for n in largest) if prod(largest) > 1 else None


def _check_sizes(graph: Graph, shapes: Mapping[str, Shape], effects: Mapping[str, Effect], problems: list[str]) -> None:
    """Everything that reaches a node must be as large as the node."""
    for name, node in graph.nodes.items():
        arriving = {a: shapes[a] for a in graph.before(name) if a in shapes}
        wanted = next(iter(arriving.values()), None) if node.type in LINEAR else shapes.get(name)
        for a, shape in arriving.items():
            if wanted is not None and prod(shape) != prod(wanted):
                problems.append(f"{node} has shape {wanted}; what reaches it from {a} has shape {shape}")


@dataclass(frozen=True)
class Wiring:
    """What reaches every population.

    Attributes
    ----------
    signals : dict of str to Signal
        By node: neurons, outputs of the graph and relays.
    relays : tuple of str
        Linear nodes that become populations of their own, so that the maps before and after them stay what they are
        instead of being multiplied out.
    """

    signals: Mapping[str, Signal]
    relays: tuple[str, ...]


def wiring(
    graph: Graph, shapes: Mapping[str, Shape], effects: Mapping[str, Effect], relay: bool, problems: list[str]
) -> Wiring:
    """What reaches each node that is a population or an output of the graph.

    Parameters
    ----------
    relay : bool
        Whether linear nodes may become populations; those in a loop never do, since that would make it longer.
    """
    linear = {name: [a for a in graph.before(name) if a in effects] for name in effects}
    try:
        order = list(TopologicalSorter(linear).static_order())
    except CycleError as error:
        problems.append(f"loop of nodes without a neuron or a state in it: {' -> '.join(error.args[1])}")
        return Wiring({}, ())
    leaving: dict[str, Signal] = {
        name: Signal((Term(name),), np.zeros(prod(shapes[name])))
        for name, node in graph.nodes.items()
        if node.type in ENDS and node.type != "Output"
    }
    looped = graph.looped if relay else frozenset(graph.nodes)
    relays: dict[str, Signal] = {}

    def arriving(name: str) -> Signal:
        parts = [leaving[a] for a in graph.before(name)]
        terms = tuple(term for part in parts for term in part.terms)
        return Signal(terms, np.sum([part.constant for part in parts], axis=0) if parts else np.zeros(1))

    for name in order:
        for a in graph.before(name):
            if a in effects and a not in looped and any(_outgrown(term, effects[name]) for term in leaving[a].terms):
                relays[a] = leaving[a]
                leaving[a] = Signal((Term(a),), np.zeros(prod(shapes[a])))
        try:
            leaving[name] = _through(name, effects[name], arriving(name))
        except NetworkError as error:
            problems.append(f"{graph.nodes[name]}: {error}")
            return Wiring({}, ())
    ends = {name: arriving(name) for name, node in graph.nodes.items() if node.type in ENDS and node.type != "Input"}
    return Wiring(relays | ends, tuple(relays))


def _outgrown(term: Term, made: Effect) -> bool:
    """Whether a signal had better be summed before it goes through one more map."""
    if made.link is None:
        return False
    return term.delay_after is not None or expands((*term.links, made.link))


def _through(name: str, made: Effect, signal: Signal) -> Signal:
    constant = signal.constant  # delays leave it as it is: a constant has no beginning
    if made.link is not None and constant.any():
        constant = np.asarray(constant @ made.link.matrix())
    elif made.link is not None:
        constant = np.zeros(prod(made.shape))
    constant = constant * made.factor
    if made.bias is not None:
        constant = constant + made.bias
    return Signal(tuple(_extended(term, made, name) for term in signal.terms), constant)


def _extended(term: Term, made: Effect, name: str) -> Term:
    if made.link is not None or made.factor != 1.0 or np.any(made.delay) or made.bias is not None:
        term = replace(term, through=(*term.through, name))
    if made.link is not None:
        if term.delay_after is not None:
            raise NetworkError("it follows a Delay with a time for each element that follows another linear map")
        term = replace(term, links=(*term.links, made.link))
    term = replace(term, factor=term.factor * made.factor)
    if np.ndim(made.delay) == 0 or not term.links:
        return replace(term, delay_before=term.delay_before + made.delay)
    further = np.asarray(made.delay, np.int64)
    return replace(term, delay_after=further if term.delay_after is None else term.delay_after + further)
