"""Expressions as infix text: the form of messages, ``repr`` and a neuron's canonical text."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING

from neuromorph.units import readable_unit

if TYPE_CHECKING:
    from neuromorph.language.expr import Expr

INFIX: dict[str, tuple[str, int]] = {
    "or": ("|", 1),
    "and": ("&", 2),
    "lt": ("<", 4),
    "le": ("<=", 4),
    "gt": (">", 4),
    "ge": (">=", 4),
    "eq": ("==", 4),
    "ne": ("!=", 4),
    "shl": ("<<", 5),
    "shr": (">>", 5),
    "add": ("+", 6),
    "sub": ("-", 6),
    "mul": ("*", 7),
    "div": ("/", 7),
    "pow": ("**", 9),
}
"""Operator and precedence of the binary operations, as in Python."""

PREFIX = {"not": ("~", 8), "neg": ("-", 8)}

CALL = {
    "abs": "abs_",
    "min": "minimum",
    "max": "maximum",
    "select": "where",
    "truncdiv": "trunc_div",
    "int": "to_int",
    "float": "to_float",
}
"""Functions whose name in the language is not the operation's own."""

ATOM = 10
_ASSOCIATIVE = {"and", "or"}  # sums and products of floats are not


def nodes(*roots: Expr, leaves: Container[int] = ()) -> list[Expr]:
    """Every node below ``roots``, operands before users, each once (no recursion: graphs may be deep).

    What is below a node whose ``id`` is in ``leaves`` is left out.
    """
    seen: set[int] = set()
    order: list[Expr] = []
    for root in roots:
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                if id(node) not in leaves:
                    stack.extend((a, False) for a in reversed(node.args) if id(a) not in seen)
    return order


def constant(node: Expr) -> str:
    """A constant in the unit it was written in, or else that in which it reads best."""
    if node.dim.is_none:
        return f"{node.payload:.12g}" if isinstance(node.payload, float) else str(node.payload)
    unit = node.unit or readable_unit(node.payload, node.dim)
    number = f"{node.payload / unit.scale:.12g}"
    return f"{number} / {unit.name[2:]}" if unit.name.startswith("1/") else f"{number} * {unit}"


def exact_constant(node: Expr) -> str:
    """A constant so that it reads back bit for bit: SI units, shortest round-trip decimal."""
    text = repr(node.payload)
    return text if node.dim.is_none else f"{text}[{node.dim.symbol}]"


def leaf(node: Expr) -> str:
    """A leaf by its name."""
    if node.op in ("normal", "uniform", "white_noise"):
        return f"{node.op}()"
    return str(node.payload) if node.payload is not None else node.op if node.op in ("dt", "step") else f"<{node.op}>"


def infix(
    root: Expr,
    names: Mapping[int, str] | None = None,
    *,
    number: Callable[[Expr], str] = constant,
    symbol: Callable[[Expr], str] = leaf,
    limit: int = 2_000,
) -> str:
    """``root`` as text.

    Parameters
    ----------
    root : Expr
    names : mapping of int to str, optional
        Names of nodes by ``id``; a named node is printed by its name.
    number, symbol : callable
        How to print a constant and any other leaf.
    limit : int
        An operand that takes more characters than this is printed as ``...``.
    """
    names = names or {}
    text: dict[int, tuple[str, int]] = {}
    for node in nodes(root, leaves=names):
        if id(node) in names:
            text[id(node)] = names[id(node)], ATOM
            continue
        args = [text[id(a)] if len(text[id(a)][0]) <= limit else ("...", ATOM) for a in node.args]
        text[id(node)] = _render(node, args, number, symbol)
    return text[id(root)][0]


def _render(
    node: Expr, args: list[tuple[str, int]], number: Callable[[Expr], str], symbol: Callable[[Expr], str]
) -> tuple[str, int]:
    op = node.op
    if op == "const":
        literal = number(node)
        return literal, 7 if " " in literal else 8 if literal.startswith("-") else ATOM
    if op in INFIX:
        sign, level = INFIX[op]
        (left, a), (right, b) = args
        # Comparisons do not chain and ** groups to the right, so equal levels need parentheses there.
        strict_left = a < level or (a == level and op == "pow") or (a == level and level == 4)
        strict_right = b < level or (b == level and (op not in _ASSOCIATIVE or node.args[1].op != op))
        return f"{_wrap(left, strict_left)} {sign} {_wrap(right, strict_right)}", level
    if op in PREFIX:
        sign, level = PREFIX[op]
        return sign + _wrap(args[0][0], args[0][1] < level), level
    if node.args:
        return f"{CALL.get(op, op)}({', '.join(t for t, _ in args)})", ATOM
    return symbol(node), ATOM


def _wrap(text: str, needed: bool) -> str:
    return f"({text})" if needed else text
