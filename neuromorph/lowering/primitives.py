"""What every primitive of a step program computes, in NumPy: the definition that other printers must match bit for bit.

:data:`PRIMITIVES` has one function for each code that takes operands; leaves are the evaluator's business
(:mod:`neuromorph.lowering.evaluate`), and so are ``random`` and ``poisson``, which need to know who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type

Array = npt.NDArray[Any]
"""A NumPy array or scalar: float32/float64, int64 or bool."""


def _truncdiv(a: Array, b: Array) -> Array:
    quotient: Array = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
    return quotient


def _exp2i(k: Array, float_type: Any) -> Array:
    """The float whose exponent field holds k, and nothing else."""
    info = np.finfo(float_type)
    word = np.int32 if info.bits == 32 else np.int64
    power: Array = ((np.asarray(k) + (1 - info.minexp)) << info.nmant).astype(word).view(float_type)[()]
    return power


_ANY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "abs": np.abs,
    "min": lambda a, b: np.where(a < b, a, b),
    "max": lambda a, b: np.where(a > b, a, b),
    "div": np.divide,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "rint": np.rint,
    "trunc": np.trunc,
    "to_int": lambda a: np.trunc(a).astype(np.int64),
    "exponent": lambda a: np.asarray(np.frexp(a)[1], dtype=np.int64) - 1,
    "mantissa": lambda a: np.frexp(a)[0] * a.dtype.type(2.0),
    "shr": np.right_shift,
    "shl": np.left_shift,
    "truncdiv": _truncdiv,
    "bitand": np.bitwise_and,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "select": np.where,
}

WHOLE: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "phi1": lambda z: np.where(z == 0.0, 1.0, np.expm1(z) / np.where(z == 0.0, 1.0, z)).astype(z.dtype)[()],
    "log": np.log,
    "sigmoid": lambda x: (1.0 / (1.0 + np.exp(-x))).astype(x.dtype),
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "power": np.power,
}
"""Elementary functions left whole, by NumPy: close to their expansions, not equal to the bit."""


def primitives(dtype: str) -> dict[str, Callable[..., Any]]:
    """Functions by op code, for programs whose floats are `dtype`.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Returns
    -------
    dict of str to callable
        Each takes and returns NumPy arrays or scalars of exactly the program's types.
    """
    float_type = np.dtype(dtype).type
    return (_ANY | WHOLE) | {
        "to_float": lambda a: np.asarray(a).astype(float_type)[()],
        "exp2i": lambda k: _exp2i(k, float_type),
    }


_FLOATS = frozenset({"div", "sqrt", "floor", "rint", "trunc", "to_float", "exp2i", "mantissa"})
_INTS = frozenset({"to_int", "exponent", "shr", "shl", "truncdiv", "bitand", "random", "poisson", "step"})
_BOOLS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"})


def result_type(code: str, operands: tuple[Type, ...]) -> Type:
    """Type that an op of this code gives for operands of these types."""
    if code in _BOOLS:
        return Type.BOOL
    if code in _FLOATS:
        return Type.FLOAT
    if code in _INTS:
        return Type.INT
    return operands[1] if code == "select" else operands[0]
