"""Expression graphs as a flat table: pickle would recurse into every operand, deeper than its stack allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from neuromorph.language.expr import Expr, nodes

Rows: TypeAlias = "list[tuple[Any, ...]]"


def to_rows(roots: Sequence[Expr]) -> tuple[Rows, dict[int, int]]:
    """The nodes below ``roots``, operands first, one tuple each, and the row of each node by ``id``."""
    order = nodes(*roots)
    number = {id(e): k for k, e in enumerate(order)}
    return [(e.op, tuple(number[id(a)] for a in e.args), e.dim, e.type, e.payload, e.unit) for e in order], number


def from_rows(rows: Rows) -> list[Expr]:
    """The nodes again."""
    made: list[Expr] = []
    for op, args, *rest in rows:
        made.append(Expr(op, tuple(made[a] for a in args), *rest))
    return made
