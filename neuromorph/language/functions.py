"""Functions and symbols that equations may use: ``exp``, ``where``, ``dt``, ``normal()`` and so on.

Each takes expressions, quantities or numbers and gives an expression. Functions of a dimensionless argument raise
:class:`~neuromorph.errors.UnitError` at the user's line for anything else.
"""

from __future__ import annotations

from itertools import count

from neuromorph.errors import UnitError
from neuromorph.language import expr as _e
from neuromorph.language.expr import Expr, Operand, Type, as_expr
from neuromorph.units import FREQUENCY, TIME

__all__ = [
    "abs_",
    "cos",
    "dt",
    "exp",
    "floor",
    "log",
    "maximum",
    "minimum",
    "normal",
    "poisson",
    "rint",
    "sigmoid",
    "sin",
    "sqrt",
    "step",
    "tanh",
    "to_float",
    "to_int",
    "trunc",
    "trunc_div",
    "trunc_shift",
    "uniform",
    "where",
    "white_noise",
]

dt = Expr("dt", (), TIME)
"""The length of a step, a time."""

step = Expr("step", (), type=Type.INT)
"""Number of the step, an int that starts at 0."""

_draws = count()  # orders the random leaves; a neuron numbers its own streams from 0


def _plain(name: str, x: Operand) -> Expr:
    e = _e.to_float(as_expr(x))
    if not e.dim.is_none:
        _e.refuse(
            f"{name} needs a dimensionless argument, not {_e.describe(e)}; divide it by a scale", UnitError, got=e.dim
        )
    return e


def exp(x: Operand) -> Expr:
    """e to the power x."""
    return Expr("exp", (_plain("exp", x),))


def log(x: Operand) -> Expr:
    """Natural logarithm."""
    return Expr("log", (_plain("log", x),))


def sqrt(x: Operand) -> Expr:
    """Square root; halves the exponents of the dimension."""
    e = _e.to_float(as_expr(x))
    return Expr("sqrt", (e,), e.dim**0.5)


def sigmoid(x: Operand) -> Expr:
    """Logistic function, 1 / (1 + exp(-x))."""
    return Expr("sigmoid", (_plain("sigmoid", x),))


def tanh(x: Operand) -> Expr:
    """Hyperbolic tangent."""
    return Expr("tanh", (_plain("tanh", x),))


def sin(x: Operand) -> Expr:
    """Sine of an angle in radians."""
    return Expr("sin", (_plain("sin", x),))


def cos(x: Operand) -> Expr:
    """Cosine of an angle in radians."""
    return Expr("cos", (_plain("cos", x),))


def abs_(x: Operand) -> Expr:
    """Absolute value, in the unit and type of x. ``abs(x)`` is the same."""
    return abs(as_expr(x))


def minimum(a: Operand, b: Operand) -> Expr:
    """The smaller of two values of one dimension."""
    return _pair("min", a, b)


def maximum(a: Operand, b: Operand) -> Expr:
    """The larger of two values of one dimension."""
    return _pair("max", a, b)


def _pair(op: str, a: Operand, b: Operand) -> Expr:
    x, y = _e.common(as_expr(a), as_expr(b))
    _e.same_dimension("compare", "with", x, y)
    return Expr(op, (x, y), x.dim, x.type)


def _round(op: str, x: Operand) -> Expr:
    e = _e.numeric(as_expr(x))
    return e if e.type is Type.INT else Expr(op, (_plain(op, e),))


def floor(x: Operand) -> Expr:
    """Largest whole number not above x, as a float; an int is returned as it is."""
    return _round("floor", x)


def rint(x: Operand) -> Expr:
    """Nearest whole number, halves to even, as a float; an int is returned as it is."""
    return _round("rint", x)


def trunc(x: Operand) -> Expr:
    """Whole part (rounds toward zero), as a float; an int is returned as it is."""
    return _round("trunc", x)


def to_int(x: Operand) -> Expr:
    """A float's whole part (rounds toward zero) as an int; true is 1, false is 0."""
    e = _e.numeric(as_expr(x))
    return e if e.type is Type.INT else Expr("int", (_plain("to_int", e),), type=Type.INT)


def to_float(x: Operand) -> Expr:
    """An int as a float; true is 1, false is 0."""
    return _e.to_float(as_expr(x))


def trunc_div(a: Operand, b: Operand) -> Expr:
    """Quotient of two ints, rounded toward zero."""
    return Expr("truncdiv", (_e.integer(a, "trunc_div"), _e.integer(b, "trunc_div")), type=Type.INT)


def trunc_shift(x: Operand, bits: Operand) -> Expr:
    """x / 2**bits rounded toward zero: sign(x) * (abs(x) >> bits). Ints only; ``x >> bits`` rounds down instead."""
    e = _e.integer(x, "trunc_shift")
    return where(e < 0, -((-e) >> bits), e >> bits)


def where(condition: Operand, yes: Operand, no: Operand) -> Expr:
    """``yes`` where the condition holds, else ``no``; both of one dimension."""
    c = as_expr(condition)
    if c.type is not Type.BOOL:
        _e.refuse(f"where() needs a condition first, not {_e.describe(c)}; compare it, as in where(x > 0, a, b)")
    a, b = as_expr(yes), as_expr(no)
    if not (a.type is b.type is Type.BOOL):
        a, b = _e.common(a, b)
    _e.same_dimension("choose between", "and", a, b)
    return Expr("select", (c, a, b), a.dim, a.type)


def normal() -> Expr:
    """Random number of mean 0 and variance 1, new in every step; each call in the class body is its own stream."""
    return Expr("normal", payload=next(_draws))


def uniform() -> Expr:
    """Random number in [0, 1), new in every step; each call in the class body is its own stream."""
    return Expr("uniform", payload=next(_draws))


def white_noise() -> Expr:
    """Gaussian white noise of unit intensity, in s**-0.5: in ``.dot`` it adds variance 1 per second.

    ``v.dot = -v / tau + sigma * sqrt(2 / tau) * white_noise()`` has the stationary standard deviation sigma. Over a
    step its value is normal() / sqrt(dt).
    """
    return Expr("white_noise", (), FREQUENCY**0.5, payload=next(_draws))


def poisson(mean: Operand) -> Expr:
    """Random count (an int) of the given mean, new in every step; each call in the class body is its own stream."""
    return Expr("poisson", (_plain("poisson", mean),), type=Type.INT, payload=next(_draws))
