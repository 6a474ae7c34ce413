"""Prints the kernels of a plastic projection: advance, arrive and after, each a few loops over synapses or neurons.

What is the same for a whole row (a source neuron and all its synapses) or column (a target and all its synapses) is
computed once for it, by the order in which the lines are printed. Each thread has a copy of the states of source
neurons, which all threads compute alike; everything else belongs to the thread that has the target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from neuromorph.errors import TargetError
from neuromorph.lowering.plastic import Path, SynapseProgram, Update

from .kernel import ELEMENT, FIELD, KERNEL, ROW, PlasticKernel, PlasticKind, indent, loads

ARRAYS = 32
"""Arrays that a kernel may tell apart, as in :mod:`neuromorph.engine.lowlevel`, which imports Numba."""
AHEAD = 4096
"""Bytes of the next row that are asked for ahead."""
EACH_EVENT = (
    f"sent = step - item[{FIELD['sent']}]",
    f"event_mask, stride = item[{FIELD['event_mask']}], item[{FIELD['stride']}]",
    "place = sent & event_mask",
    f"for segment in range(item[{FIELD['segments']}] if sent >= 0 else 0):",
    "    first = np.uint64(place * stride + starts[segment])",
    "    events = np.uint64(counts[segment * (event_mask + 1) + place])",
    "    for j in range(events):",
)
"""Loops over the events of an earlier step, whoever listed them: ``first + j`` is the place of each."""


def print_plastic(program: SynapseProgram, kind: PlasticKind) -> dict[str, str]:
    """The generated modules: ``advance`` of synapses, ``neurons`` (their advance), ``every``, and one for each path.

    Each has ``kernel(step, offset, item)`` with fields ``items.PLASTIC``. Those with nothing to do are left out.
    """
    printed: dict[str, str] = {}
    makers: list[tuple[str, Callable[[PlasticKernel], list[str]]]] = [
        ("advance", _advance),
        ("neurons", _neurons),
        ("every", _every),
    ]
    makers += [
        (path_kernel(path), partial(_arrive if path.end == "pre" else _after, number=number))
        for number, path in enumerate(program.paths)
        if path
    ]
    for name, make in makers:
        kernel = PlasticKernel(program, kind)
        body = make(kernel)
        if body:
            printed[name] = kernel.module(name, body)
    return printed


def path_kernel(path: Path) -> str:
    """What the kernel of a path is called."""
    return {"on_pre": "arrive", "on_post": "after"}.get(path.name, f"path {path.name}")


def _advance(kernel: PlasticKernel) -> list[str]:
    """Synapse by synapse along the rows; before the states of neurons move, whose old values they see."""
    update = kernel.program.advance.get("synapse")
    if update is None:
        return []
    index = {"pre": (ROW, "i"), "post": (ELEMENT, "t"), "synapse": (ELEMENT, "k")}
    states = len(kernel.program.states)
    if states + 2 > ARRAYS:
        raise TargetError(f"CPU: a synapse of {states} states; the most is {ARRAYS - 2}", states=states)
    lines = kernel.lines(update, "v", kernel.leaf(index, apart=True))
    element = [*lines.code[ELEMENT], *(f"store_apart(a{k}, k, {name}, {k})" for k, name in lines.new.items())]
    if any(" t," in line or "+ t," in line for line in element):
        element.insert(0, f"t = np.uint64(load_apart(row, k, np.{kernel.kind.targets}, {states + 1}))")
    walk, views = _walk(kernel)
    return [
        *(f"a{k} = states[{k}]" for k in range(states)),
        *(f"c{k} = views[{3 * k}]" for k in range(len(kernel.kind.ends))),
        f"row = item[{FIELD['targets']}]",
        *views,
        *lines.code[KERNEL],
        f"for i in range(np.uint64(item[{FIELD['n_pre']}])):",
        *indent(lines.code[ROW]),
        *indent(walk),
        *indent(indent(element)),
    ]


def _walk(kernel: PlasticKernel, listed: bool | None = None) -> tuple[list[str], list[str]]:
    """Lines that visit the synapses ``k`` of row ``i``, and those that open what they read."""
    views = [kernel.view("begin", "int64"), kernel.view("end", "int64")]
    if not (kernel.kind.apart if listed is None else listed):
        return ["for k in range(np.uint64(begin[i]), np.uint64(end[i])):"], views
    walk = ["for c in range(np.uint64(begin[i]), np.uint64(end[i])):", "    k = np.uint64(index[c])"]
    return walk, [*views, kernel.view("index", kernel.kind.column)]


def _neurons(kernel: PlasticKernel) -> list[str]:
    """The states of source neurons, of which each thread moves its own copy, and those of this thread's targets."""
    body: list[str] = []
    ranges = {"pre": ("Z", f"np.uint64(item[{FIELD['n_pre']}])"), "post": ("lo", "hi")}
    for place, (low, high) in ranges.items():
        update = kernel.program.advance.get(place)  # type: ignore[call-overload]
        if update is None:
            continue
        index = {place: (ELEMENT, "i")}
        lines = kernel.lines(update, place[:2], kernel.leaf(index))
        if place == "post":
            body += [f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("lo", "hi")]
        body += [*lines.code[KERNEL], f"for i in range({low}, {high}):"]
        body += indent([*lines.code[ELEMENT], *kernel.stores(lines, index)])
    return body


