"""Closed loops: a program run step by step, with events given from outside and events and states looked at.

A :class:`Live` source of the network emits in a step what it was given for it. A step costs a few microseconds beside
the network's own work: everything is allocated beforehand, and nothing in Python goes through neurons or events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.native import Kernel, compile_kernel
from neuromorph.network.sources import Live, Lookup

from .items import LOOKUP, REPLAY, make_item
from .live_inputs import Fired, Given, is_live, no_output, no_source, no_state, read_given, read_id, wrong_indices
from .memory import address
from .recording import EventBuffer
from .schedule import Tables, fixed_kernel

if TYPE_CHECKING:
    from neuromorph.network import Population

    from .cpu import CPUProgram

Array = npt.NDArray[Any]
GIVEN = (
    "dense",  # (size,) of bytes or floats: what each neuron emits
    "size",
    "wide",  # 4-byte words of a float; 0: bytes
    "indices",  # uint32 (size,): the list
    "values",  # float (size,), or 0
    "pair",  # int64 (2,): where the step's events begin and end in the list
    "replays",  # int64 (n_replays,): addresses of the source's replay items, one for each thread
    "n_replays",
    "failed",  # written: the list was refused
)
"""What a live source is given."""
FAILED = GIVEN.index("failed")
REPLAYS, N_REPLAYS = GIVEN.index("replays"), GIVEN.index("n_replays")
STEPS, INDICES, VALUES = REPLAY.index("steps"), REPLAY.index("indices"), REPLAY.index("given")


class Inlet:
    """The buffers of one live source.

    Attributes
    ----------
    name : str
    size : int
    """

    def __init__(self, name: str, size: int, dtype: str | None) -> None:
        self.name, self.size, self.graded = name, size, dtype is not None
        self._dense = np.zeros(size, dtype or np.bool_)
        self.indices = np.zeros(size, np.uint32)
        self.values = None if dtype is None else np.zeros(size, dtype)
        self._pair = np.zeros(2, np.int64)
        self._replays: list[npt.NDArray[np.int64]] = []
        self._addresses = np.zeros(0, np.int64)
        self._item = make_item(
            GIVEN,
            dense=address(self._dense),
            size=size,
            wide=self._dense.itemsize // 4,
            indices=address(self.indices),
            values=address(self.values),
            pair=address(self._pair),
            replays=0,
            n_replays=0,
            failed=0,
        )
        self._emit_dense = _live_kernel("emit_dense").bound(self._item)
        self._emit_listed = _live_kernel("emit_listed").bound(self._item)

    def connect(self, replays: Sequence[npt.NDArray[np.int64]]) -> None:
        """Feed these replay items, too."""
        for item in replays:
            item[INDICES], item[VALUES] = address(self.indices), address(self.values)
        self._replays += replays
        self._addresses = np.array([address(item) for item in self._replays], np.int64)
        self._item[REPLAYS], self._item[N_REPLAYS] = address(self._addresses), len(self._replays)

    def disconnect(self) -> None:
        """Feed nothing."""
        self._replays = []
        self.connect([])

    def silence(self) -> None:
        """Emit nothing until something is given: what was for an earlier step is over."""
        for item in self._replays:
            item[STEPS] = 0

    def give(self, given: Given, step: int) -> None:
        """Say what the source emits in this step.

        Raises
        ------
        TargetError
            A wrong shape or type, or indices that do not ascend or are no neurons.
        """
        read = read_given(self.name, self.size, self.graded, given)
        if isinstance(read, tuple):
            indices, values = read
            n = len(indices)
            self.indices[:n] = indices
            if self.values is not None:
                self.values[:n] = values
            self._emit_listed(step, n)
            if self._item[FAILED]:
                raise wrong_indices(self.name, self.size, indices)
        else:
            if self.graded:
                self._dense[:] = read
            else:
                np.not_equal(read, 0, out=self._dense)
            self._emit_dense(step, 0)


class RowInlet:
    """The id that a live source looks up; as :class:`Inlet`.

    Attributes
    ----------
    name : str
    rows : int
        Of the table.
    """

    def __init__(self, name: str, rows: int) -> None:
        self.name, self.rows = name, rows
        self._id = np.zeros(1, np.int32)
        self._lookups: list[npt.NDArray[np.int64]] = []

    def connect(self, items: Sequence[npt.NDArray[np.int64]]) -> None:
        """Feed these items, too."""
        self._lookups += items

    def disconnect(self) -> None:
        """Feed nothing."""
        self._lookups = []

    def silence(self) -> None:
        """Emit nothing until an id is given."""
        for item in self._lookups:
            item[LOOKUP.index("steps")] = 0

    def give(self, given: Given, step: int) -> None:
        """Say which row the source emits in this step.

        Raises
        ------
        TargetError
            No id of a row.
        """
        self._id[0] = read_id(self.name, self.rows, given)
        for item in self._lookups:
            item[LOOKUP.index("ids")] = address(self._id) - 4 * step  # so that this step's entry is the id
            item[LOOKUP.index("steps")] = step + 1


class LiveRun(Mapping[str, Fired]):
    """A program that is run step by step; its items are the events of the last call of :meth:`step`.

    Parameters
    ----------
    program : CPUProgram
    outputs : sequence of str or Population
        Populations whose events are wanted.
    """

    def __init__(self, program: CPUProgram, outputs: Sequence[str | Population]) -> None:
        self._program = program
        self._outputs = {program.lowered.populations[k].name: k for k in map(program.index_of, outputs)}
        self._inlets: dict[Any, Inlet | RowInlet] = {}
        self._each: list[Inlet | RowInlet] = []
        for population in program.network.populations[: len(program.lowered.populations)]:
            if is_live(population.neuron):
                inlet = _inlet(population.name, population.neuron, program.lowered.dtype)
                self._inlets[population.name] = self._inlets[population] = inlet
                self._each.append(inlet)
        self._steps = 1
        self._connect()

    def step(self, inputs: Mapping[str | Population, Given] | None = None, steps: int = 1) -> LiveRun:
        """Run one step, or several of which the first has the inputs; see :meth:`LiveLoop.step`."""
        program = self._program
        if program.current is not self._instance or steps > self._steps:
            self._steps = max(steps, self._steps)
            self._connect()
        self._work.team(self._instance.pace.threads)  # made before inlets are filled: they fill its items
        first = program.step
        for inlet in self._each:
            inlet.silence()
        if inputs:
            for source, given in inputs.items():
                if source not in self._inlets:
                    raise no_source(program.network.name, source, [inlet.name for inlet in self._each])
                self._inlets[source].give(given, first)
        for buffer in self._buffers.values():
            buffer.length[0] = 0
        began = perf_counter()
        after = self._instance.run(first, first + steps, 0, self._work)
        program.step = self._instance.reached = after
        program.count(steps, perf_counter() - began)
        return self

    def state(self, population: str | Population, name: str) -> Array:
        """A view of a state that every step changes; see :meth:`LiveLoop.state`.

        It is valid until a parameter is set that only now differs between neurons.
        """
        k = self._program.index_of(population)
        layout, lowered = self._program.compiled.layouts[k], self._program.lowered.populations[k]
        places = {} if layout is None else {place.name: place for place in (*layout.states, *layout.observables)}
        if name not in places:
            raise no_state(lowered.name, name, places)
        memory, place = self._instance.memories[k], places[name]
        view: Array = (memory.ints if place.ints else memory.floats)[place.offset : place.offset + lowered.size]
        return view

    def __getitem__(self, population: Any) -> Fired:
        name = getattr(population, "name", population)
        if name not in self._buffers:
            raise no_output(name, self._buffers)
        buffer = self._buffers[name]
        n = buffer.length[0]
        return Fired(buffer.steps[:n], buffer.ids[:n], None if buffer.values is None else buffer.values[:n])

    def __iter__(self) -> Iterator[str]:
        return iter(self._buffers)

    def __len__(self) -> int:
        return len(self._buffers)

    def _connect(self) -> None:
        """Buffers and tables for the program's present memory."""
        self._instance = instance = self._program.current
        self._buffers = {name: self._buffer(k) for name, k in self._outputs.items()}
        for inlet in self._each:
            inlet.disconnect()
        self._work = instance.tables(record=False, observe=self._join)

    def _buffer(self, k: int) -> EventBuffer:
        """Room for all events that so many steps can bring, and for a window that no recorder shall stop at."""
        memory = self._instance.memories[k]
        most = self._instance.window * memory.size
        capacity = self._steps * memory.size + 3 * most
        values = None if memory.values is None else np.empty(capacity, memory.values.dtype)
        name = self._program.lowered.populations[k].name
        steps, ids = np.empty(capacity, np.int64), np.empty(capacity, np.uint32)
        return EventBuffer(name, steps, ids, values, np.zeros(1, np.int64), most)

    def _join(self, tables: Sequence[Tables]) -> None:
        """Let the tables of a number of threads read the inlets and fill the buffers."""
        for inlet in self._each:
            k = self._program.index_of(inlet.name)
            inlet.connect([table.updates[k][1] for table in tables])  # updates begin with those of the populations
        instance = self._instance
        for name, k in self._outputs.items():
            item = self._buffers[name].item(instance.memories[k], len(tables), instance.compiled.wide, instance.stop)
            tables[0].observers.append((fixed_kernel("record_events").address, item))


def _inlet(name: str, source: Live | Lookup, dtype: str) -> Inlet | RowInlet:
    if isinstance(source, Lookup):
        return RowInlet(name, source.rows)
    return Inlet(name, source.size, dtype if source.graded else None)


@cache
def _live_kernel(name: str) -> Kernel:
    source = Path(__file__).with_name("live_kernels.py").read_text()
    return compile_kernel(source, f"live source: {name}", name=name)
