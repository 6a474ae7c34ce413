"""Functions that Brian 2's equations call: its own, tables over time, and the user's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import lgamma
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.tables import read_table
from neuromorph.interchange.brian2.user_functions import traced
from neuromorph.language import (
    Expr,
    Type,
    cos,
    exp,
    floor,
    log,
    maximum,
    minimum,
    normal,
    poisson,
    sin,
    sqrt,
    tanh,
    to_float,
    to_int,
    trunc_div,
    uniform,
    where,
)
from neuromorph.language.expr import as_expr, const

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.names import GroupNames

Array = npt.NDArray[Any]
MOST_COUNTS = 1024
"""Values of a binomial number that are told apart."""
SQUARED = 64
"""Least whole exponent for which a power is no product of squares."""
_PI = np.pi


# --- Brian 2's own ----------------------------------------------------------------------------------------------------
def _exprel(x: Expr) -> Expr:
    """(exp(x) - 1) / x; near 0 through tanh, which loses no digits there."""
    half = tanh(x / 2)
    near = where(abs(x) < 1, 2 * half / (1 - half), exp(x) - 1)
    return where(to_float(x) == 0.0, 1.0, near / where(to_float(x) == 0.0, 1.0, x))


def _expm1(x: Expr) -> Expr:
    half = tanh(x / 2)
    return where(abs(x) < 1, 2 * half / (1 - half), exp(x) - 1)


def _log1p(x: Expr) -> Expr:
    """log(1 + x); what rounding took from 1 + x is put back."""
    one = 1 + to_float(x)
    rest = where(one == 1.0, 1.0, one - 1)
    return where(one == 1.0, to_float(x), log(one) * (to_float(x) / rest))


def _arctan(x: Expr) -> Expr:
    """Reduced to |y| <= tan(pi / 16) by halving the angle twice, then its series."""
    y = to_float(x)
    large = abs(y) > 1.0
    y = where(large, 1.0 / where(large, y, 1.0), y)
    for _ in range(2):
        y = y / (1.0 + sqrt(1.0 + y * y))
    square, total = y * y, const(0.0)
    for power in range(25, 0, -2):
        total = 1.0 / power - square * total
    small = 4.0 * (y * total)
    return where(large, where(to_float(x) > 0.0, 0.5 * _PI, -0.5 * _PI) - small, small)


def _arcsin(x: Expr) -> Expr:
    y = to_float(x)
    edge = abs(y) >= 1.0
    inside = _arctan(where(edge, 0.0, y) / sqrt(1.0 - where(edge, 0.0, y * y)))
    return where(edge, where(y > 0.0, 0.5 * _PI, -0.5 * _PI), inside)


def _int(x: Expr) -> Expr:
    return where(x, 1, 0) if x.type is Type.BOOL else to_int(x) if x.type is Type.FLOAT else x


def _timestep(time: Expr, length: Expr) -> Expr:
    """Steps in a time, which Brian 2 may write as a number of seconds; it forgives a thousandth of a step."""
    if time.dim.is_none:
        time = to_float(time) * const(1.0, length.dim)
    return to_int(floor((time + 1e-3 * length) / length))


FUNCTIONS: Mapping[str, Callable[..., Expr]] = {
    "exp": exp,
    "log": log,
    "log10": lambda x: log(x) / 2.302585092994046,
    "log1p": _log1p,
    "expm1": _expm1,
    "exprel": _exprel,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "tan": lambda x: sin(x) / cos(x),
    "arctan": _arctan,
    "arcsin": _arcsin,
    "arccos": lambda x: 0.5 * _PI - _arcsin(x),
    "sinh": lambda x: (exp(x) - exp(-x)) / 2,
    "cosh": lambda x: (exp(x) + exp(-x)) / 2,
    "tanh": tanh,
    "abs": abs,
    "sign": lambda x: where(x > 0 * x, 1, where(x < 0 * x, -1, 0)),
    "floor": floor,
    "ceil": lambda x: -floor(-x),
    "clip": lambda x, low, high: minimum(maximum(x, low), high),
    "int": _int,
    "timestep": _timestep,
    "rand": uniform,
    "randn": normal,
    "poisson": poisson,
}
"""Functions of Brian 2 that the language has or that can be put together of what it has, by their names there."""


def power(base: Expr, exponent: Expr) -> Expr:
    """A power with an exponent that is no constant; a whole one may have a negative base.

    Powers of whole numbers to whole numbers are whole, exact within 64 bits and rounded toward zero. Of other numbers,
    those with whole exponents below `SQUARED` are products, and all else goes through exp and log.
    """
    if exponent.type is Type.BOOL:
        exponent = where(exponent, 1, 0)
    base = where(base, 1, 0) if base.type is Type.BOOL else base
    if exponent.type is Type.FLOAT:
        return _any_power(to_float(base), exponent, floor(exponent) == exponent, floor(exponent / 2) * 2 != exponent)
    size = abs(exponent)
    odd = (size >> 1 << 1) != size
    if base.type is Type.INT:  # beyond, only 0, 1 and -1 have powers, which are the same for every exponent as odd
        product = _product(base, where(size < SQUARED, size, where(odd, SQUARED - 1, SQUARED - 2)))
        return where(exponent < 0, trunc_div(1, where(product == 0, 1, product)), product)
    product = _product(base, size)
    product = where(exponent < 0, 1.0 / product, product)
    return where(size < SQUARED, product, _any_power(base, to_float(exponent), as_expr(True), odd))


def _product(base: Expr, exponent: Expr) -> Expr:
    """A power whose exponent is a whole number from 0 to `SQUARED` - 1, bit by bit."""
    result: Expr | None = None
    for bit in range((SQUARED - 1).bit_length()):
        chosen = where(((exponent >> (bit + 1)) << 1) != (exponent >> bit), base, 1 if base.type is Type.INT else 1.0)
        result = chosen if result is None else result * chosen
        base = base * base
    assert result is not None
    return result


def _any_power(base: Expr, exponent: Expr, whole: Expr, odd: Expr) -> Expr:
    """A power, nan for a negative base if the exponent is not whole, as in C."""
    size = exp(exponent * log(where(whole, abs(base), base)))
    return where(exponent == 0.0, 1.0, where(whole & odd & (base < 0.0), -size, size))


def modulo(a: Expr, b: Expr) -> Expr:
    """Python's remainder: with the sign of the divisor."""
    return a - floor_divide(a, b) * b


