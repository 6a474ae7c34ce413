"""The memory of a plastic projection: states, parameters, what views with a lag saw, and synapses by target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.delivery.conversion import positions
from neuromorph.engine.items import make_item
from neuromorph.engine.layout import Layout
from neuromorph.engine.memory import Memory, address, aligned
from neuromorph.language.expr import Type
from neuromorph.lowering.plastic import PlasticProjection, SynapseProgram

from .compile import CompiledPlastic, plastic_kernel
from .items import COUNT_TARGETS, FILL_COLUMNS
from .kernel import parameter_places

Array = npt.NDArray[Any]
LINE = 16
"""Values to which rows of states are rounded up: whole cache lines."""


@dataclass(frozen=True)
class PlasticMemory:
    """Arrays of one plastic projection.

    Attributes
    ----------
    lowered : PlasticProjection
    pre : (threads, states of source neurons, stride)
        A copy for each thread, all alike; those of other threads than the first hold only while several run.
    post : (states of targets, stride)
    synapse : (states of synapses, stride)
    seen : tuple of (rows, stride)
        Of each view with a lag, what it saw at the end of each of the latest steps; None for the others.
    floats, ints : arrays
        Parameters of all updates.
    columns : int64 (n_post + 1,)
        Where each target's synapses begin in ``column``.
    column : uint32 (synapses,)
        Number of each synapse, by target.
    column_source : uint16 or uint32 (synapses,) or None
        Its source; None if nothing reads it.
    listed : mapping of (path, group) to (numbers, sources or None)
        The synapses of groups that have some of them, as ``column`` and ``column_source`` have all.
    """

    lowered: PlasticProjection
    pre: Array
    post: Array
    synapse: Array
    seen: tuple[Array | None, ...]
    floats: Array
    ints: Array
    columns: Array | None
    column: Array | None
    column_source: Array | None
    listed: Mapping[tuple[int, int], tuple[Array, Array | None]]

    def state(self, number: int, thread: int = 0) -> Array:
        """The values of a state, as they are."""
        program = self.lowered.program
        place = program.places[number]
        rows = {"pre": self.pre[thread], "post": self.post, "synapse": self.synapse}[place]
        values: Array = rows[program.of_place(place).index(number), : self.lowered.size_of(number)]
        return values

    def states(self) -> list[Array]:
        """The values of all states."""
        return [self.state(k) for k in range(len(self.lowered.program.states))]

    def share(self) -> None:
        """Give every thread the first one's copy of the states of source neurons."""
        self.pre[1:] = self.pre[0]

    def take(self, other: PlasticMemory) -> None:
        """Take over the states of another memory of the same projection, and what is under way."""
        self.pre[0], self.post[:], self.synapse[:] = other.pre[0], other.post, other.synapse
        self.share()
        for mine, theirs in zip(self.seen, other.seen, strict=True):
            if mine is not None and theirs is not None:
                mine[:] = theirs

    def reset(self, memories: Sequence[Memory], layouts: Sequence[Layout | None]) -> None:
        """Back to the initial states; the populations' have to be reset first."""
        for k, value in enumerate(self.lowered.initial):
            self.state(k)[:] = value
        self.share()
        self.look(memories, layouts)

    def look(self, memories: Sequence[Memory], layouts: Sequence[Layout | None]) -> None:
        """Let views with a lag see, until it is over, what the neurons begin step 0 with."""
        for view, rows in zip(self.lowered.views, self.seen, strict=True):
            if rows is not None:
                layout, memory = layouts[view.population], memories[view.population]
                assert layout is not None  # a source of events has nothing to look at
                offset = layout.place(view.variable).offset
                rows[:, : memory.stride] = memory.floats[offset : offset + memory.stride]

    def restored(self) -> list[tuple[Array, Array]]:
        """Copies of all that a run changes, as it is now, and where they belong."""
        changing = (self.pre, self.post, self.synapse, *self.seen)
        return [(array.copy(), array) for array in changing if array is not None]

    def load(self, program: SynapseProgram) -> None:
        """Take the parameters of another copy of the same program."""
        places, _, _ = parameter_places(program)
        for update in program.updates():
            place = dict(zip((Type.FLOAT, Type.INT), places[id(update)], strict=True))
            for slot, value in zip(update.program.params, update.params, strict=True):
                kind = Type.FLOAT if slot.type is Type.FLOAT else Type.INT
                (self.floats if kind is Type.FLOAT else self.ints)[place[kind]] = value
                place[kind] += 1

    def changed(self, lowered: PlasticProjection, names: Sequence[str]) -> PlasticMemory:
        """The same arrays with other parameters and initial states; of the present states, only those named change."""
        made = replace(self, lowered=lowered)
        made.load(lowered.program)
        for k, slot in enumerate(lowered.program.states):
            if slot.name in names:
                made.state(k)[:] = lowered.initial[k]
        made.share()
        return made

    def array_bytes(self) -> dict[str, int]:
        """Bytes of each array, those of the synapses' ends included."""
        lowered = self.lowered
        sizes = {"row_ptr": sum(rows.row_ptr.nbytes for rows in lowered.rows), "targets": lowered.targets.nbytes}
        sizes |= {name: value.nbytes for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        sizes["listed"] = sum(a.nbytes for pair in self.listed.values() for a in pair if a is not None)
        initial = sum(values.nbytes for values in lowered.initial)
        return sizes | {"initial": initial, "seen": sum(rows.nbytes for rows in self.seen if rows is not None)}

    def storage(self) -> str:
        """How it is stored, for people."""
        own = len(self.lowered.program.of_place("synapse"))
        delays = "one delay" if len(self.lowered.rows) == 1 else f"{len(self.lowered.rows)} delays"
        states = f"{own} {self.synapse.dtype} state{'s' if own > 1 else ''}"
        return f"plastic ({self.lowered.model}): sparse {self.lowered.targets.dtype} targets, {states} each, {delays}"


def allocate_plastic(
    compiled: CompiledPlastic, memories: Sequence[Memory], layouts: Sequence[Layout | None], threads: int, window: int
) -> PlasticMemory:
    """Memory of a plastic projection at step 0.

    Parameters
    ----------
    memories : sequence of Memory
        Of the populations, at step 0.
    window : int
        Steps that threads run before they meet.
    """
    lowered, dtype = compiled.lowered, compiled.kind.dtype
    program = lowered.program
    _, floats, ints = parameter_places(program)

    def room(place: Any, size: int, *copies: int) -> Array:
        return aligned((*copies, len(program.of_place(place)), -(-size // LINE) * LINE), dtype)

    kept = 1 << (lowered.min_delay + window - 1).bit_length()
    seen = tuple(aligned((kept, memories[v.population].stride), dtype) if v.lag else None for v in lowered.views)
    paths = list(zip(program.paths, lowered.routes, strict=True))
    all_by_target = any("synapse" in p.updates and any(g.ptr is None for g in groups) for p, groups in paths)
    columns, column, source = _columns(compiled) if all_by_target else (None, None, None)
    memory = PlasticMemory(
        lowered=lowered,
        pre=room("pre", lowered.n_pre, threads),
        post=room("post", lowered.n_post),
        synapse=room("synapse", lowered.count),
        seen=seen,
        floats=np.zeros(floats, dtype),
        ints=np.zeros(ints, np.int64),
        columns=columns,
        column=column,
        column_source=source,
        listed={
            (number, k): _listed(compiled, group.index, path.end)
            for number, (path, groups) in enumerate(paths)
            for k, group in enumerate(groups)
            if group.index is not None
        },
    )
    memory.load(program)
    memory.reset(memories, layouts)
    return memory


def _columns(compiled: CompiledPlastic) -> tuple[Array, Array, Array | None]:
    """The synapses by target."""
    from neuromorph.engine.schedule import call

    lowered, kind = compiled.lowered, compiled.kind
    totals = np.zeros(lowered.n_post, np.int64)
    width = lowered.targets.itemsize
    targets = np.ascontiguousarray(lowered.targets)
    item = make_item(COUNT_TARGETS, targets=address(targets), width=width, count=lowered.count, totals=address(totals))
    call(plastic_kernel("count_targets"), 0, 0, item)
    columns = np.concatenate([np.zeros(1, np.int64), np.cumsum(totals)])
    column = np.empty(lowered.count, kind.column)
    source = np.empty(lowered.count, kind.source) if kind.source else None
    following = columns[:-1].copy()
    for rows in lowered.rows:
        row_ptr = np.ascontiguousarray(rows.row_ptr)
        item = make_item(
            FILL_COLUMNS,
            targets=address(targets),
            width=width,
            row_ptr=address(row_ptr),
            n_pre=lowered.n_pre,
            next=address(following),
            column=address(column),
            column_width=column.itemsize,
            source=address(source),
            source_width=0 if source is None else source.itemsize,
        )
        call(plastic_kernel("fill_columns"), 0, 0, item)
    return columns, column, source


def _listed(compiled: CompiledPlastic, index: Array, end: str) -> tuple[Array, Array | None]:
    """Numbers of synapses, and their sources where targets' events need them."""
    kind = compiled.kind
    source = compiled.lowered.sources()[index].astype(kind.source) if kind.source and end == "post" else None
    return index.astype(kind.column), source


def row_cuts(row_ptr: Array, targets: Array, bounds: npt.NDArray[np.int64]) -> list[Array]:
    """For each bound of targets, the position in each row where targets, which ascend along it, reach it."""
    row_ptr, targets = np.ascontiguousarray(row_ptr), np.ascontiguousarray(targets)
    begin, end = row_ptr[:-1], row_ptr[1:]
    return [begin, *(positions(begin, end, targets, int(bound)) for bound in bounds[1:-1]), end]
