"""Prints delivery kernels: events of one population, through one projection, into the rings of another.

A contribution is added the moment its event is sent, to the ring slot of the step in which it arrives: step by step,
projection by projection, source by source and along the row, which is the order that the reference sums in. A thread
delivers every event, but only to its own range of targets, so the order at each target is the same for any number of
threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.network.synapses import Synapses

from .items import DELIVERY

AHEAD = 4096
"""Bytes of a row that are asked for ahead; the processor's own prefetching follows from there."""

FIELD = {name: k for k, name in enumerate(DELIVERY)}


@dataclass(frozen=True)
class DeliveryKind:
    """What decides the code of a delivery kernel; projections of one kind share it.

    Attributes
    ----------
    targets, weights, delays : str
        Types of the arrays; ``targets == ""`` is dense.
    index : str
        Type of ``weight_index``, or ``""``.
    shared_weight, shared_delay : bool
        One for the whole projection.
    scaled : bool
        Weights are quantised: each is multiplied by the projection's scale.
    value : str
        Type of the events' values, or ``""`` if they are spikes.
    sum : str
        Type of the port's sums: the program's float, or int64.
    """

    targets: str
    weights: str
    index: str
    delays: str
    shared_weight: bool
    shared_delay: bool
    scaled: bool
    value: str
    sum: str

    def __str__(self) -> str:
        storage = f"sparse {self.targets} targets" if self.targets else "dense"
        weights = "one" if self.shared_weight else f"kernel of ({self.index})" if self.index else "own"
        delays = "one delay" if self.shared_delay else f"own {self.delays} delays"
        scale = ", scaled" if self.scaled else ""
        return f"{storage}, {weights} {self.weights} weights{scale}, {delays}, {'graded' if self.value else 'spikes'}"


def kind_of(synapses: Synapses, value: str, sums: str) -> DeliveryKind:
    """The kind of a built projection whose source emits values of type ``value``, into a port that adds ``sums``."""
    return DeliveryKind(
        targets=str(synapses.targets.dtype) if synapses.targets is not None else "",
        weights=str(synapses.weights.dtype),
        index=str(synapses.weight_index.dtype) if synapses.weight_index is not None else "",
        delays=str(synapses.delays.dtype),
        shared_weight=synapses.weights.ndim == 0,
        shared_delay=synapses.delays.ndim == 0,
        scaled=synapses.weight_scale is not None,
        value=value,
        sum=sums,
    )


def print_delivery(kind: DeliveryKind) -> str:
    """The generated module of a delivery kernel: ``kernel(step, offset, item)`` with fields ``items.DELIVERY``."""
    weight = _weight(kind)
    before_rows: list[str] = []
    in_row: list[str] = []
    (before_rows if kind.shared_weight else in_row).append(f"w = {weight}")
    graded = [f"w = w * np.{kind.sum}(value)"] if kind.value and not kind.shared_weight else []
    slot = "np.uint64((step + np.int64(delays[{k}])) & ring_mask) * row + port"
    if kind.shared_delay:
        before_rows.append("base = " + slot.format(k="Z"))
    else:
        in_row.append("base = " + slot.format(k="k"))
    in_row += graded
    target = "np.uint64(targets[k])" if kind.targets else "i"
    added = "contribution" if kind.shared_weight else "w"
    in_row.append(f"ring[base + {target}] += {added}")
    per_event = ["s = np.uint64(fired[first + j])"]
    if kind.value:
        per_event.append("value = values[first + j]")
    if kind.shared_weight:
        per_event.append(f"contribution = w * np.{kind.sum}(value)" if kind.value else "contribution = w")
    loop = (
        ["for k in range(np.uint64(begin[s]), np.uint64(end[s])):"]
        if kind.targets
        else ["for i in range(lo, hi):", "    k = s * n_post + i"]
    )
    if kind.targets:
        per_event += _look_ahead(kind)
    lines = [
        f'"""Delivery: {kind}; sums in {kind.sum}."""',
        "",
        "import numpy as np",
        "from numba import carray",
        "",
        "from neuromorph.engine.lowlevel import bits_float, pointer, prefetch",
        "",
        "Z, ONE = np.uint64(0), np.uint64(1)",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(DELIVERY)}, np.int64)",
        *("    " + line for line in _views(kind)),
        *("    " + line for line in before_rows),
        f"    for segment in range(item[{FIELD['segments']}]):",
        "        first = np.uint64(place * stride + starts[segment])",
        "        events = np.uint64(counts[segment * rows + place])",
        "        for j in range(events):",
        *("            " + line for line in per_event),
        *("            " + line for line in loop),
        *("                " + line for line in in_row),
    ]
    return "\n".join(lines) + "\n"


def _look_ahead(kind: DeliveryKind) -> list[str]:
    """Lines that ask for the row of the event after this one, so that it is in the cache when its turn comes."""
    lines = ["if j + ONE < events:", "    after = np.uint64(fired[first + j + ONE])"]
    arrays = ["targets"] if kind.shared_weight or kind.index else ["targets", "weights"]
    for name in arrays:
        width = np.dtype(getattr(kind, name)).itemsize
        lines += [
            f"    line = item[{FIELD[name]}] + np.int64(begin[after]) * {width}",
            f"    last = min(line + {AHEAD}, item[{FIELD[name]}] + np.int64(end[after]) * {width})",
            "    while line < last:",
            "        prefetch(line)",
            "        line += 64",
        ]
    return lines


def _weight(kind: DeliveryKind) -> str:
    """The weight as the port's type: quantised ones are multiplied by their scale in that type."""
    where = "Z" if kind.shared_weight else "np.uint64(weight_index[k])" if kind.index else "k"
    load = f"np.{kind.sum}(weights[{where}])"
    return f"{load} * scale" if kind.scaled else load


def _views(kind: DeliveryKind) -> list[str]:
    """Lines that open the item's arrays; lengths are of no consequence without bounds checks."""

    def view(name: str, dtype: str) -> str:
        return f"{name} = carray(pointer(item[{FIELD[name]}]), MANY, np.{dtype})"

    lines = [
        view("fired", "uint32"),
        view("counts", "int64"),
        view("starts", "int64"),
        view("weights", kind.weights),
        view("delays", kind.delays),
        view("ring", kind.sum),
        f"ring_mask = item[{FIELD['ring_mask']}]",
        f"segments, stride = item[{FIELD['segments']}], item[{FIELD['stride']}]",
        f"row, port = np.uint64(item[{FIELD['row']}]), np.uint64(item[{FIELD['port']}])",
        f"place, rows = step & item[{FIELD['event_mask']}], item[{FIELD['event_mask']}] + 1",
    ]
    if kind.scaled:
        lines.append(f"scale = np.{kind.sum}(bits_float(item[{FIELD['scale']}]))")
    if kind.value:
        lines.append(view("values", kind.value))
    if kind.targets:
        lines += [view("begin", "int64"), view("end", "int64"), view("targets", kind.targets)]
    else:
        lines.append(f"lo, hi = np.uint64(item[{FIELD['begin']}]), np.uint64(item[{FIELD['end']}])")
        lines.append(f"n_post = np.uint64(item[{FIELD['n_post']}])")
    if kind.index:
        lines.append(view("weight_index", kind.index))
    return lines
