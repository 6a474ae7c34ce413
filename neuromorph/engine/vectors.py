"""Vectors of 64 bytes for generated kernels: sums of neighbouring targets, to which rows of a projection are added.

A vector is read once, all given rows are added to it one after another, and it is written once. The lanes do not depend
on one another, so each target has the sum, rounding by rounding, that a loop over targets would give. LLVM splits
vectors that the processor lacks.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BYTES = 64
I32, I64 = ir.IntType(32), ir.IntType(64)


class _Sums:
    """The vector at an address while a kernel is built: all of it, or the lanes whose bits ``active`` has set."""

    def __init__(self, context: Any, builder: Any, number: Any, address: Any, active: Any) -> None:
        self.builder, self.number = builder, number
        self.lanes = BYTES * 8 // number.bitwidth
        self.type = ir.VectorType(context.get_value_type(number), self.lanes)
        self.address = builder.inttoptr(address, self.type.as_pointer())
        self.active = None if active is None else self.bits(builder.trunc(active, ir.IntType(self.lanes)))
        self.value = self.read(self.address, self.type, number.bitwidth)

    def bits(self, word: Any) -> Any:
        """A word's bits, lowest first, as one bool for each lane."""
        return self.builder.bitcast(word, ir.VectorType(ir.IntType(1), self.lanes))

    def read(self, address: Any, kind: Any, bits: int) -> Any:
        """A vector of memory; lanes that are not active are not touched."""
        if self.active is None:
            return self.builder.load(address, align=bits // 8)
        function = ir.FunctionType(kind, [address.type, I32, self.active.type, kind])
        name = f"llvm.masked.load.v{self.lanes}{_short(kind.element)}.p0"
        return self.builder.call(
            self._intrinsic(function, name), [address, I32(bits // 8), self.active, ir.Constant(kind, None)]
        )

    def write(self) -> None:
        """Put the sums back, those of active lanes alone: others may belong to another thread."""
        bits = self.number.bitwidth
        if self.active is None:
            self.builder.store(self.value, self.address, align=bits // 8)
            return
        function = ir.FunctionType(ir.VoidType(), [self.type, self.address.type, I32, self.active.type])
        name = f"llvm.masked.store.v{self.lanes}{_short(self.type.element)}.p0"
        self.builder.call(self._intrinsic(function, name), [self.value, self.address, I32(bits // 8), self.active])

    def _intrinsic(self, function: Any, name: str) -> Any:
        return cgutils.get_or_insert_function(self.builder.module, function, name)  # type: ignore[no-untyped-call]

    def plus(self, amount: Any) -> Any:
        """The sums and an amount."""
        add = self.builder.add if isinstance(self.number, types.Integer) else self.builder.fadd
        return add(self.value, amount)

    def all_lanes(self, number: Any) -> Any:
        """One number in every lane."""
        empty = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(empty, number, I32(0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(I32, self.lanes), None))


def _short(kind: Any) -> str:
    return {"float": "f32", "double": "f64"}.get(str(kind), str(kind))


@intrinsic
def add_where(typingctx: Any, sums: Any, words: Any, amounts: Any, active: Any) -> Any:
    """Add each of ``amounts`` to those sums whose bit is set in its word.

    Parameters
    ----------
    sums : int
        Address of a vector.
    words : tuple of int
        Addresses of one bit for each lane, lowest first.
    amounts : tuple of numbers of the sums' type
    active : int or None
        Bits of the lanes that take part.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _Sums(context, builder, amounts.dtype, args[0], None if active == types.none else args[3])
        word = ir.IntType(vector.lanes)
        for k in range(len(words)):
            where = builder.inttoptr(builder.extract_value(args[1], k), word.as_pointer())
            bits = vector.bits(builder.load(where, align=1))
            added = vector.plus(vector.all_lanes(builder.extract_value(args[2], k)))
            vector.value = builder.select(bits, added, vector.value)  # one masked addition where there are such
        vector.write()
        return context.get_dummy_value()

    return types.void(types.int64, words, amounts, active), build


@intrinsic
def add_rows(typingctx: Any, sums: Any, number: Any, rows: Any, weight: Any, factors: Any, active: Any) -> Any:
    """Add to the sums each of several rows times its factor.

    Parameters
    ----------
    sums : int
        Address of a vector.
    number : type
        Of the sums: float32, float64 or int64.
    rows : tuple of int, or None
        Addresses of as many weights; None: every weight is 1.
    weight : type
        Of the weights.
    factors : tuple of numbers of the sums' type, or None
        None: every factor is 1.
    active : int or None
        Bits of the lanes that take part.
    """
    kind = number.instance_type

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _Sums(context, builder, kind, args[0], None if active == types.none else args[5])
        for k in range(len(factors if rows == types.none else rows)):
            if factors != types.none:
                amount = vector.all_lanes(builder.extract_value(args[4], k))
            if rows != types.none:
                row = _weights(context, vector, builder.extract_value(args[2], k), weight.instance_type)
                amount = row if factors == types.none else builder.fmul(row, amount)
            vector.value = vector.plus(amount)
        vector.write()
        return context.get_dummy_value()

    return types.void(types.int64, number, rows, weight, factors, active), build


def _weights(context: Any, vector: _Sums, address: Any, weight: Any) -> Any:
    """A vector of weights as numbers of the sums' type."""
    stored = ir.VectorType(context.get_value_type(weight), vector.lanes)
    row = vector.read(vector.builder.inttoptr(address, stored.as_pointer()), stored, weight.bitwidth)
    if weight == vector.number:
        return row
    if isinstance(vector.number, types.Integer):
        return vector.builder.sext(row, vector.type)
    return vector.builder.sitofp(row, vector.type)
