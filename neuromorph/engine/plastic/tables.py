"""Adds the work of plastic projections to the tables of each thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Memory, address
from neuromorph.lowering.plastic import Group, Rows, View

from .codegen import path_kernel
from .compile import CompiledPlastic, plastic_kernel
from .items import KEEP, PLASTIC
from .memory import Array, PlasticMemory, row_cuts

if TYPE_CHECKING:
    from neuromorph.engine.schedule import Call, Compiled, Tables


def join(
    tables: Sequence[Tables],
    compiled: Compiled,
    memories: Sequence[Memory],
    plastic: Sequence[PlasticMemory],
    heard: Sequence[Mapping[str, int]] | None = None,
) -> None:
    """What plastic projections do before and after the populations' step; see the package for the order.

    Parameters
    ----------
    heard : sequence of mappings of field to number, optional
        For each projection, where events are listed that reach its synapses, if not where the source population lists
        them, and the ``origin`` of its sources.
    """
    for number, (projection, memory) in enumerate(zip(compiled.plastic, plastic, strict=True)):
        cuts: dict[tuple[int, int], list[Array]] = {}
        events = heard[number] if heard is not None else {}
        for thread, table in enumerate(tables):
            _Thread(compiled, projection, memories, memory, table, thread, len(tables), cuts, events).join()


@dataclass(frozen=True)
class _Thread:
    """One thread's share of a plastic projection; ``cuts`` has the threads' parts of rows, by their addresses."""

    compiled: Compiled
    projection: CompiledPlastic
    memories: Sequence[Memory]
    memory: PlasticMemory
    table: Tables
    thread: int
    threads: int
    cuts: dict[tuple[int, int], list[Array]]
    heard: Mapping[str, int]

    def join(self) -> None:
        """Add the work to the thread's tables; that of late synapses comes when all threads have made the step."""
        lowered, table = self.projection.lowered, self.table
        late = lowered.program.late
        before = table.deliveries[lowered.post] if late else table.arrivals
        lag = 0 if late else lowered.min_delay
        rows = [(0, self._all(each)) for each in lowered.rows]
        self._add(before, "advance", rows, lag)
        self._add(before, "neurons", rows[:1], lag)
        self._add(table.arrivals, "every", rows, lowered.min_delay)
        for number, (path, groups) in enumerate(zip(lowered.program.paths, lowered.routes, strict=True)):
            shares = [(g.lag, self._share(number, k, g)) for k, g in enumerate(groups)]
            self._add(before if late or path.end == "pre" else table.after, path_kernel(path), shares, lag)
        self._keep()

    def _add(self, calls: list[Call], name: str, shares: Sequence[tuple[int, Mapping[str, int]]], lag: int) -> None:
        """Call a kernel, if there is one of this name, for each of some groups of synapses."""
        kernel = self.projection.kernels.get(name)
        for sent, fields in shares if kernel is not None else ():
            assert kernel is not None
            calls.append((kernel.address, self._item(lag, sent, fields)))

    def _all(self, rows: Rows) -> dict[str, int]:
        """This thread's part of the rows of one delay."""
        if rows.index is None:
            return self._rows(rows.row_ptr)
        index = rows.index.astype(self.projection.kind.column)
        self.table.keep.append(index)
        return self._rows(rows.row_ptr, rows.index) | {"index": address(index)}

    def _rows(self, row_ptr: Array, index: Array | None = None) -> dict[str, int]:
        """This thread's part of rows of synapses, or of numbers of synapses in ``index``."""
        lowered, key = self.projection.lowered, (address(row_ptr), address(index))
        if key not in self.cuts:
            targets = lowered.targets if index is None else lowered.targets[index]
            self.cuts[key] = row_cuts(row_ptr, targets, self.memories[lowered.post].bounds(self.threads))
        cuts = self.cuts[key]
        self.table.keep.append(cuts)
        return {"begin": address(cuts[self.thread]), "end": address(cuts[self.thread + 1])}

    def _share(self, number: int, k: int, group: Group) -> dict[str, int]:
        """Where the synapses of a group are listed."""
        lowered, memory = self.projection.lowered, self.memory
        sender = lowered.senders[number]
        if lowered.program.paths[number].end == "pre":
            assert group.ptr is not None
            listed = {} if group.index is None else {"index": address(memory.listed[number, k][0])}
            events = self._events(sender) if sender in lowered.further else {}
            return self._rows(group.ptr, group.index) | listed | events
        if group.ptr is None:
            found = memory.columns, memory.column, memory.column_source
        else:
            found = np.ascontiguousarray(group.ptr), *memory.listed[number, k]
            self.table.keep.append(found)
        fields = dict(zip(("columns", "column", "column_source"), map(address, found), strict=True))
        return fields | (self._events(sender) if lowered.program.late else {})

    def _events(self, population: int) -> dict[str, int]:
        """Where the events of a population are listed, by all threads."""
        memory = self.memories[population]
        return {
            "fired": address(memory.fired),
            "values": address(memory.values),
            "counts": address(memory.counts),
            "starts": address(memory.bounds(self.threads)),
            "segments": self.threads,
            "stride": memory.stride,
            "event_mask": memory.event_mask,
        }

    def _keep(self) -> None:
        """Keep what views with a lag see."""
        compiled, table = self.compiled, self.table
        for view, rows in zip(self.projection.lowered.views, self.memory.seen, strict=True):
            if rows is not None:
                source = self.memories[view.population]
                lo, hi = source.bounds(self.threads)[self.thread : self.thread + 2]
                item = make_item(
                    KEEP,
                    source=_place(compiled, source, view),
                    ring=address(rows),
                    row=rows.shape[1],
                    mask=len(rows) - 1,
                    lo=int(lo),
                    hi=int(hi),
                    wide=compiled.wide,
                )
                table.after.append((plastic_kernel("keep").address, item))
        table.keep.append(self.memory)

    def _item(self, lag: int, sent: int, fields: Mapping[str, int]) -> Array:
        """Item of some synapses on which events act that were sent so many steps ago; views look ``lag`` steps back."""
        lowered, memory, threads = self.projection.lowered, self.memory, self.threads
        post = self.memories[lowered.post]
        layout = self.compiled.layouts[lowered.post]
        assert layout is not None  # a source of events has no ports
        bounds = post.bounds(threads)
        own = [address(memory.state(k, self.thread)) for k in range(len(lowered.program.states))]
        states = np.array(own, np.int64)
        views = _views(self.compiled, self.projection, self.memories, memory)
        targets = np.ascontiguousarray(lowered.targets)
        offsets = np.array([layout.float_ports.index(port) * post.stride for port in lowered.ports], np.int64)
        self.table.keep += [states, views, targets, offsets]
        nowhere = dict.fromkeys(("begin", "end", "index", "origin", "columns", "column", "column_source"), 0)
        return make_item(
            PLASTIC,
            states=address(states),
            floats=address(memory.floats),
            ints=address(memory.ints),
            views=address(views),
            lag=lag,
            n_pre=lowered.n_pre,
            lo=int(bounds[self.thread]),
            hi=int(bounds[self.thread + 1]),
            sent=sent,
            targets=address(targets),
            ring=address(post.float_ring),
            ring_mask=post.slots - 1,
            row=len(layout.float_ports) * post.stride,
            port=layout.float_ports.index(lowered.port) * post.stride,
            offsets=address(offsets),
            scale=int(np.float64(lowered.scale).view(np.int64)),
            post_fired=address(post.fired) + post.fired.itemsize * int(bounds[self.thread]),
            post_counts=address(post.counts[self.thread]),
            post_stride=post.stride,
            post_mask=post.event_mask,
            seed=int(np.uint64(lowered.seed).view(np.int64)),
            **(nowhere | self._events(lowered.pre) | dict(self.heard) | dict(fields)),
        )


def _views(compiled: Compiled, projection: CompiledPlastic, memories: Sequence[Memory], memory: PlasticMemory) -> Array:
    """Address, row and mask of what each view sees; a target is seen where it keeps its values."""
    found = np.zeros((len(memory.seen), 3), np.int64)
    for k, (view, rows) in enumerate(zip(projection.lowered.views, memory.seen, strict=True)):
        if rows is not None:
            found[k] = address(rows), rows.shape[1], len(rows) - 1
        else:
            found[k, 0] = _place(compiled, memories[view.population], view)
    return found


def _place(compiled: Compiled, memory: Memory, view: View) -> int:
    """Address of the values that a view sees."""
    layout = compiled.layouts[view.population]
    assert layout is not None  # a source of events has nothing to look at
    return address(memory.floats) + memory.floats.itemsize * layout.place(view.variable).offset
