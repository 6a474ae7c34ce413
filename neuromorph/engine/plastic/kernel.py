"""What a kernel of a plastic projection is made of: how its leaves are read and its results stored, and its module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from neuromorph.engine.ops import constant, operation
from neuromorph.language.expr import Type
from neuromorph.lowering.plastic import SynapseProgram, Update

from .items import PLASTIC

FIELD = {name: k for k, name in enumerate(PLASTIC)}
KERNEL, ROW, ELEMENT = 0, 1, 2
"""How often a value is computed: once in a call, once for each row or column, once for each synapse or neuron."""

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
    apart : bool
        All rows do, and a source is a neuron as one PE knows it: views look at the neuron that ``origin`` names.
    """

    dtype: str
    targets: str
    column: str
    source: str
    graded: bool
    scaled: bool
    ends: tuple[str, ...]
    listed: tuple[bool, ...]
    apart: bool = False


def parameter_places(program: SynapseProgram) -> tuple[dict[int, tuple[int, int]], int, int]:
    """Where each update's parameters begin among all floats and all ints, by ``id``; and how many there are."""
    places: dict[int, tuple[int, int]] = {}
    floats = ints = 0
    for update in program.updates():
        places[id(update)] = floats, ints
        whole = sum(slot.type is not Type.FLOAT for slot in update.program.params)
        floats, ints = floats + len(update.program.params) - whole, ints + whole
    return places, floats, ints


class PlasticKernel:
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
        if self.kind.apart and "pre" in self.kind.ends:
            lines.append(self.view("origin", "int64"))
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
            if end == "pre" and self.kind.apart:
                name = f"np.uint64(origin[{name}])"
            where = name if end == "post" else f"r{position} + {name}"
            if apart and often == ELEMENT:
                return often, of_synapse(f"c{position}", where, views)
            return often, f"q{position}[{where}]"

        return read

    def lines(self, update: Update | None, prefix: str, read: Callable[[str, int], Leaf]) -> Lines:
        """The update's lines, by how often they run, and what its states become."""
        result = Lines({KERNEL: [], ROW: [], ELEMENT: []}, {}, {})
        if update is None:
            return result
        program, often, names = update.program, dict[int, int](), dict[int, str]()
        parameters, needed = self._parameters(update), needed_ops(update)
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

    def stores(self, lines: Lines, index: Mapping[str, Leaf]) -> list[str]:
        """Lines that give states their new values."""
        return [f"s{k}[{index[self.program.places[k]][1]}] = {name}" for k, name in lines.new.items()]

    def ring(self, lines: Lines, ahead: bool, delivers: bool = False) -> list[str]:
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

    def gives(self, lines: Lines) -> list[str]:
        """Lines that add the outputs to the sums of target t."""
        return [f"ring[o{k} + t] += {name}" for k, name in lines.given.items()]


@dataclass(frozen=True)
class Lines:
    """The lines of an update by how often they run; what states become and outputs add, by their numbers."""

    code: dict[int, list[str]]
    new: dict[int, str]
    given: dict[int, str]


def needed_ops(update: Update) -> set[int]:
    """Ops that the update's results rest on."""
    results = [update.program.new_states[k] for k in update.changed]
    return update.program.behind([*results, *(number for _, number in update.program.observables)])


def loads(update: Update, code: str) -> set[int]:
    """What the update's ops of one kind load."""
    ops = update.program.ops
    return {ops[k].payload for k in needed_ops(update) if ops[k].code == code}


def indent(lines: Sequence[str]) -> list[str]:
    """Lines one level deeper."""
    return ["    " + line for line in lines]
