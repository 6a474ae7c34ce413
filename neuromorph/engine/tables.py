"""A summary and tables of it, as reports of all targets show themselves: in text, in a terminal, in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, head and rows."""

MOST_ROWS = 50
"""Rows of a table that a notebook shows."""


def as_text(summary: str, tables: Sequence[Table]) -> str:
    """What ``print`` shows; tables without rows are left out."""
    parts = [summary]
    for title, head, rows in tables:
        if rows:
            parts += ["", title, text_table(head, rows)]
    return "\n".join(parts)


def as_rich(summary: str, tables: Sequence[Table]) -> Iterator[Any]:
    """What a ``rich`` console shows: tables that fit the width of the terminal."""
    from rich import box
    from rich.markup import escape as plain
    from rich.table import Table as Shown

    yield plain(summary)
    for title, head, rows in tables:
        table = Shown(*head, title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*map(plain, row))
        if rows:
            yield table


def as_html(summary: str, tables: Sequence[Table]) -> str:
    """What a notebook shows."""
    parts = [f"<p>{escape(summary)}</p>"]
    for title, head, rows in tables:
        if rows:
            more = f"<p>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
            parts.append(f"<b>{escape(title)}</b>{html_table(head, rows[:MOST_ROWS])}{more}")
    return "".join(parts)


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for terminals: columns as wide as they need."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    return "\n".join((lines[0], "-" * min(len(max(lines, key=len)), 120), *lines[1:]))


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for notebooks."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
