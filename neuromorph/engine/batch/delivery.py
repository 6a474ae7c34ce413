"""Prints delivery kernels for lanes: the events of a group of samples through one projection, weights read once.

The elements of a widened population are ordered neuron by neuron, the lanes of a neuron one after another, and so are
its events. So the events of one source neuron in all lanes follow one another, and its row is read once for all of
them. Sums are kept in one of two orders:

- *woven*, element = target * lanes + lane, as the population has them. A synapse adds to the lanes of its target as to
  one vector, with a mask of those whose source fired: the others keep the bits that they have. If few fired, they are
  served lane by lane while the row is in the cache.
- *apart*, element = lane * stride + target, for ports with a dense projection: vectors of targets, so that the work
  grows with the events, not with the lanes (:mod:`.matrix`). Before a population is updated, the sums of the step are
  woven (:func:`print_weave`).

Either way the sum at each target is taken as in a run of one sample: by step of sending, projection, source, place in
the row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.network.synapses import Synapses

LANE_DELIVERY = (
    "fired",  # uint32 (rows, stride): elements that fired, row = step & event_mask
    "values",  # float (rows, stride)
    "counts",  # int64 (rows,)
    "event_mask",
    "stride",  # of the source population, in elements
    "row_ptr",  # int64 (n_pre + 1,), or 0
    "targets",
    "weights",
    "weight_index",
    "delays",
    "scale",  # bits of a float64
    "n_post",
    "sums",  # woven: (slots, ports, stride of the target population); apart: (slots, ports, lanes, apart stride)
    "ring_mask",
    "row",  # elements of a slot
    "port",  # offset of the port in a slot
    "apart",  # elements from lane to lane of sums that are apart
    "lane_values",  # float (lanes,): scratch, values of one source's events by lane
    "n_pre",
)
"""Carry the events of all lanes of a population through a projection."""

WEAVE = ("apart_sums", "ring", "ring_mask", "apart_row", "apart_port", "apart", "row", "port", "size")
"""Move sums that are apart to where their population reads them, and clear them."""

FIELD = {name: k for k, name in enumerate(LANE_DELIVERY)}


@dataclass(frozen=True)
class LaneKind:
    """What decides the code of a delivery kernel.

    Attributes
    ----------
    lanes : int
        Samples side by side, a power of two.
    targets : str
        Type of the targets; ``""`` is dense.
    columns : int
        Targets, for a matrix; else 0.
    weights, index, delays : str
        Types of the arrays; no ``index`` is ``""``.
    shared_weight, shared_delay, scaled : bool
        One for the whole projection; weights are quantised.
    value : str
        Type of the events' values, or ``""`` for spikes.
    sum : str
        Type of the sums.
    apart : bool
        Order of the sums.
    """

    lanes: int
    targets: str
    weights: str
    index: str
    delays: str
    shared_weight: bool
    shared_delay: bool
    scaled: bool
    value: str
    sum: str
    apart: bool
    columns: int

    @property
    def matrix(self) -> bool:
        """Whether :mod:`.matrix` delivers it."""
        return self.columns > 0

    @property
    def few(self) -> int:
        """So many lanes and fewer are served one by one: about as many as the vectors that all lanes need."""
        return max(1, self.lanes * np.dtype(self.sum).itemsize // 64)

    def __str__(self) -> str:
        how = f"matrix of {self.columns} columns" if self.matrix else "rows" if self.targets else "dense rows"
        order = "apart" if self.apart else "woven"
        return f"{how} of {self.weights} into {self.lanes} lanes of {self.sum}, {order}"


def lane_kind(synapses: Synapses, lanes: int, value: str, sums: str, apart: bool) -> LaneKind:
    """The kind of a built projection, as :func:`neuromorph.engine.kernels.kind_of`."""
    return LaneKind(
        lanes=lanes,
        targets=str(synapses.targets.dtype) if synapses.targets is not None else "",
        weights=str(synapses.weights.dtype),
        index=str(synapses.weight_index.dtype) if synapses.weight_index is not None else "",
        delays=str(synapses.delays.dtype),
        shared_weight=synapses.weights.ndim == 0,
        shared_delay=synapses.delays.ndim == 0,
        scaled=synapses.weight_scale is not None,
        value=value,
        sum=sums,
        apart=apart,
        columns=synapses.n_post if is_matrix(synapses) else 0,
    )


def is_matrix(synapses: Synapses) -> bool:
    """Whether a projection has a weight for every pair, and one delay."""
    return synapses.targets is None and synapses.weights.ndim > 0 and synapses.delays.ndim == 0


def print_rows(kind: LaneKind) -> str:
    """The generated module of a delivery kernel, ``kernel(step, offset, item)`` with fields LANE_DELIVERY.

    Row by row: each synapse serves all lanes in which its source fired.
    """
    shift, size = (kind.lanes - 1).bit_length(), np.dtype(kind.sum).itemsize
    where = "Z" if kind.shared_weight else "np.uint64(weight_index[k])" if kind.index else "k"
    weight = f"np.{kind.sum}(weights[{where}])" + (" * scale" if kind.scaled and not kind.value else "")
    slot = f"np.uint64((step + np.int64(delays[{'Z' if kind.shared_delay else 'k'}])) & ring_mask) * row + port"
    target = "np.uint64(targets[k])" if kind.targets else "(k - begin)"
    synapse = [f"w = {weight}", f"base = {slot}"]
    one = f"base + lane * apart + {target}" if kind.apart else f"base + ({target} << SHIFT) + lane"
    loop = "for k in range(begin, end):"
    lines = [
        "events = counts[place]",
        "j = Z",
        "while j < np.uint64(events):",
        "    s = np.uint64(fired[first + j]) >> SHIFT",
        "    begin, end = " + ("np.uint64(row_ptr[s]), np.uint64(row_ptr[s + ONE])" if kind.targets else
                               "s * n_post, (s + ONE) * n_post"),
        "    bits, n = Z, j",
        "    while n < np.uint64(events) and np.uint64(fired[first + n]) >> SHIFT == s:",
        "        lane = np.uint64(fired[first + n]) & LAST",
        "        bits |= ONE << lane",
        *([f"        lane_values[lane] = {value_of(kind, 'first + n')}"] if kind.value else []),
        "        n += ONE",
    ]  # fmt: skip
    single = [
        "for m in range(j, n):",
        "    lane = np.uint64(fired[first + m]) & LAST",
        *([f"    value = {value_of(kind, 'first + m')}"] if kind.value else []),
        "    " + loop,
        *("        " + line for line in synapse),
        f"        sums[{one}] += w{' * value' if kind.value else ''}",
    ]
    if kind.apart:
        lines += ["    " + line for line in single]
    else:
        lines += [
            f"    if n - j <= np.uint64({kind.few}):",
            *("        " + line for line in single),
            "    else:",
            "        " + loop,
            *("            " + line for line in synapse),
            f"            at = sums_at + np.int64((base + ({target} << SHIFT)) * np.uint64({size}))",
            "            add(at, w, lane_values_at, bits)",
        ]
    lines.append("    j = n")
    imports = ["from neuromorph.engine.batch.vectors import add_lanes"]
    constants = [
        f"SHIFT, LAST = np.uint64({shift}), np.uint64({kind.lanes - 1})",
        f'add = add_lanes({kind.lanes}, "{kind.sum}", {bool(kind.value)})',
    ]
    return module(kind, imports, constants, lines)


def value_of(kind: LaneKind, event: str) -> str:
    """What an event's weights are multiplied by: its value, times the scale of quantised weights."""
    return f"{'scale * ' * kind.scaled}np.{kind.sum}(values[{event}])"


