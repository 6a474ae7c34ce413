"""Populations that read states of others: what one thread does for them just before a population makes its step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from neuromorph.native import Kernel, compile_kernel

from .items import make_item
from .memory import Memory, address

if TYPE_CHECKING:
    from .schedule import Compiled, Tables

READ = (
    "source",  # the state of neuron 0
    "index",  # int64 (size,): neuron that each reads
    "size",
    "ring",  # (slots, row): sums that will arrive
    "ring_mask",  # slots - 1
    "row",  # elements of a slot
    "port",  # where the port begins in it
    "wide",  # 4-byte words of a float
)
"""Add a state of one population to the sums of another."""


@cache
def _kernel() -> Kernel:
    source = Path(__file__).with_name("reading_kernels.py").read_text()
    return compile_kernel(source, "engine kernel read", name="read")


def read_states(table: Tables, compiled: Compiled, memories: Sequence[Memory]) -> None:
    """Add the work of all readings to the table of the one thread that there is."""
    for reading in compiled.readings:
        pre, post = memories[reading.pre], memories[reading.post]
        source, target = compiled.layouts[reading.pre], compiled.layouts[reading.post]
        assert source is not None  # sources of events have no states
        assert target is not None
        state = source.states[reading.state]
        item = make_item(
            READ,
            source=address(pre.floats) + state.offset * pre.floats.itemsize,
            index=address(reading.index),
            size=post.size,
            ring=address(post.float_ring),
            ring_mask=post.slots - 1,
            row=len(target.float_ports) * post.stride,
            port=target.float_ports.index(reading.port) * post.stride,
            wide=compiled.wide,
        )
        calls = table.arrivals if reading.delay else table.reads.setdefault(reading.post, [])
        calls.append((_kernel().address, item))
        table.keep += [reading.index, item]
