"""What of a built Nengo model the engine runs, and what stays on the host.

A step of Nengo is a graph of operators. The engine takes the neurons it knows (*cells*) with whatever linear operators
lead to their current, and the linear filters of what they send (*relays*), which hold decoded values. Everything else
stays: it reads what the engine sends and gives what the engine needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator, Reset, SparseDotInc
from nengo.builder.probe import SimProbe
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.neurons import RatesToSpikesNeuronType
from nengo.synapses import Synapse
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from neuromorph.interchange.nengo.factoring import Choice, Pairs, factored
from neuromorph.interchange.nengo.filters import Filter
from neuromorph.interchange.nengo.linear import Expansion, Linear, Uses
from neuromorph.interchange.nengo.neurons import refusal
from neuromorph.interchange.nengo.processes import filter_of

MOST_STATES = 16
"""Of a filter that is taken: a longer one, as of a wide triangle, takes longer to compile than the host to run."""

PLAIN = (Copy, ConvInc, ConvTransposeInc, DotInc, ElementwiseInc, Reset, SparseDotInc)
"""Operators that do nothing but write their result."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The neurons of one ensemble.

    Attributes
    ----------
    operator : SimNeurons
        Nengo's, with the neuron type and the signals of states.
    stage : int
        How many layers of cells have to fire before it within a step: connections without a synapse.
    current : Linear
        Of relays, of the host's signals, and a constant.
    pairs : tuple of Pairs
        What other cells send without a relay, to be added.
    """

    operator: Any
    stage: int
    current: Linear
    pairs: tuple[Pairs, ...] = ()

    @property
    def output(self) -> Signal:
        """Nengo's signal of spikes or rates."""
        return self.operator.output

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.output.size)


@dataclass(frozen=True, eq=False)
class Relay:
    """A filtered linear function of what cells send.

    Attributes
    ----------
    operator : SimProcess
    filter : Filter
    input : Linear
        Of outputs of cells.
    """

    operator: Any
    filter: Filter
    input: Linear

    @property
    def value(self) -> Signal:
        """Nengo's signal of the filtered value."""
        return self.operator.output

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.value.size)


@dataclass(frozen=True, eq=False, repr=False)
class Lifted:
    """A model divided.

    Attributes
    ----------
    cells : tuple of Cells
    relays : tuple of Relay
    given : tuple of tuple of Signal
        By stage: signals that the host computes and the cells of the stage need.
    wanted : frozenset of Signal
        Outputs and states of cells and values of relays that the host reads.
    apart : bool
        Whether relays have to step at the end of a step, since the host needs their values before it can give the
        cells theirs; else they step when the next step begins.
    host : tuple of Operator
        What stays.
    reasons : tuple of str
        Why neurons stay that do.
    choices : tuple of Choice
        For every connection from cells to cells, whether it goes through its decoded values.
    order : tuple of Operator
        All operators, in the order in which Nengo makes their steps.
    """

    cells: tuple[Cells, ...]
    relays: tuple[Relay, ...]
    given: tuple[tuple[Signal, ...], ...]
    wanted: frozenset[Signal]
    apart: bool
    host: tuple[Operator, ...]
    reasons: tuple[str, ...]
    choices: tuple[Choice, ...]
    order: tuple[Operator, ...]

    @property
    def stages(self) -> int:
        """Layers of cells within a step."""
        return len(self.given)

    def __repr__(self) -> str:
        straight = sum(not choice.through for choice in self.choices)
        return (
            f"<Lifted: {sum(c.size for c in self.cells)} neurons of {len(self.cells)} ensembles on the target, "
            f"{len(self.choices) - straight} connections through their values, {straight} straight; "
            f"{len(self.host)} operators on the host>"
        )

    def text(self) -> str:
        """What runs where, and how each connection was carried over and why."""
        kinds = Counter(type(op).__name__ for op in self.host)
        lines = [
            f"on the target: {sum(c.size for c in self.cells)} neurons of {len(self.cells)} ensembles, "
            f"{sum(r.size for r in self.relays)} filtered values",
            *(f"  {choice.text()}" for choice in self.choices),
            f"on the host: {', '.join(f'{count} {name}' for name, count in kinds.most_common()) or 'nothing'}",
            *(f"  {reason}" for reason in self.reasons),
        ]
        return "\n".join(lines)


def lift(operators: Sequence[Operator], dt: float, names: Mapping[Signal, str] | None = None) -> Lifted:
    """Divide the operators of a built model.

    Parameters
    ----------
    operators : sequence of nengo.builder.Operator
        Not yet optimized.
    dt : float
        Length of a step in seconds.
    names : mapping of Signal to str, optional
        Of the connections that these signals come out of, filtered; for `Lifted.text`.
    """
    reasons: list[str] = []
    uses = Uses.of(operators)
    taken = [op for op in operators if isinstance(op, SimNeurons) and _known(op, reasons)]
    outputs = {op.output for op in taken}
    relays = tuple(_relays(operators, uses, outputs, dt))
    values = {relay.value for relay in relays}
    edges = operator_dependency_graph(operators)
    order = tuple(toposort(edges))
    stage = _stages(edges, order, taken)
    currents = Expansion(uses, lambda base: base in values or _reads(uses.writers.get(base, ()), outputs))
    cells = tuple(Cells(op, stage[op], currents.of(op.J)) for op in taken)
    given = _given(cells, values)
    lifted = {op for c in cells for op in c.current.operators} | {op for r in relays for op in r.input.operators}
    host = _remaining(operators, {*taken, *(r.operator for r in relays)}, lifted, {s for part in given for s in part})
    needed = {s.base for op in host for s in op.reads}
    offered = {s for c in cells for s in c.operator.sets} | values
    apart = _apart(host, edges, values & needed, given[0] if given else ())
    cells, relays, choices = factored(cells, relays, needed, dt, names or {})
    return Lifted(cells, relays, given, frozenset(offered & needed), apart, host, tuple(reasons), choices, order)


