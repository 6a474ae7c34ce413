"""What the delivery kernels of all storage forms have in common: head of the item, opening lines, loops over events.

A contribution is ``weight * value``; where weights are quantised it is ``weight * (scale * value)``, with
``scale * value`` rounded once for each event. It is added when the event's window of steps is over, to the ring slot of
the step in which it arrives: step by step, projection by projection, source by source and along the row, which is the
order that the reference sums in. A thread delivers every event, but only to ranges of targets of its own, so the order
at each target is the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

HEAD = (
    "fired",  # uint32 (rows, stride): indices of the source population's events, row = step & event_mask
    "values",  # float (rows, stride): their values
    "counts",  # int64 (segments, rows)
    "starts",  # int64 (segments,): where each segment of fired begins
    "segments",
    "event_mask",  # rows of the event lists - 1
    "stride",  # of the source population
    "ring",  # (slots, ports, stride of the target population)
    "ring_mask",  # slots - 1
    "row",  # ports * stride: elements of a slot
    "port",  # offset of the port in a slot
)
"""Fields that every delivery item begins with; those of its storage form follow."""

VECTOR = 64
"""Bytes of a vector."""

RING = f"item[{HEAD.index('ring')}]"
"""The ring's address, in a kernel."""


@dataclass(frozen=True)
class Traffic:
    """What passes through a projection.

    Attributes
    ----------
    value : str
        Type of the events' values, or ``""`` if they are spikes.
    sums : str
        Type of the port's sums: the program's float, or int64.
    """

    value: str
    sums: str

    def __str__(self) -> str:
        return f"{'graded events' if self.value else 'spikes'}, sums in {self.sums}"


def kernel_text(
    title: str, fields: Sequence[str], traffic: Traffic, arrays: Mapping[str, str], body: Sequence[str]
) -> str:
    """The generated module of a kernel: ``kernel(step, offset, item)``.

    Parameters
    ----------
    fields : sequence of str
        Of the item after :data:`HEAD`; those that are no arrays become int64 variables of their names.
    arrays : mapping of field to type
        Fields that hold addresses of arrays.
    body : sequence of str
        Lines that find their arrays and numbers open, and ``place`` and ``rows`` of the event lists.
    """
    names = (*HEAD, *fields)
    views = {"fired": "uint32", "counts": "int64", "starts": "int64", "ring": traffic.sums, **arrays}
    if traffic.value:
        views["values"] = traffic.value
    lines = [
        f'"""Delivery: {title}; {traffic}."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import bits_float, pointer, prefetch",
        "from neuromorph.native.arrays import carray",
        "from neuromorph.engine.vectors import add_rows, add_where",
        "",
        "Z, ONE = np.uint64(0), np.uint64(1)",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(names)}, np.int64)",
    ]
    for k, name in enumerate(names):
        if name in views:
            lines.append(f"    {name} = carray(pointer(item[{k}]), MANY, np.{views[name]})")
        elif name == "scale":
            lines.append(f"    scale = np.{traffic.sums}(bits_float(item[{k}]))")
        elif name != "values":
            lines.append(f"    {name} = item[{k}]")
    lines.append("    place, rows = step & event_mask, event_mask + 1")
    return "\n".join([*lines, *("    " + line for line in body)]) + "\n"


def lanes_of(sums: str) -> int:
    """Sums in a vector of :mod:`neuromorph.engine.vectors`."""
    return VECTOR // np.dtype(sums).itemsize


def scale_bits(scale: float | None) -> int:
    """What the item's field ``scale`` holds: the bits of a float64."""
    return int(np.float64(1.0 if scale is None else scale).view(np.int64))


def factor(traffic: Traffic, scaled: bool, event: str) -> str:
    """What the weights of an event are multiplied by, as an expression; ``""`` for nothing."""
    value = f"np.{traffic.sums}(values[{event}])"
    if scaled:
        return f"scale * {value}" if traffic.value else "scale"
    return value if traffic.value else ""


def amount(weight: str, traffic: Traffic, scaled: bool, event: str) -> str:
    """The contribution of a weight that is a number of the sums' type."""
    times = factor(traffic, scaled, event)
    return f"{weight} * ({times})" if times else weight


def each_event(lines: Sequence[str]) -> list[str]:
    """A loop over the events of the step, one by one: ``events[j]`` lie at ``first + j`` of the lists."""
    return [
        *_segments(),
        "    for j in range(events):",
        *("        " + line for line in lines),
    ]


def event_groups(lines: Callable[[int], Sequence[str]]) -> list[str]:
    """A loop over the events of the step in groups of 8, and the rest of a segment in groups of 4, 2 and 1."""
    text = [*_segments(), "    j = Z"]
    for size in (8, 4, 2, 1):
        begin = "while" if size == 8 else "if"
        text += [
            f"    {begin} j + np.uint64({size}) <= events:",
            *("        " + line for line in lines(size)),
            f"        j += np.uint64({size})",
        ]
    return text


def _segments() -> list[str]:
    return [
        "for segment in range(segments):",
        "    first = np.uint64(place * stride + starts[segment])",
        "    events = np.uint64(counts[segment * rows + place])",
    ]