def print_weave(sums: str, ring: str, lanes: int) -> str:
    """The generated module of a kernel with fields WEAVE: sums of this step from apart to woven."""
    field = {name: k for k, name in enumerate(WEAVE)}
    return "\n".join([
        f'"""Weave {lanes} lanes of {sums} into {ring}."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import pointer",
        "from neuromorph.native.arrays import carray",
        "",
        "MANY = 1 << 62",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(WEAVE)}, np.int64)",
        f"    apart_sums = carray(pointer(item[{field['apart_sums']}]), MANY, np.{sums})",
        f"    ring = carray(pointer(item[{field['ring']}]), MANY, np.{ring})",
        f"    slot = np.uint64(step & item[{field['ring_mask']}])",
        f"    a = slot * np.uint64(item[{field['apart_row']}]) + np.uint64(item[{field['apart_port']}])",
        f"    b = slot * np.uint64(item[{field['row']}]) + np.uint64(item[{field['port']}])",
        f"    apart, size = np.uint64(item[{field['apart']}]), np.uint64(item[{field['size']}])",
        "    for i in range(size):",
        f"        for lane in range(np.uint64({lanes})):",
        f"            ring[b + i * np.uint64({lanes}) + lane] = apart_sums[a + lane * apart + i]",
        f"    for lane in range(np.uint64({lanes})):",
        "        for i in range(size):",
        f"            apart_sums[a + lane * apart + i] = np.{sums}(0)",
    ]) + "\n"  # fmt: skip


def module(kind: LaneKind, imports: list[str], constants: list[str], body: list[str]) -> str:
    """A kernel's source: its item's arrays, then ``body``."""

    def view(name: str, dtype: str) -> str:
        return f"{name} = carray(pointer(item[{FIELD[name]}]), MANY, np.{dtype})"

    views = [view("fired", "uint32"), view("counts", "int64"), view("delays", kind.delays)]
    views += [view("weights", kind.weights), view("sums", kind.sum)]
    views += [f"place, ring_mask = step & item[{FIELD['event_mask']}], item[{FIELD['ring_mask']}]"]
    views += [f"first = np.uint64(place * item[{FIELD['stride']}])"]
    views += [f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("row", "port", "n_post", "n_pre", "apart")]
    views += [f"{name}_at = item[{FIELD[name]}]" for name in ("sums", "weights", "lane_values")]
    if kind.scaled:
        views.append(f"scale = np.{kind.sum}(bits_float(item[{FIELD['scale']}]))")
    else:
        views.append(f"scale = np.{kind.sum}(1)")
    if kind.value:
        views += [view(name, kind.value) for name in ("values", "lane_values")]
    if kind.targets:
        views += [view("row_ptr", "int64"), view("targets", kind.targets)]
    if kind.index:
        views.append(view("weight_index", kind.index))
    lines = [
        f'"""Delivery to lanes: {kind}."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.native.arrays import carray",
        "",
        *imports,
        "from neuromorph.engine.lowlevel import bits_float, pointer",
        "",
        "Z, ONE = np.uint64(0), np.uint64(1)",
        "MANY = 1 << 62",
        *constants,
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {len(LANE_DELIVERY)}, np.int64)",
        *("    " + line for line in views),
        *("    " + line for line in body),
    ]
    return "\n".join(lines) + "\n"
