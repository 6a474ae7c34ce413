"""Prints the kernels of a plastic projection: advance, arrive and after, each a few loops over synapses or neurons.

What is the same for a whole row (a source neuron and all its synapses) or column (a target and all its synapses) is
computed once for it, by the order in which the lines are printed. Each thread has a copy of the states of source
neurons, which all threads compute alike; everything else belongs to the thread that has the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from neuromorph.engine.ops import constant, operation
from neuromorph.errors import TargetError
from neuromorph.language.expr import Type
from neuromorph.lowering.plastic import Path, SynapseProgram, Update

from .items import PLASTIC

FIELD = {name: k for k, name in enumerate(PLASTIC)}
KERNEL, ROW, ELEMENT = 0, 1, 2
"""How often a value is computed: once in a call, once for each row or column, once for each synapse or neuron."""
ARRAYS = 32
"""Arrays that a kernel may tell apart, as in :mod:`neuromorph.engine.lowlevel`, which imports Numba."""
AHEAD = 4096
"""Bytes of the next row that are asked for ahead."""

_HELPERS = ("bits_float", "choose", "float_bits", "load_apart", "pointer", "prefetch", "store_apart")

Leaf = tuple[int, str]
"""How often it has to be read, and how."""


@dataclass(frozen=True)
class PlasticKind:
    """What decides the code of a plastic projection's kernels.

    Attributes
    ----------
    dtype : str
        Of all states.
    targets, column, source : str
        Types of the arrays; ``source == ""``: no source is needed by target.
    graded : bool
        Events carry values.
    scaled : bool
        The weight is no SI value: contributions are multiplied by the unit's.
    ends : tuple of {"pre", "post", "third", "one"}
        Where each view looks; "one" is a third factor that all synapses share.
    listed : tuple of bool
        For each path of the source's events, whether its rows list the numbers of synapses.
    """

    dtype: str
    targets: str
    column: str
    source: str
    graded: bool
    scaled: bool
    ends: tuple[str, ...]
    listed: tuple[bool, ...]


def print_plastic(program: SynapseProgram, kind: PlasticKind) -> dict[str, str]:
    """The generated modules: ``advance`` of synapses, ``neurons`` (their advance), ``every``, and one for each path.

    Each has ``kernel(step, offset, item)`` with fields ``items.PLASTIC``. Those with nothing to do are left out.
    """
    printed: dict[str, str] = {}
    makers: list[tuple[str, Callable[[_Kernel], list[str]]]] = [
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
        kernel = _Kernel(program, kind)
        body = make(kernel)
        if body:
            printed[name] = kernel.module(name, body)
    return printed


def path_kernel(path: Path) -> str:
    """What the kernel of a path is called."""
    return {"on_pre": "arrive", "on_post": "after"}.get(path.name, f"path {path.name}")


def parameter_places(program: SynapseProgram) -> tuple[dict[int, tuple[int, int]], int, int]:
    """Where each update's parameters begin among all floats and all ints, by ``id``; and how many there are."""
    places: dict[int, tuple[int, int]] = {}
    floats = ints = 0
    for update in program.updates():
        places[id(update)] = floats, ints
        whole = sum(slot.type is not Type.FLOAT for slot in update.program.params)
        floats, ints = floats + len(update.program.params) - whole, ints + whole
    return places, floats, ints


