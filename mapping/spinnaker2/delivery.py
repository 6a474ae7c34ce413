"""Prints the kernels that apply packets on the PEs: look up the row, add its synapses to the delay rings.

For each event of the source population, in ascending order, every PE that received its packet adds its own sub-row. A
target's contributions come in the same order for every partition, since each target's synapses stay in row order and
each event's sub-rows touch different targets; so the sums are those of the CPU engine to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.network.synapses import Synapses

from .image import Rows

ITEM = (
    "fired",  # uint32 (rows, stride) of the source population
    "values",
    "counts",  # int64 (rows,)
    "stride",
    "event_mask",
    "sub_ptr",
    "sub_part",
    "sub_start",
    "sub_count",
    "local",
    "begin",  # int64 (parts + 1,) of the target population's slices
    "order",
    "parts",
    "weights",
    "index",
    "delays",
    "ring",
    "ring_mask",
    "row",
    "port",
    "n_post",
    "source_part",  # int32 (n_pre,): part of each source
    "first",  # vertex of source 0
    "synapses",  # int64 (parts,): synaptic events of this step by part, added to
    "lag",  # int64 (parts,): whole steps by which each part is late
    "drops",  # int64: packets dropped in this step, (source vertex * parts + part), ascending
    "special",  # int64 (2,): number of drops, 1 if any part is late
    "max_shift",
)
"""Fields of a delivery item, all int64: numbers, or addresses of arrays."""

FIELD = {name: k for k, name in enumerate(ITEM)}


@dataclass(frozen=True)
class Kind:
    """What decides the code; projections of one kind share a kernel. ``local == ""`` is dense."""

    local: str
    weights: str
    shared_weight: bool
    index: str
    delays: str
    shared_delay: bool
    scale: float | None
    value: str
    sum: str

    def __str__(self) -> str:
        storage = "sparse" if self.local else "dense"
        weight = "one weight" if self.shared_weight else f"{self.weights} weights"
        return f"{storage} rows, {weight}, {'graded' if self.value else 'spikes'}"


def kind_of(synapses: Synapses, rows: Rows, value: str, sums: str) -> Kind:
    """The kind of a projection whose source emits values of type ``value`` into a port that adds ``sums``."""
    return Kind(
        local="" if rows.dense else str(rows.local.dtype),
        weights=str(rows.weights.dtype),
        shared_weight=rows.weights.ndim == 0,
        index="" if rows.index is None else str(rows.index.dtype),
        delays=str(rows.delays.dtype),
        shared_delay=rows.delays.ndim == 0,
        scale=synapses.weight_scale,
        value=value,
        sum=sums,
    )


def print_rows(kind: Kind) -> str:
    """The generated module of one kind of rows: ``kernel(step, offset, item)`` with the fields of :data:`ITEM`."""
    outside, per_event, slot, inside = _contribution(kind)
    each, once = ([], slot) if kind.shared_delay else (slot, [])  # a slot for each synapse, or for all of a row
    inside = each + inside
    apply = ["for w in range(np.uint64(sub_start[k]), np.uint64(sub_start[k] + count)):"]
    apply += ["    t = np.uint64(order[np.uint64(slice_begin) + np.uint64(local[w])])"]
    apply += ["    " + line for line in inside]
    per_part = [
        "if special:",
        "    if drop_count and is_dropped(drops, drop_count, (first + np.int64(s)) * parts + p):",
        "        continue",
        "    shift = min(max(np.int64(0), lag[source_part[s]] - lag[p]), max_shift)",
        *("    " + line for line in once),
    ]
    if kind.local:
        body = [
            "for k in range(sub_ptr[s], sub_ptr[s + U1]):",
            "    p = np.int64(sub_part[k])",
            *("    " + line for line in per_part),
            "    count = np.int64(sub_count[k])",
            "    synapses[p] += count",
            "    slice_begin = begin[p]",
            *("    " + line for line in apply),
        ]
    else:
        row = ["w = s * n_post + t", *inside]
        body = [
            "if special:",
            "    for p in range(parts):",
            "        if begin[p] == begin[p + 1]:",
            "            continue",
            *("    " + line for line in per_part[1:]),
            "        synapses[p] += begin[p + 1] - begin[p]",
            "        for q in range(np.uint64(begin[p]), np.uint64(begin[p + 1])):",
            "            t = np.uint64(order[q])",
            *("            " + line for line in row),
            "else:",
            "    for t in range(n_post):",
            *("        " + line for line in row),
        ]
    after = []
    if not kind.local:
        after = [
            "if not special and n > 0:",
            "    for p in range(parts):",
            "        synapses[p] += np.int64(n) * (begin[p + 1] - begin[p])",
        ]
    lines = [
        f'"""Rows on PEs: {kind}; sums in {kind.sum}."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import pointer",
        "from neuromorph.native.arrays import carray",
        "from neuromorph.mapping.spinnaker2.kernels import is_dropped",
        "",
        "Z = np.uint64(0)",
        "U1 = np.uint64(1)",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(ITEM)}, np.int64)",
        *("    " + line for line in _views(kind)),
        *("    " + line for line in outside),
        "    n = np.uint64(counts[place])",
        *("    " + line for line in once),
        "    for j in range(n):",
        "        s = np.uint64(fired[np.uint64(place * stride) + j])",
        *("        " + line for line in per_event),
        *("        " + line for line in body),
        *("    " + line for line in after),
    ]
    return "\n".join(lines) + "\n"


