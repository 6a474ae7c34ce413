"""Functions that Brian 2's equations call: its own, tables over time, and the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.language import (
    Expr,
    Port,
    Type,
    cos,
    exp,
    floor,
    log,
    maximum,
    minimum,
    normal,
    poisson,
    rint,
    sin,
    sqrt,
    step,
    tanh,
    to_float,
    to_int,
    trunc_div,
    uniform,
    where,
)
from neuromorph.language.expr import as_expr, const, nodes
from neuromorph.units import Dimension, si_unit

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.names import GroupNames

Array = npt.NDArray[Any]
WRITTEN_OUT = 64
"""Entries of a table over time that are compared with one by one where its argument is not simply the time."""
LONGEST = 1 << 24
"""Steps for which the values of a table over time are sent."""
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
    """A power with an exponent that is no constant: of bases that are not negative, as for C's pow with fractions."""
    return exp(to_float(exponent) * log(to_float(base)))


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
@dataclass(frozen=True)
class Feed:
    """Values over time that come in from outside of a population.

    Attributes
    ----------
    name : str
        Of the table.
    values : float64 array (steps, columns)
        What is to arrive in each step, in SI units.
    columns : int array (neurons,) or None
        The column of each neuron; None: the first, for all.
    """

    name: str
    values: Array
    columns: Array | None


def callable_of(name: str, found: Any, names: GroupNames) -> Callable[..., Expr]:
    """What a function of a namespace does to expressions.

    Parameters
    ----------
    name : str
    found : brian2.Function
        A `TimedArray`, or one made of a Python function.
    names : GroupNames
    """
    from brian2.input.timedarray import TimedArray

    if isinstance(found, TimedArray):
        return lambda *args: _table(name, found, names, args)
    return lambda *args: _traced(name, found, args)


def _traced(name: str, function: Any, args: tuple[Expr, ...]) -> Expr:
    """A user's function of Python, run once on the expressions: what it computes is what it means."""
    plain = getattr(function, "pyfunc", function)
    plain = getattr(plain, "_orig_func", plain)
    try:
        value = plain(*args)
        if isinstance(value, Expr):
            return value
    except NeuromorphError:
        pass
    except Exception:  # anything can go wrong in a function that was written for numbers
        value = None
    raise LanguageError(
        f"the function {name}() cannot be said in equations; it must be plain arithmetic of its arguments in Python"
    )


def _table(name: str, table: Any, names: GroupNames, args: tuple[Expr, ...]) -> Expr:
    from neuromorph.interchange.brian2.names import dimension

    given = np.asarray(table.values)
    if len(args) != given.ndim:
        raise LanguageError(f"{name}() is called with {len(args)} arguments, but has {given.ndim} dimensions")
    dim = dimension(table.dim)
    columns = None
    if given.ndim == 2:
        columns = names.static(args[1])
        if columns is None:
            raise LanguageError(f"{name}(): which column of the table is read changes while the network runs")
        columns = np.broadcast_to(columns.astype(np.int64), (int(names.group.N),))
        if columns.min() < 0 or columns.max() >= given.shape[1]:
            raise LanguageError(f"{name}(): column {int(columns.max())} is read of {given.shape[1]}")
    values = _over_time(table, names, args[0])
    if values is not None:
        return _port(Feed(name, values.reshape(len(values), -1), columns), names, dim)
    if given.ndim == 2 or len(given) > WRITTEN_OUT:
        raise LanguageError(
            f"{name}(): its argument is not the time, and the table has {given.size} entries; at most {WRITTEN_OUT} "
            "can be written out, of one dimension"
        )
    return _written_out(table, names, args[0], dim)