def _known(op: Any, reasons: list[str]) -> bool:
    """Whether the engine can take these neurons; if not, the reason is added."""
    reason = refusal(op.neurons)
    if isinstance(op.neurons, RatesToSpikesNeuronType):
        reason = f"{type(op.neurons).__name__} makes Nengo's spikes on the host; the rates before are taken"
    elif reason is None and (op.J.ndim != 1 or any(s.is_view or s.shape != op.J.shape for s in op.sets)):
        reason = "its states are no vectors of one number for each neuron"
    if reason is not None:
        reasons.append(f"{op.output.name}: {reason}")
    return reason is None


def _relays(operators: Sequence[Operator], uses: Uses, outputs: set[Signal], dt: float) -> Iterable[Relay]:
    """Filters whose input is a fixed linear function of what cells send."""
    expansion = Expansion(uses, lambda base: base in outputs)
    for op in operators:
        if type(op) is not SimProcess or op.mode != "update" or not isinstance(op.process, Synapse):
            continue
        if op.input is None or op.input.ndim != 1 or op.output.is_view or any(_starts(s) for s in op.state.values()):
            continue
        made = filter_of(op.process, dt)
        if made is None or not 0 < len(made.b) <= MOST_STATES:
            continue
        part = expansion.of(op.input)
        if part.terms and not np.any(part.constant) and outputs.issuperset(part.terms):
            yield Relay(op, made, part)


def _starts(state: Signal) -> bool:
    """Whether a filter's state does not start at 0."""
    return bool(np.any(state.initial_value))


def _reads(operators: Iterable[Operator], signals: set[Signal]) -> bool:
    return any(s.base in signals for op in operators for s in op.reads)


def _stages(
    edges: Mapping[Operator, Iterable[Operator]], order: Iterable[Operator], taken: Sequence[Operator]
) -> dict[Operator, int]:
    """For each of the cells, how many others have to fire before it in the same step, along the longest way."""
    before: dict[Operator, int] = defaultdict(int)
    cells = set(taken)
    for op in order:
        for later in edges[op]:
            before[later] = max(before[later], before[op] + (op in cells))
    ranks = {depth: k for k, depth in enumerate(sorted({before[op] for op in taken}))}
    return {op: ranks[before[op]] for op in taken}


def _given(cells: Sequence[Cells], values: set[Signal]) -> tuple[tuple[Signal, ...], ...]:
    """By stage, what cells need from the host."""
    stages = 1 + max((c.stage for c in cells), default=-1)
    found: list[dict[Signal, None]] = [{} for _ in range(stages)]
    for c in cells:
        found[c.stage].update((s, None) for s in c.current.terms if s not in values)
    return tuple(map(tuple, found))


def _remaining(
    operators: Sequence[Operator], gone: set[Operator], lifted: set[Operator], given: set[Signal]
) -> tuple[Operator, ...]:
    """What stays: all but what the engine does, and of that again what others on the host read."""
    kept = {op for op in operators if op not in gone and op not in lifted}
    waiting, needed = list(lifted), given | {s.base for op in kept for s in op.reads}
    while True:
        again = [op for op in waiting if any(s.base in needed for s in (*op.sets, *op.incs))]
        if not again:
            stay = tuple(op for op in operators if op in kept)
            return _read(stay, given) if gone else stay
        kept.update(again)
        waiting = [op for op in waiting if op not in kept]
        needed |= {s.base for op in again for s in op.reads}


def _read(operators: tuple[Operator, ...], given: set[Signal]) -> tuple[Operator, ...]:
    """Without what computes signals that nobody reads, as outputs of ensemble arrays that are not connected."""
    while True:
        needed = given | {s.base for op in operators for s in op.reads}
        alive = tuple(
            op for op in operators if type(op) not in PLAIN or any(s.base in needed for s in (*op.sets, *op.incs))
        )
        if len(alive) == len(operators):
            return alive
        operators = alive


def _apart(
    host: Sequence[Operator],
    edges: Mapping[Operator, Iterable[Operator]],
    values: set[Signal],
    given: Iterable[Signal],
) -> bool:
    """Whether the host needs values of relays before it can give the first cells theirs, or probes them as such."""
    wanted, stays = set(given), set(host)
    waiting = [op for op in host if _reads([op], values)]
    if any(isinstance(op, SimProbe) for op in waiting):
        return True
    seen: set[Operator] = set()
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if any(s.base in wanted for s in (*op.sets, *op.incs)):
            return True
        waiting += [later for later in edges[op] if later in stays]
    return False