def _every(kernel: PlasticKernel) -> list[str]:
    """What each synapse adds in this step, row by row."""
    update = kernel.program.every
    if update is None:
        return []
    index = {"pre": (ROW, "i"), "post": (ELEMENT, "t"), "synapse": (ELEMENT, "k")}
    lines = kernel.lines(update, "v", kernel.leaf(index))
    walk, views = _walk(kernel)
    return [
        *views,
        kernel.view("targets", kernel.kind.targets),
        *kernel.ring(lines, ahead=False),
        *lines.code[KERNEL],
        f"for i in range(np.uint64(item[{FIELD['n_pre']}])):",
        *indent(lines.code[ROW]),
        *indent(walk),
        *indent(indent(["t = np.uint64(targets[k])", *lines.code[ELEMENT], *kernel.gives(lines)])),
    ]


def _arrive(kernel: PlasticKernel, number: int) -> list[str]:
    """Row by row of the source's events: what they deliver along the row, and what they change."""
    kind, path, weight = kernel.kind, kernel.program.paths[number], kernel.program.weight
    index = {"pre": (ROW, "i"), "post": (ELEMENT, "t"), "synapse": (ELEMENT, "k")}
    value = (ROW, "value") if kind.graded else (KERNEL, f"{kernel.float}(1)")
    synapse = kernel.lines(path.updates.get("synapse"), "a", kernel.leaf(index, value))
    neuron = kernel.lines(path.updates.get("pre"), "b", kernel.leaf(index, value))
    scaled = kind.scaled and path.delivers
    factor = "factor" if scaled else "value" if kind.graded else ""
    product = ["factor = scale * value" if kind.graded else "factor = scale"] if scaled else []
    element = ["t = np.uint64(targets[k])"]
    if path.delivers:
        element.append(f"ring[base + t] += s{weight}[k]" + (f" * {factor}" if factor else ""))
    element += [*synapse.code[ELEMENT], *kernel.gives(synapse), *kernel.stores(synapse, index)]
    views = [("fired", "uint32"), ("counts", "int64"), ("starts", "int64"), ("targets", kind.targets)]
    views += [("values", kind.dtype)] if kind.graded else []
    walk, opened = _walk(kernel, kind.listed[number])
    ahead = [] if kind.listed[number] else _look_ahead(kernel, path)
    return [
        *(kernel.view(*view) for view in views),
        *opened,
        *kernel.ring(synapse, kernel.program.late, path.delivers),
        *([f"scale = {kernel.float}(bits_float(item[{FIELD['scale']}]))"] if scaled else []),
        *synapse.code[KERNEL],
        *neuron.code[KERNEL],
        *EACH_EVENT,
        "        i = np.uint64(fired[first + j])",
        *(["        value = values[first + j]"] if kind.graded else []),
        *indent(indent(product)),
        *indent(indent(synapse.code[ROW])),
        *indent(indent([*ahead, *walk])),
        *indent(indent(indent(element))),
        *indent(indent([*neuron.code[ROW], *kernel.stores(neuron, index)])),
    ]