class _Kernel:
    """Collects the constants of one kernel, and knows how its leaves are read."""

    def __init__(self, program: SynapseProgram, kind: PlasticKind) -> None:
        self.program = program
        self.kind = kind
        self.float = f"np.{kind.dtype}"
        self.constants: dict[str, str] = {}
        self.draws = False
        self.places, self.floats, self.ints = parameter_places(program)

    def module(self, name: str, body: Sequence[str]) -> str:
        """The module's text."""
        states = ", ".join(f"{s.name} ({p})" for s, p in zip(self.program.states, self.program.places, strict=True))
        lines = [
            f'"""{name.capitalize()} of a plastic projection: {self.kind.dtype}; {states}."""',
            "",
            "import numpy as np",
            "",
            f"from neuromorph.engine.lowlevel import {', '.join(_HELPERS)}",
            "from neuromorph.native.arrays import carray",
            *(["from neuromorph.random_kernels import random_word"] if self.draws else []),
            "",
            "Z, ONE = np.uint64(0), np.uint64(1)",
            "MANY = 1 << 62",
            *(f"{short} = {text}" for text, short in self.constants.items()),
            "",
            "",
            "def kernel(step, offset, item):",
            f"    item = carray(pointer(item), {len(PLASTIC)}, np.int64)",
            *("    " + line for line in [*self._views(), *body]),
        ]
        return "\n".join(lines) + "\n"

    def view(self, name: str, dtype: str) -> str:
        """A line that opens an array of the item."""
        return f"{name} = carray(pointer(item[{FIELD[name]}]), MANY, np.{dtype})"

    def _views(self) -> list[str]:
        lines = [f"states = carray(pointer(item[{FIELD['states']}]), MANY, np.int64)"]
        if self.draws:
            lines.append(f"seed, now = np.uint64(item[{FIELD['seed']}]), np.uint64(step)")
        lines += [f"s{k} = carray(pointer(states[{k}]), MANY, {self.float})" for k in range(len(self.program.states))]
        if self.floats:
            lines.append(self.view("floats", self.kind.dtype))
        if self.ints:
            lines.append(self.view("ints", "int64"))
        if self.kind.ends:
            lines.append(f"views = carray(pointer(item[{FIELD['views']}]), MANY, np.int64)")
        for k, end in enumerate(self.kind.ends):
            lines.append(f"q{k} = carray(pointer(views[{3 * k}]), MANY, {self.float})")
            if end != "post":
                row = f"(step - item[{FIELD['lag']}]) & views[{3 * k + 2}]"
                lines.append(f"r{k} = np.uint64(({row}) * views[{3 * k + 1}])")
        return lines

    def leaf(
        self, index: Mapping[str, Leaf], value: Leaf | None = None, apart: bool = False
    ) -> Callable[[str, int], Leaf]:
        """How states and views are read where neurons and synapses have the indices given.

        Parameters
        ----------
        index : mapping of place to (how often it changes, its name)
        value : (how often, expression), optional
            The event's value.
        apart : bool
            Tell LLVM that what is read for each synapse overlaps with nothing that is stored elsewhere.
        """
        views = len(self.program.states)

        def of_synapse(array: str, where: str, number: int) -> str:
            return f"load_apart({array}, {where}, {self.float}, {number})"

        def read(code: str, position: int) -> Leaf:
            if code == "state":
                often, name = index[self.program.places[position]]
                if apart and often == ELEMENT:
                    return often, of_synapse(f"a{position}", name, position)
                return often, f"s{position}[{name}]"
            if position == len(self.kind.ends):
                assert value is not None  # only on_pre may read it
                return value
            end = self.kind.ends[position]
            if end == "one":
                return KERNEL, f"q{position}[r{position}]"
            often, name = index["pre" if end == "pre" else "post"]
            where = name if end == "post" else f"r{position} + {name}"
            if apart and often == ELEMENT:
                return often, of_synapse(f"c{position}", where, views)
            return often, f"q{position}[{where}]"

        return read

    def lines(self, update: Update | None, prefix: str, read: Callable[[str, int], Leaf]) -> _Lines:
        """The update's lines, by how often they run, and what its states become."""
        result = _Lines({KERNEL: [], ROW: [], ELEMENT: []}, {}, {})
        if update is None:
            return result
        program, often, names = update.program, dict[int, int](), dict[int, str]()
        parameters, needed = self._parameters(update), _needed(update)
        for number, op in enumerate(program.ops):
            if number not in needed:
                continue
            if op.code == "const":
                often[number], names[number] = KERNEL, self._constant(constant(op, program.dtype))
                continue
            if op.code == "param":
                often[number], text = KERNEL, parameters[op.payload]
            elif op.code == "step":
                often[number], text = KERNEL, "np.int64(step)"
            elif op.code in ("state", "port"):
                often[number], text = read(op.code, op.payload)
            elif op.code == "random":
                self.draws = True
                often[number], text = ELEMENT, f"random_word(seed, np.uint64(k), now, np.uint64({op.payload}))"
            else:
                often[number] = max(often[k] for k in op.args)
                text = operation(op.code, [names[k] for k in op.args], program.dtype)
            names[number] = f"{prefix}{number}"
            result.code[often[number]].append(f"{names[number]} = {text}")
        for k in update.changed:
            result.new[k] = names[program.new_states[k]]
        for name, number in program.observables:
            result.given[self.program.outputs.index(name)] = names[number]
        return result

    def _parameters(self, update: Update) -> list[str]:
        """How each parameter of the update is read."""
        place = dict(zip(("floats", "ints"), self.places[id(update)], strict=True))
        texts = []
        for slot in update.program.params:
            array = "floats" if slot.type is Type.FLOAT else "ints"
            texts.append(f"{array}[{place[array]}]")
            place[array] += 1
        return texts

    def _constant(self, text: str) -> str:
        return self.constants.setdefault(text, f"K{len(self.constants)}")

    def stores(self, lines: _Lines, index: Mapping[str, Leaf]) -> list[str]:
        """Lines that give states their new values."""
        return [f"s{k}[{index[self.program.places[k]][1]}] = {name}" for k, name in lines.new.items()]

    def ring(self, lines: _Lines, ahead: bool, delivers: bool = False) -> list[str]:
        """Lines that open the sums of this step, or of the next, where something is added to them."""
        if not (lines.given or delivers):
            return []
        slot = f"np.uint64(({'step + 1' if ahead else 'step'}) & item[{FIELD['ring_mask']}])"
        opened = [self.view("ring", self.kind.dtype), f"slot = {slot} * np.uint64(item[{FIELD['row']}])"]
        if delivers:
            opened.append(f"base = slot + np.uint64(item[{FIELD['port']}])")
        if lines.given:
            opened.append(self.view("offsets", "int64"))
        return [*opened, *(f"o{k} = slot + np.uint64(offsets[{k}])" for k in lines.given)]

    def gives(self, lines: _Lines) -> list[str]:
        """Lines that add the outputs to the sums of target t."""
        return [f"ring[o{k} + t] += {name}" for k, name in lines.given.items()]


