"""Names that differ in numbers only: heads of an operator, blocks of a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def pattern(name: str) -> str:
    """The name with a star for every number: "attn3.q.head1" is "attn*.q.head*"."""
    return re.sub(r"\d+", "*", name)


def alike(rows: Iterable[T], name: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Rows by the :func:`pattern` of their names, in the order of the first of each; a single one keeps its name."""
    groups: dict[str, list[T]] = {}
    for row in rows:
        groups.setdefault(pattern(name(row)), []).append(row)
    return [(key if len(those) > 1 else name(those[0]), those) for key, those in groups.items()]