def _contribution(kind: Kind) -> tuple[list[str], list[str], list[str], list[str]]:
    """Lines before the events, for each event, for the ring slot, and for each synapse ``w`` at neuron ``t``.

    They round as on the CPU.
    """
    where = "Z" if kind.shared_weight else "np.uint64(index[w])" if kind.index else "w"
    weight = f"np.{kind.sum}(weights[{where}])"
    factor = "" if kind.scale is None else f"np.{kind.sum}({float(np.dtype(kind.sum).type(kind.scale))!r})"
    if kind.value:
        value = f"np.{kind.sum}(values[np.uint64(place * stride) + j])"
        factor = f"{factor} * {value}" if factor else value
    outside, per_event = ["shift = np.int64(0)"], [f"factor = {factor}"] if factor else []
    amount = "weight" if kind.shared_weight else weight
    if kind.shared_weight:
        outside.append(f"weight = {weight}")
    if factor and kind.shared_weight:
        per_event.append("amount = weight * factor")
        amount = "amount"
    elif factor:
        amount = f"{weight} * factor"
    delay = f"np.int64(delays[{'Z' if kind.shared_delay else 'w'}])"
    slot = [f"slot = np.uint64((step + {delay} + shift) & ring_mask) * row + port"]
    return outside, per_event, slot, [f"ring[slot + t] += {amount}"]


def _views(kind: Kind) -> list[str]:
    def view(name: str, dtype: str) -> str:
        return f"{name} = carray(pointer(item[{FIELD[name]}]), MANY, np.{dtype})"

    arrays = {
        "fired": "uint32",
        "counts": "int64",
        "begin": "int64",
        "order": "int32",
        "weights": kind.weights,
        "delays": kind.delays,
        "ring": kind.sum,
        "source_part": "int32",
        "synapses": "int64",
        "lag": "int64",
        "drops": "int64",
    }
    if kind.value:
        arrays["values"] = kind.value
    if kind.local:
        arrays |= {
            "sub_ptr": "int64",
            "sub_part": "int32",
            "sub_start": "int64",
            "sub_count": "int32",
            "local": kind.local,
        }
    if kind.index:
        arrays["index"] = kind.index
    unsigned = ("row", "port", "n_post")
    signed = ("stride", "ring_mask", "parts", "first", "max_shift")
    return [
        *(view(name, dtype) for name, dtype in arrays.items()),
        *(f"{name} = np.uint64(item[{FIELD[name]}])" for name in unsigned),
        *(f"{name} = item[{FIELD[name]}]" for name in signed),
        f"flags = carray(pointer(item[{FIELD['special']}]), 2, np.int64)",
        "drop_count = flags[0]",
        "special = drop_count > 0 or flags[1] > 0",
        f"place = step & item[{FIELD['event_mask']}]",
    ]
