"""Random equations: the step program computes what plain NumPy computes on the graph, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.language.expr import Expr, Type, const, nodes
from neuromorph.language.neuron import EventSpec, Neuron, ParamSpec, PortSpec, StateSpec
from neuromorph.lowering import lower_neuron, verify
from neuromorph.lowering.evaluate import evaluate
from neuromorph.units import one

F, Z, B = Type.FLOAT, Type.INT, Type.BOOL
NEURONS = 4


def _toward_zero(a, b):
    return a // b + ((a % b != 0) & ((a < 0) != (b < 0)))


PLAIN = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "floor": np.floor,
    "rint": np.rint,
    "trunc": np.trunc,
    "sqrt": np.sqrt,
    "min": lambda a, b: np.where(a < b, a, b),
    "max": lambda a, b: np.where(a > b, a, b),
    "select": np.where,
    "float": lambda a: np.asarray(a, np.float64),
    "shr": lambda a, b: a >> np.clip(b, 0, 63),
    "shl": lambda a, b: a << np.clip(b, 0, 63),
    "lt": np.less,
    "ge": np.greater_equal,
    "eq": np.equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "truncdiv": lambda a, b: _toward_zero(a, np.where(b == 0, 1, b)) * (b != 0),
}
FORMS = [
    *[(op, (F, F), F) for op in ("add", "sub", "mul", "div", "min", "max")],
    *[(op, (F,), F) for op in ("neg", "abs", "floor", "rint", "trunc", "sqrt")],
    *[(op, (Z, Z), Z) for op in ("add", "sub", "mul", "min", "max", "shr", "truncdiv")],
    *[(op, (Z,), Z) for op in ("neg", "abs")],
    *[(op, (F, F), B) for op in ("lt", "ge", "eq")],
    *[(op, (Z, Z), B) for op in ("lt", "ge", "eq")],
    *[(op, (B, B), B) for op in ("and", "or")],
    ("not", (B,), B),
    ("select", (B, F, F), F),
    ("select", (B, Z, Z), Z),
    ("float", (Z,), F),
]
NUMBER = st.floats(-1e3, 1e3).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
SMALL = st.integers(-20, 20)


@st.composite
def graphs(draw) -> dict[Type, list[Expr]]:
    """Nodes of each type, each made of earlier ones; all share sub-expressions freely."""
    pool: dict[Type, list[Expr]] = {
        F: [
            Expr("state", (), payload="x"),
            Expr("param", (), payload="a"),
            Expr("param", (), payload="b"),
            Expr("port", (), payload="u"),
            Expr("dt"),
            const(draw(NUMBER)),
            const(1.0),
        ],
        Z: [
            Expr("state", (), type=Z, payload="n"),
            Expr("param", (), type=Z, payload="k"),
            Expr("step", (), type=Z),
            const(draw(SMALL)),
        ],
        B: [],
    }
    pool[B].append(Expr("lt", (pool[F][0], pool[F][1]), type=B))
    for _ in range(draw(st.integers(1, 25))):
        op, types, result = draw(st.sampled_from(FORMS))
        args = tuple(draw(st.sampled_from(pool[t])) for t in types)
        pool[result].append(Expr(op, args, type=result))
    return pool


def plain(root: Expr, env: dict[str, Any]) -> Any:
    values: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for node in nodes(root):
            if node.op == "const":
                values[id(node)] = np.asarray(node.payload)
            elif node.op in ("dt", "step"):
                values[id(node)] = env[node.op]
            elif node.payload is not None:
                values[id(node)] = env[node.payload]
            else:
                values[id(node)] = PLAIN[node.op](*(values[id(a)] for a in node.args))
    return np.broadcast_to(values[id(root)], (NEURONS,))


@settings(max_examples=200, deadline=None)
@given(graphs(), st.data())
def test_random_equations(pool, data):
    pick = {t: data.draw(st.sampled_from(pool[t][-4:])) for t in (F, Z, B)}
    values = {
        "a": np.array(data.draw(NUMBER)),
        "b": np.array(data.draw(st.lists(NUMBER, min_size=NEURONS, max_size=NEURONS))),
        "k": np.array(data.draw(SMALL), np.int64),
        "x": np.array(data.draw(st.lists(NUMBER, min_size=NEURONS, max_size=NEURONS))),
        "n": np.array(data.draw(st.lists(SMALL, min_size=NEURONS, max_size=NEURONS)), np.int64),
        "u": np.array(data.draw(st.lists(NUMBER, min_size=NEURONS, max_size=NEURONS))),
    }
    model = Neuron(
        "Random",
        "",
        (PortSpec("u", one, F),),
        (ParamSpec("a", 0.0, one, F), ParamSpec("b", 0.0, one, F), ParamSpec("k", 0, one, Z)),
        (
            StateSpec("x", const(0.0), one, F, next=pick[F]),
            StateSpec("n", const(0), one, Z, next=pick[Z]),
        ),
        (),
        EventSpec("fire", pick[B]),
        values=tuple((name, values[name]) for name in ("a", "b", "k", "x", "n")),
    )
    lowered = lower_neuron(model, 1e-3, "float64", NEURONS)
    verify(lowered.program)
    got = evaluate(lowered.program, lowered.state_init, lowered.param_values, [values["u"]], step=7)
    env = values | {"dt": np.float64(1e-3), "step": np.int64(7)}
    new_x, new_n = (np.broadcast_to(got[k], (NEURONS,)) for k in lowered.program.new_states)
    assert np.array_equal(new_x, plain(pick[F], env), equal_nan=True)
    assert np.array_equal(new_n, plain(pick[Z], env))
    # the condition sees the new states, ints as they are before they are stored
    after = env | {"x": new_x, "n": new_n}
    assert lowered.program.fired is not None
    assert np.array_equal(np.broadcast_to(got[lowered.program.fired], (NEURONS,)), plain(pick[B], after))
