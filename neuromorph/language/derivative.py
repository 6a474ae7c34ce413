"""Symbolic derivatives of expressions, from which lowering makes integrators."""

from __future__ import annotations

from neuromorph.language.algebra import add, div, mul, neg, select, sub, zero
from neuromorph.language.expr import Expr, Type, const, nodes


def derivative(expr: Expr, state: str) -> Expr:
    """Derivative of ``expr`` with respect to the state of that name.

    Piecewise functions (``where``, ``abs_``, ``minimum``, ``maximum``, rounding) are differentiated piece by piece; at
    a border the derivative is that of the piece that holds there.

    Parameters
    ----------
    expr : Expr
        A float expression of a sealed neuron.
    state : str
        Name of a float state.

    Returns
    -------
    Expr
        Of the dimension of ``expr`` / that of the state; the constant 0 if ``expr`` does not depend on it.
    """
    order = nodes(expr)
    leaves = [n for n in order if n.op == "state" and n.payload == state]
    if not leaves:
        return zero(expr.dim)
    dim = leaves[0].dim
    slopes: dict[int, Expr] = {}
    for node in order:
        if node.type is Type.FLOAT and any(id(a) in slopes for a in node.args):
            slope = _chain(node, [slopes.get(id(a), zero(a.dim / dim)) for a in node.args])
            if slope is not None:
                slopes[id(node)] = slope
        elif node.op == "state" and node.payload == state and node.type is Type.FLOAT:
            slopes[id(node)] = const(1.0)
    return slopes.get(id(expr), zero(expr.dim / dim))


def _chain(node: Expr, d: list[Expr]) -> Expr | None:
    """Derivative of a node, given those of its operands; None if it is 0 wherever it exists."""
    x = node.args[0]
    match node.op:
        case "add":
            return add(d[0], d[1])
        case "sub":
            return sub(d[0], d[1])
        case "neg":
            return neg(d[0])
        case "mul":
            return add(mul(d[0], node.args[1]), mul(x, d[1]))
        case "div":
            y = node.args[1]
            return sub(div(d[0], y), mul(div(node, y), d[1]))
        case "pow":
            return mul(_power_slope(x, node.args[1].payload), d[0])
        case "exp":
            return mul(node, d[0])
        case "log":
            return div(d[0], x)
        case "sqrt":
            return div(d[0], mul(const(2.0), node))
        case "sigmoid":
            return mul(mul(node, sub(const(1.0), node)), d[0])
        case "tanh":
            return mul(sub(const(1.0), mul(node, node)), d[0])
        case "sin":
            return mul(Expr("cos", (x,)), d[0])
        case "cos":
            return neg(mul(Expr("sin", (x,)), d[0]))
        case "abs":
            return select(_compare("lt", x, zero(x.dim)), neg(d[0]), d[0])
        case "min":
            return select(_compare("le", x, node.args[1]), d[0], d[1])
        case "max":
            return select(_compare("ge", x, node.args[1]), d[0], d[1])
        case "select":
            return select(x, d[1], d[2])
        case _:  # floor, rint, trunc and whatever passes through an int: flat wherever it is smooth
            return None


def _power_slope(x: Expr, n: float) -> Expr:
    """d/dx x**n."""
    if n in (0, 1):
        return const(float(n)) if n else zero(x.dim ** (n - 1))
    raised = x if n == 2 else Expr("pow", (x, const(n - 1)), x.dim ** (n - 1))
    return mul(const(float(n)), raised)


def _compare(op: str, a: Expr, b: Expr) -> Expr:
    return Expr(op, (a, b), type=Type.BOOL)