@dataclass(frozen=True)
class _Lines:
    code: dict[int, list[str]]
    new: dict[int, str]
    given: dict[int, str]


def _needed(update: Update) -> set[int]:
    results = [update.program.new_states[k] for k in update.changed]
    return update.program.behind([*results, *(number for _, number in update.program.observables)])


def _loads(update: Update, code: str) -> set[int]:
    """What the update's ops of one kind load."""
    ops = update.program.ops
    return {ops[k].payload for k in _needed(update) if ops[k].code == code}


def _indent(lines: Sequence[str]) -> list[str]:
    return ["    " + line for line in lines]


def _advance(kernel: _Kernel) -> list[str]:
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
    return [
        *(f"a{k} = states[{k}]" for k in range(states)),
        *(f"c{k} = views[{3 * k}]" for k in range(len(kernel.kind.ends))),
        f"row = item[{FIELD['targets']}]",
        kernel.view("begin", "int64"),
        kernel.view("end", "int64"),
        *lines.code[KERNEL],
        f"for i in range(np.uint64(item[{FIELD['n_pre']}])):",
        *_indent(lines.code[ROW]),
        "    for k in range(np.uint64(begin[i]), np.uint64(end[i])):",
        *_indent(_indent(element)),
    ]


def _neurons(kernel: _Kernel) -> list[str]:
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
        body += _indent([*lines.code[ELEMENT], *kernel.stores(lines, index)])
    return body