def floor_divide(a: Expr, b: Expr) -> Expr:
    """Python's division toward minus infinity; of whole numbers it is exact."""
    if a.type is Type.INT and b.type is Type.INT:
        quotient = trunc_div(a, b)
        rest = a - quotient * b
        below, under = rest < 0, b < 0
        return where((rest != 0) & ((below & ~under) | (~below & under)), quotient - 1, quotient)
    return floor(a / b)


# --- those of the namespace -------------------------------------------------------------------------------------------
def callable_of(name: str, found: Any, names: GroupNames) -> Callable[..., Expr]:
    """What a function of a namespace does to expressions.

    Parameters
    ----------
    name : str
    found : brian2.Function
        A `TimedArray`, or one made of a Python function.
    names : GroupNames
    """
    from brian2.input.binomial import BinomialFunction
    from brian2.input.timedarray import TimedArray

    if isinstance(found, TimedArray):
        return lambda *args: read_table(name, found, names, args)
    if isinstance(found, BinomialFunction):
        return lambda: _binomial_function(found)
    return lambda *args: traced(name, found, args, FUNCTIONS)


# --- binomial numbers -------------------------------------------------------------------------------------------------
def _binomial_function(function: Any) -> Expr:
    """A number that a BinomialFunction draws; what it was made of stands in its code."""
    made = inspect.getclosurevars(function.implementations["numpy"].get_code(owner=None)).nonlocals
    if "scale" in made:
        return normal() * float(made["scale"]) + float(made["loc"])
    return binomial(int(made["n"]), float(made["p"]), approximate=False)


def binomial(n: int, p: float, *, approximate: bool = True) -> Expr:
    """How many of `n` happen, each with probability `p`, as Brian 2 draws it.

    Parameters
    ----------
    n : int
    p : float
    approximate : bool
        Take a normal distribution where both n p and n (1 - p) are above 5. Otherwise one uniform number is compared
        with the cumulative probabilities, from a tail of 2^-32 to the other.

    Raises
    ------
    LanguageError
        If there are more than `MOST_COUNTS` to compare with.
    """
    if approximate and n * p > 5 and n * (1 - p) > 5:
        return normal() * float(np.sqrt(n * p * (1 - p))) + float(n * p)
    if p in (0, 1):
        return const(float(n * p))
    wide = 10 * np.sqrt(n * p * (1 - p)) + 40
    counts = np.arange(max(int(n * p - wide), 0), min(int(n * p + wide), n) + 1)
    ways = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in counts]
    below = np.cumsum(np.exp(ways + counts * np.log(p) + (n - counts) * np.log1p(-p)))
    compared = below[(below > 2.0**-32) & (below < 1 - 2.0**-32)]
    if len(compared) > MOST_COUNTS:
        raise LanguageError(
            f"a binomial number of {n} with a probability of {p:g} has {len(compared)} likely values, and at most "
            f"{MOST_COUNTS} are told apart; draw it with approximate=True"
        )
    drawn, total = uniform(), as_expr(int(counts[0] + np.sum(below <= 2.0**-32)))
    for limit in compared:
        total = total + where(drawn >= float(limit), 1, 0)
    return to_float(total)
