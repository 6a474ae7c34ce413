"""Expression graphs: the one node type that a neuron's equations are made of.

An :class:`Expr` is immutable, knows its dimension and its type, and refuses what cannot be meant at the line that
wrote it. Nothing is evaluated here: lowering turns graphs into step programs, printers turn them into text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, NoReturn, TypeAlias

import numpy as np

from neuromorph.errors import LanguageError, NeuromorphError, UnitError
from neuromorph.language.infix import infix, nodes
from neuromorph.language.site import here
from neuromorph.units import Dimension, Quantity, Unit, as_quantity, example_unit

__all__ = ["Expr", "Operand", "Type", "as_expr", "const", "nodes"]


class Type(StrEnum):
    """What a value is, whatever width a target gives it."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Expr:
    """A node: an operation on other nodes.

    Attributes
    ----------
    op : str
        ``const state param port dt step normal uniform white_noise poisson`` (leaves; ``poisson`` has one argument),
        ``add sub mul div neg pow abs min max``, ``exp log sqrt sigmoid tanh sin cos floor rint trunc``,
        ``shr shl truncdiv`` (integers), ``lt le gt ge eq ne and or not select``, ``float int``.
    args : tuple of Expr
        Operands. ``select`` takes (condition, if true, if false); ``pow`` takes (base, constant).
        Operands of arithmetic and comparisons have one type: ``float`` is inserted where an int meets a float.
    dim : Dimension
        Physical dimension.
    type : Type
        ``FLOAT``, ``INT`` or ``BOOL``.
    payload
        A constant's value in SI units, a symbol's name, or a random leaf's stream number.
    unit : Unit or None
        The unit that a constant was written in, for printing alone.
    """

    op: str
    args: tuple[Expr, ...] = ()
    dim: Dimension = field(default_factory=Dimension)
    type: Type = Type.FLOAT
    payload: Any = None
    unit: Unit | None = None

    # --- arithmetic -----------------------------------------------------------------------------------------------
    def __add__(self, other: Operand) -> Expr:
        return _sum("add", self, other)

    def __radd__(self, other: Operand) -> Expr:
        if type(other) is int and other == 0:  # where sum() begins, whatever the dimension
            return self
        return _sum("add", other, self)

    def __sub__(self, other: Operand) -> Expr:
        return _sum("sub", self, other)

    def __rsub__(self, other: Operand) -> Expr:
        return _sum("sub", other, self)

    def __mul__(self, other: Operand) -> Expr:
        return _product(self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return _product(other, self)

    def __truediv__(self, other: Operand) -> Expr:
        return _quotient(self, other)

    def __rtruediv__(self, other: Operand) -> Expr:
        return _quotient(other, self)

    def __neg__(self) -> Expr:
        x = numeric(self)
        return Expr("neg", (x,), x.dim, x.type)

    def __pos__(self) -> Expr:
        return self

    def __abs__(self) -> Expr:
        x = numeric(self)
        return Expr("abs", (x,), x.dim, x.type)

    def __pow__(self, power: float | Fraction) -> Expr:
        return _power(self, power)

    # --- comparisons and logic ------------------------------------------------------------------------------------
    def __lt__(self, other: Operand) -> Expr:
        return _comparison("lt", self, other)

    def __le__(self, other: Operand) -> Expr:
        return _comparison("le", self, other)

    def __gt__(self, other: Operand) -> Expr:
        return _comparison("gt", self, other)

    def __ge__(self, other: Operand) -> Expr:
        return _comparison("ge", self, other)

    def __eq__(self, other: Operand) -> Expr:  # type: ignore[override]
        return _comparison("eq", self, other)

    def __ne__(self, other: Operand) -> Expr:  # type: ignore[override]
        return _comparison("ne", self, other)

    def __hash__(self) -> int:
        return id(self) >> 4

    def __and__(self, other: Operand) -> Expr:
        return _logic("and", self, other)

    def __rand__(self, other: Operand) -> Expr:
        return _logic("and", other, self)

    def __or__(self, other: Operand) -> Expr:
        return _logic("or", self, other)

    def __ror__(self, other: Operand) -> Expr:
        return _logic("or", other, self)

    def __invert__(self) -> Expr:
        return Expr("not", (_condition(self, "~"),), type=Type.BOOL)

    # --- integers -------------------------------------------------------------------------------------------------
    def __rshift__(self, other: Operand) -> Expr:
        return _shift("shr", self, other)

    def __rrshift__(self, other: Operand) -> Expr:
        return _shift("shr", other, self)

    def __lshift__(self, other: Operand) -> Expr:
        return _shift("shl", self, other)

    def __rlshift__(self, other: Operand) -> Expr:
        return _shift("shl", other, self)

    # --- what an expression is not --------------------------------------------------------------------------------
    def __bool__(self) -> NoReturn:
        refuse(
            "an expression has no truth value while the class body runs; write where(c, a, b) for if, & | ~ for and or "
            "not, and (a < x) & (x < b) for a < x < b"
        )

    def __iter__(self) -> NoReturn:
        refuse("an expression is one value for each neuron and cannot be iterated; write every element out by name")

    def __len__(self) -> NoReturn:
        refuse("an expression is one value for each neuron and has no length")

    def __getitem__(self, index: object) -> NoReturn:
        refuse("an expression is one value for each neuron and has no elements; give each its own State, Param or Port")

    def __float__(self) -> NoReturn:
        refuse(
            "an expression has no number yet; use neuromorph's own functions (exp, log, sqrt, tanh, ...) instead of "
            "those of math"
        )

    def __int__(self) -> NoReturn:
        refuse("an expression has no number yet; use to_int(x), which truncates for every neuron in every step")

    __index__ = __int__

    def __round__(self, digits: object = None) -> NoReturn:
        refuse("round() is not in the language; use rint(x), floor(x) or trunc(x)")

    def __complex__(self) -> NoReturn:
        refuse("expressions are real")

    def __mod__(self, other: object) -> NoReturn:
        refuse("% is not in the language; write a - floor(a / b) * b, or a - trunc_div(a, b) * b for ints")

    __rmod__ = __mod__

    def __floordiv__(self, other: object) -> NoReturn:
        refuse("// is not in the language; write floor(a / b), or trunc_div(a, b) for ints")

    __rfloordiv__ = __floordiv__

    def __xor__(self, other: object) -> NoReturn:
        refuse("^ is not in the language; write ** for a power, (a & ~b) | (~a & b) for exclusive or")

    __rxor__ = __xor__

    def __matmul__(self, other: object) -> NoReturn:
        refuse("@ is not in the language: weights belong to projections, net.project(pre, post, Dense(w))")

    __rmatmul__ = __matmul__

    def __rpow__(self, base: object) -> NoReturn:
        refuse("an exponent must be a plain number; write exp(x * log(a)) for a ** x")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        refuse("an expression is not a function")

    # --- NumPy ----------------------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> Expr:
        from neuromorph.language.numpy_bridge import apply_ufunc

        return apply_ufunc(ufunc, method, args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Expr:
        from neuromorph.language.numpy_bridge import apply_function

        return apply_function(function, args, options)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        refuse(
            "an expression is not an array; write symbols left of Brian 2's quantities (v * x), or use neuromorph's "
            "own units and functions"
        )

    def __repr__(self) -> str:
        return f"<{self.type} {infix(self, limit=200)}, {self.dim}>"


def _refuse_assignment(self: Expr, name: str, _: object) -> None:
    refuse(
        f".{name} can be assigned on a State only, and this is {describe(self)}; make it a State or name it otherwise"
    )


# A frozen dataclass may not define this itself, and its own message would not say what to do.
type.__setattr__(Expr, "__setattr__", _refuse_assignment)

Operand: TypeAlias = "Expr | Quantity | Unit | float | np.number[Any] | np.bool"


def refuse(problem: str, error: type[NeuromorphError] = LanguageError, **numbers: Any) -> NoReturn:
    """Raise at the user's line."""
    site = here(names=True)
    raise error(site.message(problem), filename=site.filename, lineno=site.lineno, **numbers)


def describe(x: Expr) -> str:
    """``r * i (voltage (V))``: an operand for a message, by the names in sight of the user's line."""
    text = here(names=True).show(x)
    return f"{text} ({x.dim})" if not x.dim.is_none else f"{text} ({x.type}, dimensionless)"


def const(value: float | int | bool, dim: Dimension | None = None, unit: Unit | None = None) -> Expr:
    """A constant in SI units, and the unit to print it in."""
    kind = Type.BOOL if isinstance(value, bool) else Type.INT if isinstance(value, int) else Type.FLOAT
    return Expr("const", (), dim or Dimension(), kind, value, unit)


def as_expr(x: object) -> Expr:
    """``x`` as an expression: expressions as they are, numbers and quantities as constants.

    Raises
    ------
    LanguageError
        If ``x`` is an array or nothing that an expression could hold.
    """
    if isinstance(x, Expr):
        return x
    if isinstance(x, bool | np.bool_):
        return const(bool(x))
    if isinstance(x, int | np.integer):
        if not -(2**63) <= x < 2**63:
            refuse(f"{x} does not fit the 64 bits of int arithmetic; write {float(x)!r} for a float")
        return const(int(x))
    if isinstance(x, float | np.floating):
        if np.isnan(x):
            refuse("not a number (NaN) cannot be part of an expression")
        return const(float(x))
    if hasattr(x, "sample"):
        refuse(f"{x!r} is a distribution; make it a Param and give it as that parameter's value: LIF(tau={x!r})")
    try:
        quantity = as_quantity(x)
    except UnitError:
        shown = f" {x!r:.60}" if type(x).__repr__ is not object.__repr__ else ""  # no memory address
        refuse(f"{type(x).__name__}{shown} cannot be part of an expression; use symbols, numbers and quantities")
    if np.ndim(quantity.value):
        refuse(
            f"an array of shape {quantity.shape} cannot be part of an expression; make it a Param and give it one "
            "value for each neuron when the neuron is used: LIF(tau=array)"
        )
    return const(float(quantity.value), quantity.dim, quantity.unit)


# --- types ------------------------------------------------------------------------------------------------------------
def numeric(x: Expr) -> Expr:
    """A number from whatever ``x`` is: true is 1 and false is 0."""
    if x.type is not Type.BOOL:
        return x
    return const(int(x.payload)) if x.op == "const" else Expr("select", (x, const(1), const(0)), type=Type.INT)


def to_float(x: Expr) -> Expr:
    """``x`` as a float (constants at once)."""
    x = numeric(x)
    if x.type is Type.FLOAT:
        return x
    if x.op == "const":
        return const(float(x.payload))
    if x.op == "select" and x.args[1].op == x.args[2].op == "const":
        return Expr("select", (x.args[0], to_float(x.args[1]), to_float(x.args[2])))
    return Expr("float", (x,))


def common(*xs: Expr) -> tuple[Expr, ...]:
    """Operands as numbers of one type: float if any of them is."""
    ys = tuple(numeric(x) for x in xs)
    return ys if all(y.type is Type.INT for y in ys) else tuple(to_float(y) for y in ys)


def same_dimension(verb: str, joint: str, x: Expr, y: Expr) -> None:
    """Refuse operands of different dimensions, naming both."""
    if x.dim != y.dim:
        hint = ""
        for lone, other in ((x, y), (y, x)):
            if lone.op == "const" and lone.dim.is_none:
                hint = f"; write {lone.payload:g} * {example_unit(other.dim)}, or give it another unit"
        refuse(f"cannot {verb} {describe(x)} {joint} {describe(y)}{hint}", UnitError, left=x.dim, right=y.dim)


# --- operators --------------------------------------------------------------------------------------------------------
def _sum(op: str, left: object, right: object) -> Expr:
    a, b = common(as_expr(left), as_expr(right))
    if op == "add":
        same_dimension("add", "and", a, b)
    else:
        same_dimension("subtract", "from", b, a)
    return Expr(op, (a, b), a.dim, a.type)


def _product(left: object, right: object) -> Expr:
    a, b = common(as_expr(left), as_expr(right))
    return Expr("mul", (a, b), a.dim * b.dim, a.type)


def _quotient(left: object, right: object) -> Expr:
    a, b = to_float(as_expr(left)), to_float(as_expr(right))
    return Expr("div", (a, b), a.dim / b.dim)


def _power(base: Expr, power: object) -> Expr:
    x = numeric(base)
    if isinstance(power, Fraction):
        power = float(power) if power.denominator != 1 else int(power)
    p = as_expr(power)
    if p.op != "const" or not p.dim.is_none or p.type is Type.BOOL:
        refuse(f"an exponent must be a plain number, not {describe(p)}; write exp(b * log(a)) for a ** b")
    if p.type is Type.FLOAT or p.payload < 0:
        x = to_float(x)
    return Expr("pow", (x, p), x.dim**p.payload, x.type)


def _comparison(op: str, left: object, right: object) -> Expr:
    x, y = as_expr(left), as_expr(right)
    for side in (x, y):
        if side.type is Type.BOOL:
            refuse(
                f"{describe(side)} is a condition and cannot be compared; join conditions with & | ~, each comparison "
                "in parentheses: (a > b) & (c > d)"
            )
    a, b = common(x, y)
    same_dimension("compare", "with", a, b)
    return Expr(op, (a, b), type=Type.BOOL)


def _condition(x: object, sign: str) -> Expr:
    e = as_expr(x)
    if e.type is not Type.BOOL:
        refuse(
            f"{sign} joins conditions, and {describe(e)} is a number; put each comparison in parentheses, as in "
            "(a > b) & (c > d)"
        )
    return e


def _logic(op: str, left: object, right: object) -> Expr:
    sign = "&" if op == "and" else "|"
    return Expr(op, (_condition(left, sign), _condition(right, sign)), type=Type.BOOL)


def integer(x: object, what: str) -> Expr:
    """``x`` as an int expression, or a refusal that says what needed it."""
    e = as_expr(x)
    if e.type is not Type.INT:
        kind = "a float" if e.type is Type.FLOAT else "a condition"
        refuse(f"{what} needs ints, and {describe(e)} is {kind}; use to_int(x)")
    return e


def _shift(op: str, left: object, right: object) -> Expr:
    sign = ">>" if op == "shr" else "<<"
    a, b = integer(left, sign), integer(right, sign)
    if b.op == "const" and not 0 <= b.payload <= 63:
        refuse(f"a shift by {b.payload} bits is not possible; use 0 to 63")
    return Expr(op, (a, b), type=Type.INT)