def _every(kernel: _Kernel) -> list[str]:
    """What each synapse adds in this step, row by row."""
    update = kernel.program.every
    if update is None:
        return []
    index = {"pre": (ROW, "i"), "post": (ELEMENT, "t"), "synapse": (ELEMENT, "k")}
    lines = kernel.lines(update, "v", kernel.leaf(index))
    views = [("begin", "int64"), ("end", "int64"), ("targets", kernel.kind.targets)]
    return [
        *(kernel.view(*view) for view in views),
        *kernel.ring(lines, ahead=False),
        *lines.code[KERNEL],
        f"for i in range(np.uint64(item[{FIELD['n_pre']}])):",
        *_indent(lines.code[ROW]),
        "    for k in range(np.uint64(begin[i]), np.uint64(end[i])):",
        *_indent(_indent(["t = np.uint64(targets[k])", *lines.code[ELEMENT], *kernel.gives(lines)])),
    ]


def _arrive(kernel: _Kernel, number: int) -> list[str]:
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
    views = [("fired", "uint32"), ("counts", "int64"), ("starts", "int64"), ("begin", "int64"), ("end", "int64")]
    views += [("targets", kind.targets), *([("values", kind.dtype)] if kind.graded else [])]
    views += [("index", kind.column)] if kind.listed[number] else []
    row = ["        for k in range(np.uint64(begin[i]), np.uint64(end[i])):"]
    if kind.listed[number]:
        row = ["        for c in range(np.uint64(begin[i]), np.uint64(end[i])):", "            k = np.uint64(index[c])"]
    else:
        row = [*_indent(_indent(_look_ahead(kernel, path))), *row]
    return [
        *(kernel.view(*view) for view in views),
        *kernel.ring(synapse, kernel.program.late, path.delivers),
        *([f"scale = {kernel.float}(bits_float(item[{FIELD['scale']}]))"] if scaled else []),
        *synapse.code[KERNEL],
        *neuron.code[KERNEL],
        f"sent = step - item[{FIELD['sent']}]",
        f"event_mask, stride = item[{FIELD['event_mask']}], item[{FIELD['stride']}]",
        "place = sent & event_mask",
        f"for segment in range(item[{FIELD['segments']}] if sent >= 0 else 0):",
        "    first = np.uint64(place * stride + starts[segment])",
        "    events = np.uint64(counts[segment * (event_mask + 1) + place])",
        "    for j in range(events):",
        "        i = np.uint64(fired[first + j])",
        *(["        value = values[first + j]"] if kind.graded else []),
        *_indent(_indent(product)),
        *_indent(_indent(synapse.code[ROW])),
        *row,
        *_indent(_indent(_indent(element))),
        *_indent(_indent([*neuron.code[ROW], *kernel.stores(neuron, index)])),
    ]


def _look_ahead(kernel: _Kernel, path: Path) -> list[str]:
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


def _look_ahead_column(kernel: _Kernel, update: Update, fired: str) -> list[str]:
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
    return _loads(update, "state")


def reads_sources(program: SynapseProgram) -> bool:
    """Whether what happens at an event of a target depends on the source of each synapse."""
    names = [slot.name for slot in program.views]
    return any(
        any(program.places[k] == "pre" for k in _states_read(update))
        or any(names[k].startswith("pre.") for k in _loads(update, "port"))
        for path in program.paths
        if path.end == "post" and (update := path.updates.get("synapse")) is not None
    )


def _after(kernel: _Kernel, number: int) -> list[str]:
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
        event += ["for c in range(np.uint64(columns[t]), np.uint64(columns[t + ONE])):", *_indent(element)]
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
        *_indent(event),
    ]


def _all_events(event: list[str]) -> list[str]:
    """Lines for each event of an earlier step whose target is this call's, whoever listed it."""
    return [
        *(f"{name} = np.uint64(item[{FIELD[name]}])" for name in ("lo", "hi")),
        f"sent = step - item[{FIELD['sent']}]",
        f"event_mask, stride = item[{FIELD['event_mask']}], item[{FIELD['stride']}]",
        "place = sent & event_mask",
        f"for segment in range(item[{FIELD['segments']}] if sent >= 0 else 0):",
        "    first = np.uint64(place * stride + starts[segment])",
        "    events = np.uint64(counts[segment * (event_mask + 1) + place])",
        "    for j in range(events):",
        "        t = np.uint64(fired[first + j])",
        "        if t >= lo and t < hi:",
        *_indent(_indent(_indent(event))),
    ]
