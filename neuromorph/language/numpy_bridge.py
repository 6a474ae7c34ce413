"""NumPy's functions on expressions: ``np.exp(v)`` means ``exp(v)``, and ``np.float64(2) * v`` works."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from neuromorph.language import functions as f
from neuromorph.language.expr import Expr, as_expr, refuse

_UFUNCS: dict[Any, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.power: operator.pow,
    np.float_power: operator.pow,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.square: lambda x: x * x,
    np.absolute: abs,
    np.fabs: abs,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.logical_and: operator.and_,
    np.logical_or: operator.or_,
    np.logical_not: operator.invert,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.invert: operator.invert,
    np.left_shift: operator.lshift,
    np.right_shift: operator.rshift,
    np.exp: f.exp,
    np.log: f.log,
    np.sqrt: f.sqrt,
    np.tanh: f.tanh,
    np.sin: f.sin,
    np.cos: f.cos,
    np.floor: f.floor,
    np.rint: f.rint,
    np.trunc: f.trunc,
    np.minimum: f.minimum,
    np.fmin: f.minimum,
    np.maximum: f.maximum,
    np.fmax: f.maximum,
}


def apply_ufunc(ufunc: np.ufunc, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Expr:
    """``ufunc(*args)`` where some argument is an expression."""
    function = _UFUNCS.get(ufunc)
    if function is None or method != "__call__" or options:
        refuse(
            f"NumPy's {ufunc.__name__} cannot be applied to an expression; the language has exp, log, sqrt, sigmoid, "
            "tanh, sin, cos, abs_, minimum, maximum, floor, rint, trunc and where"
        )
    operands = [as_expr(a) for a in args]
    return as_expr(function(*operands))


def apply_function(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Expr:
    """``np.where(c, a, b)`` and ``np.clip(x, low, high)`` where some argument is an expression."""
    if function is np.where and len(args) == 3 and not options:
        return f.where(*args)
    if function is np.clip and len(args) == 3 and not options:
        return f.minimum(f.maximum(args[0], args[1]), args[2])
    refuse(f"NumPy's {function.__name__} cannot be applied to an expression; use neuromorph's own functions")
