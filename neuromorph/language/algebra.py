"""Building expressions from expressions whose dimensions are known to agree, without trivial terms.

Unlike the operators, these do not check: they serve transformations of equations that were checked when written.
"""

from __future__ import annotations

from neuromorph.language.expr import Expr, Type, const
from neuromorph.units import Dimension


def zero(dim: Dimension) -> Expr:
    """0 with a dimension."""
    return const(0.0, dim)


def is_const(e: Expr, value: float) -> bool:
    """True if ``e`` is the constant ``value`` (in SI units)."""
    return e.op == "const" and e.type is not Type.BOOL and bool(e.payload == value)


def add(a: Expr, b: Expr) -> Expr:
    """a + b."""
    if is_const(b, 0):
        return a
    if is_const(a, 0):
        return b
    if a.op == b.op == "const":
        return const(a.payload + b.payload, a.dim)
    return sub(a, b.args[0]) if b.op == "neg" else Expr("add", (a, b), a.dim)


def sub(a: Expr, b: Expr) -> Expr:
    """a - b."""
    if is_const(b, 0):
        return a
    if is_const(a, 0):
        return neg(b)
    if a.op == b.op == "const":
        return const(a.payload - b.payload, a.dim)
    return add(a, b.args[0]) if b.op == "neg" else Expr("sub", (a, b), a.dim)


def neg(a: Expr) -> Expr:
    """-a."""
    if a.op == "const":
        return const(-a.payload, a.dim)
    return a.args[0] if a.op == "neg" else Expr("neg", (a,), a.dim)


def mul(a: Expr, b: Expr) -> Expr:
    """a * b."""
    dim = a.dim * b.dim
    if is_const(a, 0) or is_const(b, 0):
        return zero(dim)
    if a.op == b.op == "const":
        return const(a.payload * b.payload, dim)
    if is_const(b, 1) and b.dim.is_none:
        return a
    if is_const(a, 1) and a.dim.is_none:
        return b
    if a.op == "neg":
        return neg(mul(a.args[0], b))
    return neg(mul(a, b.args[0])) if b.op == "neg" else Expr("mul", (a, b), dim)


def div(a: Expr, b: Expr) -> Expr:
    """a / b."""
    dim = a.dim / b.dim
    if is_const(a, 0):
        return zero(dim)
    if is_const(b, 1) and b.dim.is_none:
        return a
    return neg(div(a.args[0], b)) if a.op == "neg" else Expr("div", (a, b), dim)


def select(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """``yes`` where the condition holds, else ``no``."""
    same = yes is no or (yes.op == no.op == "const" and yes.payload == no.payload)
    return yes if same else Expr("select", (condition, yes, no), yes.dim, yes.type)
