"""Systolic arrays as data: elements, operands, clock, buffer and memory, read from machine files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any, Literal, get_args

from neuromorph.errors import MappingError

from ..constants import Constants, load_constants
from .layers import Layer

Code = Literal["fixed", "spark"]
Mode = Literal["serial", "fused", "pair"]
Lockstep = Literal["free", "elastic", "row", "array"]

PREFIX = "systolic_"
MEMORY = "systolic_memory"
"""The machine file of what the paper gives every array alike: buffer, DRAM, clock and their prices."""


@dataclass(frozen=True, slots=True)
class Operand:
    """How the values of one operand are stored.

    Attributes
    ----------
    code : {"fixed", "spark"}
        ``bits`` for every value, or 4 or 8 by its magnitude (:func:`neuromorph.formats.spark_length`).
    bits : int
        Of a value; with ``"spark"`` of its long code.
    sign_bits : int
        Stored beside the code of every value of a signed tensor. 0 where ``bits`` hold the sign, or where signs are
        left out of the count, as in SPARK's published bit-widths.
    extra_bits : float
        Other information that a format stores, a value: positions of outliers, types, scales.
    """

    code: Code = "fixed"
    bits: int = 8
    sign_bits: int = 0
    extra_bits: float = 0.0

    def __post_init__(self) -> None:
        if self.code not in get_args(Code):
            raise MappingError(f"operand: code {self.code!r}; it can be {_listed(Code)}", code=self.code)
        if self.bits < 1 or (self.code == "spark" and self.bits != 8):
            raise MappingError(
                f"operand: {self.bits} bits of the code {self.code!r}; SPARK's long code has 8, a fixed one at least 1",
                bits=self.bits,
            )
        if self.sign_bits not in (0, 1) or self.extra_bits < 0:
            raise MappingError(
                f"operand: {self.sign_bits} sign bits and {self.extra_bits} extra bits a value; signs take 0 or 1 bit, "
                "others at least 0"
            )


@dataclass(frozen=True, slots=True)
class Element:
    """A processing element: one multiplier of ``bits`` x ``bits`` and an accumulator that stays where it is.

    Attributes
    ----------
    bits : int
        Of the multiplier's operands.
    mode : {"serial", "fused", "pair"}
        What it does with wider operands. ``"serial"``: one after the other, a cycle for each pair of parts: 1, 2 or 4
        cycles for SPARK's short and long codes in 4 bits. ``"fused"``: elements side by side are one wider element
        for a whole layer, so that 8 bits leave a quarter of a 4-bit array, at a cycle a product. ``"pair"``: the
        element has registers for two operands of twice ``bits`` or four of ``bits``: two products a cycle if their
        four operands are all short, else one.
    lockstep : {"free", "elastic", "row", "array"}
        Who waits for whom when products take different numbers of cycles. ``"free"``: nobody; the slowest element's
        own work counts. ``"elastic"``: an element starts when both operands have come from its neighbours, and hands
        them on when the next has room. ``"row"``: an activation meets all elements of its row at once, and the row
        waits for the slowest. ``"array"``: one enable for all, so that every step takes the slowest product anywhere.
    registers : int
        Operands that an elastic element holds of each kind, the one at work included.
    """

    bits: int = 4
    mode: Mode = "serial"
    lockstep: Lockstep = "elastic"
    registers: int = 1

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise MappingError(f"element: mode {self.mode!r}; it can be {_listed(Mode)}", mode=self.mode)
        if self.lockstep not in get_args(Lockstep):
            raise MappingError(
                f"element: lockstep {self.lockstep!r}; it can be {_listed(Lockstep)}", lockstep=self.lockstep
            )
        if self.bits < 1 or self.registers < 1:
            raise MappingError(
                f"element: {self.bits} bits and {self.registers} registers; both must be at least 1",
                bits=self.bits,
                registers=self.registers,
            )

    def parts(self, bits: int) -> int:
        """Parts into which an operand is cut: 2 for 8 bits in a 4-bit multiplier."""
        return ceil(bits / self.bits)


@dataclass(frozen=True)
class Array:
    """An output-stationary systolic array with its buffer and memory.

    Activations enter at the left, a stream for each row; weights (the second operand) at the top, a stream for each
    column; every element adds up one output. Change one with :func:`dataclasses.replace`.

    Attributes
    ----------
    name : str
    rows, columns : int
        Of elements.
    element : Element
    activations, weights : Operand
        Outputs are stored as activations are.
    clock : float
        Hz.
    buffer : int
        Bytes of the global buffer.
    memory_width : float
        Bits that DRAM moves in a cycle.
    encoders : int
        Outputs that are encoded in a cycle; 0 where values need no encoding.
    decoder_nibbles : int
        Nibbles that a decoder at the border takes in a cycle; 0 where values need no decoding.
    back_to_back : bool
        Whether the operands of a pass follow those of the one before without a gap, outputs leaving from registers of
        their own; else every pass is filled and drained alone.
    prices : Constants
        Everything of both machine files, with sources. See :mod:`.energy`.
    bits : mapping of str to (int, int)
        Layers in which fixed operands have other bits: activations (first operand), second operand.
    """

    name: str
    rows: int
    columns: int
    element: Element
    activations: Operand
    weights: Operand
    clock: float
    buffer: int
    memory_width: float
    encoders: int
    decoder_nibbles: int
    back_to_back: bool
    prices: Constants = field(repr=False)
    bits: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "clock", "buffer", "memory_width"):
            if not getattr(self, name) > 0:
                raise MappingError(f"array {self.name}: {name} is {getattr(self, name)!r}; it must be above 0")
        variable = "spark" in (self.activations.code, self.weights.code)
        if variable and self.decoder_nibbles < 1:
            raise MappingError(
                f"array {self.name}: its operands are coded, and it has no decoders; set decoder_nibbles"
            )
        if self.activations.code == "spark" and self.encoders < 1:
            raise MappingError(f"array {self.name}: its activations are coded, and it has no encoders; set encoders")
        if variable and (self.element.mode == "fused" or self.element.bits != 4):
            raise MappingError(
                f"array {self.name}: codes of 4 and 8 bits in elements of {self.element.bits} bits and mode "
                f"{self.element.mode!r}; SPARK's change from value to value and need 4 bits, 'serial' or 'pair'"
            )

    @property
    def elements(self) -> int:
        """Elements of the array."""
        return self.rows * self.columns

    def operands(self, layer: Layer) -> tuple[Operand, Operand]:
        """How a layer's first and second operand are stored, with the bits that :attr:`bits` gives the layer."""
        first = self.activations
        second = self.weights if layer.second == "weights" else self.activations
        if layer.name not in self.bits:
            return first, second
        if "spark" in (first.code, second.code):
            raise MappingError(
                f"array {self.name}: layer {layer.name} is given {self.bits[layer.name]} bits, but operands in SPARK "
                "have the bits of each value",
                layer=layer.name,
            )
        a, b = self.bits[layer.name]
        return replace(first, bits=a), replace(second, bits=b)

    def grid(self, first: Operand, second: Operand) -> tuple[int, int]:
        """Rows and columns of outputs at once: fewer than there are elements where they are fused.

        Raises
        ------
        MappingError
            If the array is too small for one fused element.
        """
        if self.element.mode != "fused":
            return self.rows, self.columns
        rows = self.rows // self.element.parts(first.bits)
        columns = self.columns // self.element.parts(second.bits)
        if not rows or not columns:
            raise MappingError(
                f"array {self.name}: {self.rows} x {self.columns} elements of {self.element.bits} bits cannot be fused "
                f"for operands of {first.bits} and {second.bits} bits"
            )
        return rows, columns