def _over_time(table: Any, names: GroupNames, time: Expr) -> Array | None:
    """Values of the table in each of our steps until they change no more; None if their time is not t + a constant."""
    if any(names.varies(node) for node in nodes(time)):
        return None
    function = table.implementations["numpy"].get_code(owner=names.group)
    end = len(table.values) * table.dt
    steps = np.arange(max(int(np.ceil(end / float(names.group.clock.dt_))) + 2, 3))
    while len(steps) <= LONGEST:
        times = names.static(_of_step(time), step_number=steps)
        if times is None or times.shape != steps.shape:
            return None
        rates = np.diff(times)
        if rates[0] <= 0 or not np.allclose(rates, rates[0], rtol=1e-6):
            return None
        if times[-1] > end:
            flat = table.values.ndim == 1
            rows = function(times) if flat else function(times[:, None], np.arange(table.values.shape[1]))
            return np.asarray(rows, np.float64)
        steps = np.arange(2 * len(steps))
    return None


def _of_step(time: Expr) -> Expr:
    """The same expression with a parameter in place of the step's number."""
    made: dict[int, Expr] = {}
    for node in nodes(time):
        if node.op == "step":
            made[id(node)] = Expr("param", (), node.dim, Type.INT, "step_number")
        else:
            args = tuple(made[id(a)] for a in node.args)
            made[id(node)] = Expr(node.op, args, node.dim, node.type, node.payload, node.unit) if args else node
    return made[id(time)]


def _port(feed: Feed, names: GroupNames, dim: Dimension) -> Expr:
    """What arrives of a table; the first step's value is a parameter, for nothing can arrive there."""
    known = [n for n, f in names.feeds.items() if f.name == feed.name and _same(f, feed)]
    count = sum(f.name == feed.name for f in names.feeds.values())
    port = known[0] if known else f"{feed.name}_at_t" + (f"_{count}" if count else "")
    if not known:
        names.feeds[port] = feed
        names.own(port, Port(unit=si_unit(dim)))
    began = names.began()
    row = feed.values[min(int(began.default), len(feed.values) - 1)]
    first = names.constant(f"{port}_first", row if feed.columns is None else row[feed.columns], dim)
    last = names.constant(
        f"{port}_last", feed.values[-1] if feed.columns is None else feed.values[-1][feed.columns], dim
    )
    arrived: Expr = names.symbols[port]
    return where(step == began, first, where(step >= len(feed.values), last, arrived))


def _same(a: Feed, b: Feed) -> bool:
    same = a.columns is b.columns or (
        a.columns is not None and b.columns is not None and np.array_equal(a.columns, b.columns)
    )
    return same and np.array_equal(a.values, b.values)


def _written_out(table: Any, names: GroupNames, time: Expr, dim: Dimension) -> Expr:
    """One comparison for each entry of the table."""
    from brian2.input.timedarray import _find_K

    parts = _find_K(float(names.group.clock.dt_), table.dt)
    seconds = Expr("const", (), time.dim, Type.FLOAT, table.dt / parts)
    index = to_int(rint(time / seconds) / float(parts))
    value: Expr = const(float(table.values[0]), dim)
    for k, entry in enumerate(table.values[1:], 1):
        value = where(index >= k, const(float(entry), dim), value)
    return value


# --- PoissonInput -----------------------------------------------------------------------------------------------------
def binomial(n: int, p: float) -> Expr:
    """How many of `n` happen, each with probability `p`, as Brian 2 draws it.

    Brian 2 takes a normal distribution where both n p and n (1 - p) are above 5. Otherwise one uniform number is
    compared with the cumulative probabilities, up to a tail of 2^-32.
    """
    if n * p > 5 and n * (1 - p) > 5:
        return normal() * float(np.sqrt(n * p * (1 - p))) + float(n * p)
    drawn, total = uniform(), as_expr(0)
    below, chance = 0.0, (1 - p) ** n
    for k in range(n):
        below += chance
        if p == 0 or (below > 1 - 2.0**-32 and k >= n * p):
            break
        total = total + where(drawn >= below, 1, 0)
        chance = chance * (n - k) / (k + 1) * p / (1 - p) if p < 1 else 0.0
    return to_float(total) if p < 1 else const(float(n))
