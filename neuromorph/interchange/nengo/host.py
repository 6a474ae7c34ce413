"""The engine as operators among Nengo's own, so that Nengo's order of a step puts each exchange in its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from nengo.builder.operator import Operator
from nengo.builder.optimizer import optimize
from nengo.builder.signal import Signal, SignalDict
from nengo.rc import rc

from neuromorph.engine.live_inputs import Fired, Given
from neuromorph.engine.target import LiveLoop, Program
from neuromorph.errors import TargetError
from neuromorph.interchange.nengo.circuit import Circuit, Place
from neuromorph.interchange.nengo.lift import Lifted
from neuromorph.network import Population

Array = npt.NDArray[Any]


class Engine:
    """A running program.

    Parameters
    ----------
    circuit : Circuit
    program : Program
        Compiled from the circuit's network.
    """

    def __init__(self, circuit: Circuit, program: Program) -> None:
        self.circuit = circuit
        self.program = program
        sending = {place.population for part in circuit.wanted for place in part if place.state is None}
        self._outputs = sorted(sending)
        self.loop: LiveLoop = program.live(self._outputs)
        self._part, self._parts = 0, len(circuit.given) + circuit.apart

    def reset(self) -> None:
        """Back to step 0."""
        self._part = 0
        self.program.reset()
        self.loop = self.program.live(self._outputs)

    def run(self, part: int, inputs: Mapping[str | Population, Given] | None, steps: int) -> Mapping[str, Fired]:
        """Run a part of a cycle: a stage of cells, or the relays.

        Raises
        ------
        TargetError
            An exception cut the last step of Nengo short between its parts, so that what is on the target and what is
            on the host are not of the same time.
        """
        if part != self._part:
            raise TargetError(
                "the last step was cut short by an exception, when the target had done a part of it; reset() the "
                "simulator"
            )
        self._part = -1
        fired = self.loop.step(inputs, steps)
        self._part = (part + 1) % self._parts
        return fired

    def operators(self) -> list[Operator]:
        """What to put beside the host's operators."""
        c = self.circuit
        turns: list[Operator] = []
        token: Signal | None = None
        for stage, (given, wanted) in enumerate(zip(c.given, c.wanted, strict=True)):
            values = () if stage or c.apart else c.values
            turn = Turn(self, given, (*wanted, *values), before=token, stage=stage)
            token = turn.done
            turns.append(turn)
        if c.apart and token is not None:
            turns.append(EndOfStep(self, c.values, token, len(turns)))
        return turns


class Turn(Operator):  # type: ignore[misc]
    """Gives a stage of cells what it needs, lets it make its step, and shows what came of it.

    Parameters
    ----------
    engine : Engine
    given, shown : sequence of Place
    before : Signal or None
        Written by the turn before.
    stage : int
    """

    def __init__(
        self, engine: Engine, given: Sequence[Place], shown: Sequence[Place], before: Signal | None, stage: int
    ) -> None:
        super().__init__(tag=f"stage {stage}")
        self.engine, self.given, self.shown, self.stage = engine, given, shown, stage
        self.done = Signal(np.zeros((), rc.float_dtype), name=f"stage {stage} done")
        self.sets = [*(place.signal for place in shown), self.done]
        self.incs: list[Signal] = []
        self.reads = [*(place.signal for place in given), *([] if before is None else [before])]
        self.updates: list[Signal] = []

    def make_step(self, signals: Any, dt: float, rng: Any) -> Callable[[], None]:
        """Nengo's interface."""
        run, stage = self.engine.run, self.stage
        sources = [signals[s] for s in self.reads[: len(self.given)]]
        parts = [place.part for place in self.given]
        show = shows(self.engine, self.shown, [signals[s] for s in self.sets[: len(self.shown)]])
        if not self.given:

            def step_alone() -> None:
                show(run(stage, None, 2))

            return step_alone
        buffer = np.zeros(parts[-1].stop)
        inputs: Mapping[str | Population, Given] = {self.given[0].population: buffer}

        def step_given() -> None:
            for source, part in zip(sources, parts, strict=True):
                buffer[part] = source.reshape(-1)
            show(run(stage, inputs, 2))

        return step_given


class EndOfStep(Operator):  # type: ignore[misc]
    """Lets the relays make their step.

    Parameters
    ----------
    engine : Engine
    shown : sequence of Place
    before : Signal
        Written by the last turn.
    part : int
        Number of turns.
    """

    def __init__(self, engine: Engine, shown: Sequence[Place], before: Signal, part: int) -> None:
        super().__init__(tag="relays")
        self.engine, self.shown, self.part = engine, shown, part
        self.sets: list[Signal] = []
        self.incs: list[Signal] = []
        self.reads = [before]
        self.updates = [place.signal for place in shown]

    def make_step(self, signals: Any, dt: float, rng: Any) -> Callable[[], None]:
        """Nengo's interface."""
        run, part = self.engine.run, self.part
        show = shows(self.engine, self.shown, [signals[s] for s in self.updates])

        def step_relays() -> None:
            show(run(part, None, 1))

        return step_relays