def _look_ahead(kernel: PlasticKernel, path: Path) -> list[str]:
    """Lines that ask for the row of the event after this one, so that it is in the cache when its turn comes."""
    kind, program = kernel.kind, kernel.program
    read = ({program.weight} if path.delivers else set()) | _states_read(path.updates.get("synapse"))
    widths = {f"item[{FIELD['targets']}]": int(kind.targets.removeprefix("uint")) // 8}
    widths |= {
        f"states[{k}]": int(kind.dtype.removeprefix("float")) // 8 for k in program.of_place("synapse") if k in read
    }
    lines = ["if j + ONE < events:", "    following = np.uint64(fired[first + j + ONE])"]
    for array, width in widths.items():
        lines += [
            f"    line = {array} + begin[following] * {width}",
            f"    last = min(line + {AHEAD}, {array} + end[following] * {width})",
            "    while line < last:",
            "        prefetch(line)",
            "        line += 64",
        ]
    return lines


def _look_ahead_column(kernel: PlasticKernel, update: Update, fired: str) -> list[str]:
    """Lines that ask for what the next target's synapses keep, which lies all over memory."""
    width = int(kernel.kind.dtype.removeprefix("float")) // 8
    places = kernel.program.of_place("synapse")
    touched = [k for k in places if k in _states_read(update) or k in update.changed]
    return [
        "if j + ONE < events:",
        f"    following = np.uint64({fired}[first + j + ONE])",
        "    for c in range(np.uint64(columns[following]), np.uint64(columns[following + ONE])):",
        *(f"        prefetch(states[{k}] + np.int64(column[c]) * {width})" for k in touched),
    ]


def _states_read(update: Update | None) -> set[int]:
    if update is None:
        return set()
    return loads(update, "state")


def reads_sources(program: SynapseProgram) -> bool:
    """Whether what happens at an event of a target depends on the source of each synapse."""
    names = [slot.name for slot in program.views]
    return any(
        any(program.places[k] == "pre" for k in _states_read(update))
        or any(names[k].startswith("pre.") for k in loads(update, "port"))
        for path in program.paths
        if path.end == "post" and (update := path.updates.get("synapse")) is not None
    )


def _after(kernel: PlasticKernel, number: int) -> list[str]:
    """Column by column of the targets that had events."""
    kind, path = kernel.kind, kernel.program.paths[number]
    index = {"pre": (ELEMENT, "i"), "post": (ROW, "t"), "synapse": (ELEMENT, "k")}
    update = path.updates.get("synapse")
    synapse = kernel.lines(update, "a", kernel.leaf(index))
    neuron = kernel.lines(path.updates.get("post"), "b", kernel.leaf(index))
    element = ["k = np.uint64(column[c])"]
    if kind.source:
        element.append("i = np.uint64(column_source[c])")
    element += [*synapse.code[ELEMENT], *kernel.gives(synapse), *kernel.stores(synapse, index)]
    late = kernel.program.late
    views = [("fired", "uint32"), ("counts", "int64"), ("starts", "int64")]
    views = views if late else [("post_fired", "uint32"), ("post_counts", "int64")]
    if update is not None:
        views += [("columns", "int64"), ("column", kind.column)]
        if kind.source:
            views.append(("column_source", kind.source))
    event: list[str] = []
    if update is not None:
        event += _look_ahead_column(kernel, update, "fired" if late else "post_fired")
        event += synapse.code[ROW]
        event += ["for c in range(np.uint64(columns[t]), np.uint64(columns[t + ONE])):", *indent(element)]
    event += [*neuron.code[ROW], *kernel.stores(neuron, index)]
    return [
        *(kernel.view(*view) for view in views),
        *kernel.ring(synapse, ahead=True),
        *synapse.code[KERNEL],
        *neuron.code[KERNEL],
        *(_all_events(event) if late else _own_events(event)),
    ]


def _own_events(event: list[str]) -> list[str]:
    """Lines for each event of this step in this call's own list."""
    return [
        f"place = step & item[{FIELD['post_mask']}]",
        f"first = np.uint64(place * item[{FIELD['post_stride']}])",
        "events = np.uint64(post_counts[place])",
        "for j in range(events):",
        "    t = np.uint64(post_fired[first + j])",
        *indent(event),
    ]


def _all_events(event: list[str]) -> list[str]:
    """Lines for each event of an earlier step whose target is this call's, whoever listed it."""
    return [
        *(f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("lo", "hi")),
        *EACH_EVENT,
        "        t = np.uint64(fired[first + j])",
        "        if t >= lo and t < hi:",
        *indent(indent(indent(event))),
    ]
