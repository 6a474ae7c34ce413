"""Adds the work of plastic projections to the tables of each thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Memory, address
from neuromorph.lowering.plastic import View

from .compile import CompiledPlastic, plastic_kernel
from .items import KEEP, PLASTIC
from .memory import Array, PlasticMemory, row_cuts

if TYPE_CHECKING:
    from neuromorph.engine.schedule import Compiled, Tables


def join(
    tables: Sequence[Tables], compiled: Compiled, memories: Sequence[Memory], plastic: Sequence[PlasticMemory]
) -> None:
    """What plastic projections do before and after the populations' step; see the package for the order."""
    threads = len(tables)
    for projection, memory in zip(compiled.plastic, plastic, strict=True):
        lowered, kernels = projection.lowered, projection.kernels
        cuts = row_cuts(lowered, memories[lowered.post].bounds(threads))
        for thread, table in enumerate(tables):
            items = [
                _item(compiled, projection, memories, memory, table, (thread, threads), number, cut)
                for number, cut in enumerate(cuts)
            ]
            for name in ("advance", "neurons", "arrive"):
                if name in kernels:
                    each = items[:1] if name == "neurons" else items
                    table.arrivals += [(kernels[name].address, item) for item in each]
            if "after" in kernels:
                table.after.append((kernels["after"].address, items[0]))
            for view, rows in zip(lowered.views, memory.seen, strict=True):
                if rows is not None:
                    source = memories[view.population]
                    lo, hi = source.bounds(threads)[thread : thread + 2]
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
            table.keep += [memory, cuts]


def _item(
    compiled: Compiled,
    projection: CompiledPlastic,
    memories: Sequence[Memory],
    memory: PlasticMemory,
    table: Tables,
    share: tuple[int, int],
    number: int,
    cut: Sequence[Array],
) -> Array:
    """Item of the rows of one delay, for one of so many threads."""
    lowered, (thread, threads) = projection.lowered, share
    pre, post = memories[lowered.pre], memories[lowered.post]
    layout = compiled.layouts[lowered.post]
    assert layout is not None  # a source of events has no ports
    bounds = post.bounds(threads)
    own = [address(memory.state(k, thread)) for k in range(len(lowered.program.states))]
    states, views = np.array(own, np.int64), _views(compiled, projection, memories, memory)
    targets = np.ascontiguousarray(lowered.targets)
    table.keep += [states, views, targets]
    return make_item(
        PLASTIC,
        states=address(states),
        floats=address(memory.floats),
        ints=address(memory.ints),
        views=address(views),
        lag=lowered.min_delay,
        n_pre=lowered.n_pre,
        lo=int(bounds[thread]),
        hi=int(bounds[thread + 1]),
        delay=lowered.rows[number].delay,
        begin=address(cut[thread]),
        end=address(cut[thread + 1]),
        targets=address(targets),
        fired=address(pre.fired),
        values=address(pre.values),
        counts=address(pre.counts),
        starts=address(pre.bounds(threads)),
        segments=threads,
        stride=pre.stride,
        event_mask=pre.event_mask,
        ring=address(post.float_ring),
        ring_mask=post.slots - 1,
        row=len(layout.float_ports) * post.stride,
        port=layout.float_ports.index(lowered.port) * post.stride,
        scale=int(np.float64(lowered.scale).view(np.int64)),
        columns=address(memory.columns),
        column=address(memory.column),
        column_source=address(memory.column_source),
        post_fired=address(post.fired) + post.fired.itemsize * int(bounds[thread]),
        post_counts=address(post.counts[thread]),
        post_stride=post.stride,
        post_mask=post.event_mask,
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
