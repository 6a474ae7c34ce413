"""LUTs and DSPs of an operator's arithmetic, from its bits and parallelism."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil

from .design import PRODUCTS, Operator, Parallel
from .storage import Cost, bits_of, rules


@lru_cache
def multiplier_luts(first: int, second: int) -> int:
    """LUTs of a product of two signed numbers.

    Where both together are inputs of one LUT, every bit of the product is a LUT, and the two lowest share one. Wider
    ones add two rows of partial products in one chain of LUTs, and then the sums.
    """
    inputs = rules().count("lut.inputs")
    narrow, wide = sorted((first, second))
    if narrow <= 1:
        return wide if narrow else 0
    if first + second <= inputs:
        return first + second - 1
    rows = ceil(narrow / 2)
    return rows * (wide + 2) + (rows - 1) * (wide + 2)


def dsps_of(first: int, second: int) -> int:
    """DSPs of a product of two signed numbers."""
    known = rules()
    narrow, wide = sorted((first, second))
    return ceil(wide / known.count("dsp.wide")) * ceil(narrow / known.count("dsp.narrow"))


@lru_cache
def sum_luts(terms: int, bits: int, limit: int) -> int:
    """LUTs of a tree that adds ``terms`` numbers of ``bits`` bits, no sum wider than ``limit``, a LUT a bit."""
    total, width = 0, bits
    while terms > 1:
        width = min(width + 1, max(limit, bits))
        total += terms // 2 * width
        terms = (terms + 1) // 2
    return total


def on_dsps(operator: Operator) -> bool:
    """Whether the products of a matrix are made by DSPs."""
    return min(operator.input_bits, operator.weight_bits) >= rules().count("dsp.from_bits")


def logic(operator: Operator, parallel: Parallel) -> Cost:
    """LUTs, DSPs and multipliers of all copies of an operator, without its memories, FIFOs and control.

    A kind that is not known here counts as two sums of all its bits a lane.
    """
    lane = _LANES.get(operator.kind, _other)(operator, parallel)
    lanes = operator.copies * parallel.tokens * (parallel.outputs if operator.kind in PRODUCTS else parallel.inputs)
    return Cost(lane.luts * lanes, lane.dsps * lanes, multipliers=operator.multipliers(parallel))


def _product(operator: Operator, parallel: Parallel) -> Cost:
    """One output: its products, their sum, and the accumulator."""
    first, second = operator.input_bits, operator.weight_bits
    luts = sum_luts(parallel.inputs, first + second, operator.output_bits) + operator.output_bits
    if on_dsps(operator):
        return Cost(luts=luts, dsps=parallel.inputs * dsps_of(first, second))
    return Cost(luts=luts + parallel.inputs * multiplier_luts(first, second))


def _layernorm(operator: Operator, parallel: Parallel) -> Cost:
    """Sum, two differences to the mean, sum of squares, index, weight's sum, clamp; products in DSPs."""
    known, x = rules(), operator.input_bits
    length = bits_of(operator.inputs)
    affine = 2 * x + known.count("width.rsqrt")
    luts = (x + length) + 2 * x + (2 * x + length) + _clamp(known.count("width.index")) + affine
    return Cost(luts=luts + _clamp(operator.output_bits), dsps=known.si("dsp.layernorm"))


def _softmax(operator: Operator, parallel: Parallel) -> Cost:
    """Maximum, difference, index, sum of exponentials, two indices of the reciprocal, its product, clamp."""
    known, x = rules(), operator.input_bits
    exp, index = known.count("width.exp"), known.count("width.index")
    total = exp + bits_of(operator.inputs)
    affine = exp + known.count("width.recip")
    luts = 2 * x + (x + 1) + (x + 1) + _clamp(index) + total + 2 * (total + _clamp(index)) + 2 * affine
    return Cost(luts=luts + _clamp(operator.output_bits), dsps=known.si("dsp.softmax"))


def _table(operator: Operator, parallel: Parallel) -> Cost:
    """Offset, shift and clamp of the index; the table is a memory."""
    return Cost(luts=operator.input_bits + _clamp(rules().count("width.index")))


def _residual(operator: Operator, parallel: Parallel) -> Cost:
    """Rescaled residual, rounded, plus the main branch."""
    known = rules()
    product = operator.input_bits + known.count("width.scale")
    return Cost(luts=product + operator.output_bits, dsps=known.si("dsp.residual"))


def _neurons(operator: Operator, parallel: Parallel) -> Cost:
    """Every operation of a step program in a place of its own, floats as ints of their width.

    A division is a subtraction for every bit.
    """
    bits = operator.input_bits
    luts = operator.additions * bits + operator.divisions * bits * bits
    return Cost(luts=luts, dsps=operator.multiplications * dsps_of(bits, bits))


def _other(operator: Operator, parallel: Parallel) -> Cost:
    return Cost(luts=2.0 * (operator.input_bits + operator.output_bits))


def _clamp(bits: int) -> int:
    """A comparison with both ends, two bits a LUT, and a choice."""
    return 2 * ceil(bits / 2) + bits


_LANES: dict[str, Callable[[Operator, Parallel], Cost]] = {
    "matmul": _product,
    "dynamic_matmul": _product,
    "layernorm": _layernorm,
    "softmax": _softmax,
    "requant": _table,
    "gelu": _table,
    "residual": _residual,
    "neurons": _neurons,
}