def shows(engine: Engine, places: Sequence[Place], targets: Sequence[Array]) -> Callable[[Mapping[str, Any]], None]:
    """A function that puts what cells sent, and states, into Nengo's signals."""
    loop = engine.loop
    sizes = {population.name: population.size for population in engine.circuit.network.populations}
    sent: dict[str, list[tuple[Place, Array]]] = defaultdict(list)
    states: dict[tuple[str, str], list[tuple[slice, Array]]] = defaultdict(list)
    for place, target in zip(places, targets, strict=True):
        if place.state is None:
            sent[place.population].append((place, target))
        else:
            states[place.population, place.state].append((place.part, target))

    def show(fired: Mapping[str, Any]) -> None:
        for name, items in sent.items():
            events = fired[name]
            dense = np.zeros(sizes[name])
            dense[events.indices] = 1.0 if events.values is None else events.values
            for place, target in items:
                np.multiply(dense[place.part], place.unit, out=target, casting="same_kind")
        for (name, state), parts in states.items():
            values = loop.state(name, state)
            for part, target in parts:
                target[...] = values[part]

    return show


class Seen(SignalDict):  # type: ignore[misc]
    """Signals as a user may look at them, and write to those that the host computes with.

    Parameters
    ----------
    memory : SignalDict
        Its arrays are shared.
    held : set of Signal
        What the target holds or computes: to write it here would have no effect, so that is refused.
    """

    def __init__(self, memory: SignalDict, held: Set[Signal]) -> None:
        super().__init__()
        self._held = held
        for signal, array in memory.items():
            kept = array
            if signal.base in held and isinstance(array, np.ndarray):
                kept = array.view()
                kept.flags.writeable = False
            dict.__setitem__(self, signal, kept)

    __getitem__ = dict.__getitem__

    def __missing__(self, key: Signal) -> Any:
        """A view of a signal that is here; others are on the target alone."""
        base = self.get(key.base)
        if base is None:
            raise KeyError(f"{key} is on the target and not shown here; probe what you need of it")
        return np.ndarray(key.shape, key.dtype, base, key.offset, key.strides)

    def __setitem__(self, key: Signal, value: Any) -> None:
        if key.base in self._held:
            raise TargetError(
                f"{key} is on the target, which takes no other value for it from here; change the model and build a "
                "Simulator again, or give it by a node"
            )
        super().__setitem__(key, value)


def held(built: Iterable[Operator], lifted: Lifted) -> frozenset[Signal]:
    """Signals that the target holds or computes: constants of what it runs, outputs, states and filtered values.

    Parameters
    ----------
    built : iterable of Operator
        As Nengo built them.
    lifted : Lifted
    """
    written = {s.base for op in built for s in (*op.sets, *op.incs, *op.updates)}
    gone = set(built) - set(lifted.host)
    constants = {s.base for op in gone for s in op.reads} - written
    computed = {s.base for c in lifted.cells for s in c.operator.sets + c.operator.updates}
    return frozenset(constants | computed | {relay.value for relay in lifted.relays})


def merged(model: Any, operators: Sequence[Operator], edges: Any) -> tuple[list[Operator], dict[Signal, Signal]]:
    """What Nengo's optimizer makes of operators, and which signals then stand for theirs.

    Parameters
    ----------
    model : nengo.builder.Model
        It stays as it is.
    operators : sequence of Operator
        Not the model's own: the optimizer gives them other signals.
    edges : dict
        Their dependency graph, which becomes that of the new ones.
    """
    shadow = copy(model)
    shadow.operators = list(operators)
    shadow.sig = {"all": {s: s for op in operators for s in op.all_signals}}
    optimize(shadow, edges)
    return shadow.operators, shadow.sig["all"]


def apart(op: Operator) -> Operator:
    """The same operator with lists of signals of its own."""
    other = copy(op)
    for kind in ("sets", "incs", "reads", "updates"):
        setattr(other, kind, list(getattr(op, kind)))
    return other


def signals_of(
    built: Sequence[Operator], operators: Sequence[Operator], replaced: Mapping[Signal, Signal]
) -> SignalDict:
    """Memory for the signals of all operators, also under the names that they had before they were merged.

    Weights, encoders and biases are there even where only the target uses them.

    Parameters
    ----------
    built : sequence of Operator
        As Nengo built them.
    operators : sequence of Operator
        As they run.
    replaced : mapping of Signal to Signal
        As `merged` gives it.
    """
    found = SignalDict()
    for op in operators:
        op.init_signals(found)
    for before, after in replaced.items():
        if before is not after:
            dict.__setitem__(found, before, found[after])
    written = {s.base for op in built for s in (*op.sets, *op.incs, *op.updates)}
    for signal in (s for op in built for s in op.reads):
        if signal.base not in written and signal not in found:
            found.init(signal)
    return found
