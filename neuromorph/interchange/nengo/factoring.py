"""Which decoded connections go through the value that they decode, and which from neurons straight to neurons.

A connection from m to n neurons by way of d decoded values is two small matrices, m x d and d x n, with a relay for the
values between them, or one of m x n whose filter is in the n neurons. The second is taken where it needs neither more
operations nor more bytes, counted as in `Cost`: neurons connected to neurons, solved weights, small ensembles of many
dimensions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from nengo.builder.signal import Signal

from neuromorph.interchange.nengo.filters import Filter
from neuromorph.interchange.nengo.kernels import Kernel, Matrix, places, product

if TYPE_CHECKING:
    from neuromorph.interchange.nengo.lift import Cells, Relay

RATE = 100.0
"""Spikes a second of a neuron, to count operations with; a neuron without spikes sends in every step."""
FULL = 0.5
"""Share of non-zero weights from which on a projection is a matrix."""
WORD, INDEX = 4, 2
"""Bytes of a weight or a state, and of a target or a place in a kernel."""


@dataclass(frozen=True)
class Cost:
    """What a way of connecting needs.

    Attributes
    ----------
    operations : float
        Multiplications with an addition in a step: synapses that an event reaches, and coefficients of filters.
    bytes : int
        Weights, targets and states, in single precision.
    """

    operations: float = 0.0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.operations + other.operations, self.bytes + other.bytes)

    def __str__(self) -> str:
        if np.isinf(self.operations):
            return "would take its kernel apart"
        return f"{self.operations:,.0f} operations a step, {self.bytes:,} bytes"

    def within(self, other: Cost) -> bool:
        """Whether it needs no more of either."""
        return self.operations <= other.operations and self.bytes <= other.bytes


@dataclass(frozen=True, eq=False)
class Pairs:
    """Synapses from neurons straight to neurons.

    Attributes
    ----------
    filter : Filter
        In the target.
    source : Signal
        What the source sends.
    matrix : sparse array or Kernel (targets, sources)
    """

    filter: Filter
    source: Signal
    matrix: Matrix


@dataclass(frozen=True)
class Choice:
    """How a connection was carried over, and what either way costs.

    Attributes
    ----------
    name : str
        Of Nengo's connection.
    before, values, behind : int
        Neurons that send, decoded values, neurons that receive.
    factored, straight : Cost
    through : bool
        Whether it goes through its values.
    """

    name: str
    before: int
    values: int
    behind: int
    factored: Cost
    straight: Cost
    through: bool

    def text(self) -> str:
        """One line."""
        way = "through its values" if self.through else "straight, neuron to neuron"
        return (
            f"{self.name}: {self.before} neurons, {self.values} values, {self.behind} neurons: {way} "
            f"(through values {self.factored}; straight {self.straight})"
        )


def factored(
    cells: Sequence[Cells], relays: Sequence[Relay], wanted: Iterable[Signal], dt: float, names: Mapping[Signal, str]
) -> tuple[tuple[Cells, ...], tuple[Relay, ...], tuple[Choice, ...]]:
    """Cells and relays with those relays gone that cost more than they save, or that nobody reads.

    Parameters
    ----------
    cells : sequence of Cells
    relays : sequence of Relay
    wanted : iterable of Signal
        What the host reads; a relay whose value is among them stays.
    dt : float
        Length of a step in seconds.
    names : mapping of Signal to str
        Of the connections that have these values.

    Returns
    -------
    cells, relays, choices
        A choice for every relay from cells to cells that the host does not read, too.
    """
    sending = {c.output: _share(c, dt) for c in cells}
    held = frozenset(wanted)
    kept, choices = [], []
    reading: dict[Signal, list[Cells]] = defaultdict(list)
    for c in cells:
        for signal in c.current.terms:
            reading[signal].append(c)
    straight: dict[Signal, list[Pairs]] = {c.output: [] for c in cells}
    for relay in relays:
        readers = reading[relay.value]
        if relay.value in held:
            kept.append(relay)
            continue
        if not readers:  # nobody looks at what it holds
            continue
        choice = _choice(relay, readers, sending, names.get(relay.value, relay.value.name))
        choices.append(choice)
        if choice.through:
            kept.append(relay)
            continue
        for c in readers:
            matrix = c.current.terms[relay.value]
            straight[c.output] += [
                Pairs(relay.filter, source, product(matrix, m)) for source, m in relay.input.terms.items()
            ]
    gone = {r.value for r in relays} - {r.value for r in kept}
    return tuple(_without(c, gone, straight[c.output]) for c in cells), tuple(kept), tuple(choices)


def _without(cells: Cells, gone: set[Signal], pairs: Sequence[Pairs]) -> Cells:
    if not pairs:
        return cells
    terms = {signal: m for signal, m in cells.current.terms.items() if signal not in gone}
    return replace(cells, current=replace(cells.current, terms=terms), pairs=tuple(pairs))


def _share(cells: Cells, dt: float) -> float:
    """In how many of all steps a neuron sends."""
    return min(RATE * dt, 1.0) if cells.operator.neurons.spiking else 1.0


def _choice(relay: Relay, readers: Sequence[Cells], sending: Mapping[Signal, float], name: str) -> Choice:
    """Count both ways."""
    sources = relay.input.terms
    through = _filtering(relay.filter, relay.size)
    straight = Cost()
    for source, m in sources.items():
        through += _of_matrix(m, sending[source])
    for c in readers:
        onward = c.current.terms[relay.value]
        through += _of_matrix(onward, 1.0)
        straight += _filtering(relay.filter, c.size)
        for source, m in sources.items():
            straight += _of_product(onward, m, sending[source])
    before, behind = sum(m.shape[1] for m in sources.values()), sum(c.size for c in readers)
    return Choice(name, before, relay.size, behind, through, straight, not straight.within(through))


def _filtering(item: Filter, size: int) -> Cost:
    """Of so many filters."""
    coefficients = int(np.count_nonzero(item.a)) + int(np.count_nonzero(item.b)) + int(np.count_nonzero(item.c))
    return Cost(size * max(coefficients, 1), WORD * size * (len(item.b) + 1))


def _synapses(number: int, shape: tuple[int, int], share: float) -> Cost:
    """Of so many synapses, as a list or, if they are many, as a matrix."""
    pairs = shape[0] * shape[1]
    return Cost(share * number, WORD * pairs if number > FULL * pairs else (WORD + INDEX) * number)


def _of_matrix(matrix: Matrix, share: float) -> Cost:
    """Of the synapses of a matrix; those of a kernel share its weights."""
    if isinstance(matrix, Kernel):
        return Cost(share * matrix.nnz, WORD * matrix.shared.kernel_size + 2 * INDEX * matrix.nnz)
    return _synapses(int(matrix.nnz), matrix.shape, share)


def _of_product(onward: Matrix, into: Matrix, share: float) -> Cost:
    """Of one matrix after another, without multiplying them: as many synapses as there are ways through."""
    if isinstance(onward, Kernel):
        return Cost(np.inf)
    if isinstance(into, Kernel):
        return _of_matrix(into, share) if places(onward) is not None else Cost(np.inf)
    ways = int(np.diff(into.tocsr().indptr) @ np.diff(onward.tocsc().indptr))
    shape = onward.shape[0], into.shape[1]
    return _synapses(min(ways, shape[0] * shape[1]), shape, share)
