"""Random expressions and their value: what tests of the language draw and judge with."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from neuromorph.language import (
    Expr,
    Type,
    abs_,
    cos,
    exp,
    floor,
    log,
    maximum,
    minimum,
    sigmoid,
    sin,
    sqrt,
    tanh,
    to_int,
    where,
)
from neuromorph.language.expr import nodes
from neuromorph.units import NONE

UNARY = {
    "neg": lambda a: -a,
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "floor": math.floor,
    "int": int,
    "float": float,
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "min": min,
    "max": max,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def evaluate(root: Expr, values: dict[str, float]) -> Any:
    """Value of an expression, in float64."""
    found: dict[int, Any] = {}
    for node in nodes(root):
        args = [found[id(a)] for a in node.args]
        if node.op == "const":
            found[id(node)] = node.payload
        elif node.op in ("state", "param"):
            found[id(node)] = values[node.payload]
        elif node.op == "select":
            found[id(node)] = args[1] if args[0] else args[2]
        else:
            found[id(node)] = (UNARY | BINARY)[node.op](*args)
    return found[id(root)]


X, Y = (Expr("state", (), NONE, Type.FLOAT, name) for name in "xy")
A, B = (Expr("param", (), NONE, Type.FLOAT, name) for name in "ab")

moderate = st.floats(-2, 2).map(lambda x: round(x, 3))
leaf = st.sampled_from([X, Y, A, B]) | moderate.map(lambda x: Expr("const", payload=x))


def _smooth(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a - b, inner, inner),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a, b: a / (1.5 + b * b), inner, inner),
        st.builds(lambda a: -a, inner),
        st.builds(lambda a: tanh(a), inner),
        st.builds(lambda a: sigmoid(a), inner),
        st.builds(lambda a: sin(a) - cos(a), inner),
        st.builds(lambda a: exp(-(a * a)), inner),
        st.builds(lambda a: log(1 + a * a), inner),
        st.builds(lambda a: sqrt(1 + a * a), inner),
        st.builds(lambda a, n: a**n, inner, st.integers(0, 3)),
    )


def _piecewise(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return _smooth(inner) | st.one_of(
        st.builds(lambda a: abs_(a), inner),
        st.builds(lambda a, b: minimum(a, b), inner, inner),
        st.builds(lambda a, b: maximum(a, b), inner, inner),
        st.builds(lambda a, b, c: where(a > b, b, c), inner, inner, inner),
        st.builds(lambda a, b: floor(a) * b, inner, inner),
        st.builds(lambda a, b: to_int(a) + b, inner, inner),
    )


smooth = st.recursive(leaf, _smooth, max_leaves=8)
piecewise = st.recursive(leaf, _piecewise, max_leaves=8)
point = st.fixed_dictionaries(dict.fromkeys("xyab", moderate))
