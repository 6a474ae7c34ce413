"""How each primitive of a step program is written in a generated kernel, whatever it works on.

Every operation is rounded as NumPy rounds it in the same type: no fast-math, no contraction, no library functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuromorph.language.expr import Type
from neuromorph.lowering.program import Float, Op

HELPERS = ("bits_float", "choose", "float_bits")
"""Names of :mod:`neuromorph.engine.lowlevel` that the expressions use."""


def constant(op: Op, dtype: Float) -> str:
    """A ``const`` op as a number of its type."""
    if op.type == Type.BOOL:
        return str(bool(op.payload))
    if op.type == Type.INT:
        return f"np.int64({int(op.payload)})"
    value = float(np.dtype(dtype).type(op.payload))
    text = repr(value) if np.isfinite(value) else f'"{value}"'
    return f"np.{dtype}({text})"


def operation(code: str, args: Sequence[str], dtype: Float) -> str:
    """An op that has operands and needs nothing else, as an expression of them."""
    if code in ("exp2i", "exponent", "mantissa"):
        return _bits(code, args[0], dtype)
    if code == "to_float":
        return f"np.{dtype}({args[0]})"
    return _FORMS[code].format(*args)


def _bits(code: str, x: str, dtype: Float) -> str:
    """IEEE 754 fields: exponent and mantissa bits of a float."""
    mantissa, bias, word = (52, 1023, "np.int64") if dtype == "float64" else (23, 127, "np.int32")
    if code == "exp2i":
        return f"bits_float({word}(({x} + np.int64({bias})) << np.int64({mantissa})))"
    if code == "exponent":
        return f"np.int64(float_bits({x}) >> {word}({mantissa})) - np.int64({bias})"
    return f"bits_float({word}((float_bits({x}) & {word}({(1 << mantissa) - 1})) | {word}({bias << mantissa})))"


_FORMS: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "abs({0})",
    "min": "choose({0} < {1}, {0}, {1})",
    "max": "choose({0} > {1}, {0}, {1})",
    "sqrt": "np.sqrt({0})",
    "floor": "np.floor({0})",
    "rint": "np.rint({0})",
    "trunc": "np.trunc({0})",
    "to_int": "np.int64({0})",
    "shr": "{0} >> {1}",
    "shl": "{0} << {1}",
    "bitand": "{0} & {1}",
    "truncdiv": "{0} // {1} + np.int64(({0} % {1} != 0) & (({0} < 0) != ({1} < 0)))",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "not {0}",
    "select": "choose({0}, {1}, {2})",
}
"""How each primitive is written; bools join with & and |, and ``choose`` selects, so that no branch is made."""
