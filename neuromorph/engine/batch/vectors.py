"""Vectors of whole lanes in compiled code: what Numba's loops leave to chance, written as LLVM vector operations.

Every lane is rounded by itself as IEEE 754 asks; there are no fused or reordered operations. LLVM cuts vectors that are
longer than the processor's into several.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _element(dtype: str) -> Any:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return ir.FloatType() if kind.itemsize == 4 else ir.DoubleType()
    return ir.IntType(8 * kind.itemsize)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    """A vector with the same value in every lane."""
    kind = ir.VectorType(value.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(_I32, lanes), None))


def _load(builder: Any, address: Any, dtype: str, lanes: int, align: int) -> Any:
    kind = ir.VectorType(_element(dtype), lanes)
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)


def _store(builder: Any, vector: Any, address: Any, align: int) -> None:
    builder.store(vector, builder.inttoptr(address, vector.type.as_pointer()), align=align)


def _convert(builder: Any, vector: Any, dtype: str, lanes: int) -> Any:
    """A vector of ints or floats as another type: ints are widened or rounded to floats once, floats rounded once."""
    to, of = ir.VectorType(_element(dtype), lanes), vector.type.element
    if isinstance(of, ir.IntType):
        if np.dtype(dtype).kind == "f":
            return builder.sitofp(vector, to)
        return vector if of.width == to.element.width else builder.sext(vector, to)
    if of == to.element:
        return vector
    return builder.fpext(vector, to) if isinstance(of, ir.FloatType) else builder.fptrunc(vector, to)


def _operations(builder: Any, dtype: str) -> tuple[Any, Any]:
    """Addition and multiplication."""
    return (builder.fadd, builder.fmul) if np.dtype(dtype).kind == "f" else (builder.add, builder.mul)


@cache
def add_lanes(lanes: int, dtype: str, graded: bool) -> Any:
    """``add(sums, weight, values, bits)``: to each lane whose bit is set, add the weight (times the lane's value).

    Parameters
    ----------
    lanes : int
        A power of two from 8 to 64.
    dtype : str
        Of sums, weight and values; sums and values are addresses.
    graded : bool
        False: the weight itself is added and ``values`` ignored.
    """
    size = lanes * np.dtype(dtype).itemsize

    @intrinsic
    def add(typingctx: Any, sums: Any, weight: Any, values: Any, bits: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            plus, times = _operations(builder, dtype)
            contribution = _splat(builder, args[1], lanes)
            if graded:
                contribution = times(contribution, _load(builder, args[2], dtype, lanes, min(size, 64)))
            before = _load(builder, args[0], dtype, lanes, min(size, 64))
            few = args[3] if lanes == 64 else builder.trunc(args[3], ir.IntType(lanes))
            mask = builder.bitcast(few, ir.VectorType(ir.IntType(1), lanes))
            _store(builder, builder.select(mask, plus(before, contribution), before), args[0], min(size, 64))
            return context.get_dummy_value()

        number = getattr(types, dtype)
        return types.void(types.int64, number, types.int64, types.uint64), build

    return add


@cache
def add_row(dtype: str, weights: str, vectors: int, graded: bool, scaled: bool) -> Any:
    """``add(sums, row, value, scale)``: a row of a matrix to neighbouring sums.

    Parameters
    ----------
    dtype, weights : str
        Types of the sums, of ``value`` and ``scale``, and of the matrix; sums and row are addresses.
    vectors : int
        Vectors of 64 bytes of sums; the row has as many elements.
    graded : bool
        Multiply the row by ``value``.
    scaled : bool
        Multiply the row by ``scale``: that of quantised weights, unless it is in the value already.
    """
    width, narrow = 64 // np.dtype(dtype).itemsize, np.dtype(weights).itemsize

    @intrinsic
    def add(typingctx: Any, sums: Any, row: Any, value: Any, scale: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            plus, times = _operations(builder, dtype)
            factors = [_splat(builder, args[2 + k], width) for k, used in enumerate((graded, scaled)) if used]
            made = []
            for k in range(vectors):
                at = builder.add(args[1], _I64(k * width * narrow))
                weight = _convert(builder, _load(builder, at, weights, width, width * narrow), dtype, width)
                for factor in factors:
                    weight = times(weight, factor)
                made.append(weight)
            for k, weight in enumerate(made):
                place = builder.add(args[0], _I64(64 * k))
                _store(builder, plus(_load(builder, place, dtype, width, 64), weight), place, 64)
            return context.get_dummy_value()

        number = getattr(types, dtype)
        return types.void(types.int64, types.int64, number, number), build

    return add