def load_array(name: str | Path, **changes: Any) -> Array:
    """An array of ``machines/systolic_<name>.toml`` with the buffer, memory and prices of ``systolic_memory.toml``.

    Parameters
    ----------
    name : str or Path
        One of :func:`array_names`, or a file of the user's own. What stands in it overrides the memory's file.
    **changes
        Constants of either file to change, dots as ``__``: ``dram__width=512``.

    Raises
    ------
    MappingError
        If there is no such machine, or a constant is missing or impossible.
    """
    if isinstance(name, str) and name not in array_names():
        raise MappingError(f"no systolic array {name!r}; there is {', '.join(array_names())}", array=name)
    own = load_constants(name if isinstance(name, Path) else PREFIX + name)
    shared = load_constants(MEMORY)
    c = Constants(own.machine, {**shared.entries, **own.entries})
    if changes:
        c = c.replace(**changes)
    return Array(
        name=own.machine.removeprefix(PREFIX),
        rows=c.count("array.rows"),
        columns=c.count("array.columns"),
        element=Element(
            c.count("element.bits"), c["element.mode"].value, c["element.lockstep"].value, c.count("element.registers")
        ),
        activations=_operand(c, "activations"),
        weights=_operand(c, "weights"),
        clock=c.si("clock.frequency"),
        buffer=c.count("buffer.size"),
        memory_width=c.si("dram.width"),
        encoders=c.count("codec.encoders"),
        decoder_nibbles=c.count("codec.decoder_nibbles"),
        back_to_back=bool(c.count("array.back_to_back")),
        prices=c,
    )


def array_names() -> tuple[str, ...]:
    """Names of the arrays that ship."""
    folder = Path(__file__).resolve().parents[1] / "machines"
    stems = (path.stem for path in folder.glob(f"{PREFIX}*.toml"))
    return tuple(sorted(stem.removeprefix(PREFIX) for stem in stems if stem != MEMORY))


def _operand(c: Constants, name: str) -> Operand:
    return Operand(
        c[f"{name}.code"].value, c.count(f"{name}.bits"), c.count(f"{name}.sign_bits"), c.si(f"{name}.extra_bits")
    )


def _listed(choice: object) -> str:
    return ", ".join(repr(word) for word in get_args(choice))
