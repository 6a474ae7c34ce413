"""A neuron as HTML for a notebook: equations, ports, parameters and states, bounded in size."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.language.infix import infix
from neuromorph.language.latex import neuron_latex
from neuromorph.units import Quantity, Unit

if TYPE_CHECKING:
    from neuromorph.language.neuron import Neuron, StateSpec
    from neuromorph.language.synapse import SynapseState

MAX_ROWS = 40
"""A table of more rows is cut there."""

MAX_CELL = 200
"""A cell of more characters is cut there."""


def neuron_html(neuron: Neuron) -> str:
    """Name, docstring, equations and tables of a neuron; its size does not grow with arrays of values."""
    given = dict(neuron.values)
    doc = f"<p>{escape(cut(neuron.doc, 1000))}</p>" if neuron.doc else ""
    ports = [(p.name, p.type, str(p.unit)) for p in neuron.ports]
    params = [(p.name, p.type, shown_value(given.get(p.name), written(p.default, p.unit))) for p in neuron.params]
    states = [(s.name, s.type, shown_value(given.get(s.name), initial_value(s))) for s in neuron.states]
    return (
        f"<div><strong>{escape(neuron.name)}</strong> <small>(method {escape(neuron.method)})</small>{doc}"
        f"{escape(neuron_latex(neuron), quote=False)}"
        f"{table('Ports', ('port', 'type', 'unit'), ports)}"
        f"{table('Parameters', ('parameter', 'type', 'value'), params)}"
        f"{table('States', ('state', 'type', 'initial value'), states)}</div>"
    )


def written(value: float | int, unit: Unit) -> str:
    """A number in SI units in the unit that it was written in."""
    return f"{value / unit.scale:.6g} {unit}".rstrip()


def initial_value(state: StateSpec | SynapseState) -> str:
    """The initial value as it was written."""
    start = state.initial
    return written(start.payload, state.unit) if start.op == "const" else infix(start, limit=80)


def shown_value(given: Any, default: str) -> str:
    """A given value in short, or else the default."""
    if given is None:
        return default
    number, unit = (given.value, given.unit) if isinstance(given, Quantity) else (given, None)
    if hasattr(number, "sample"):
        return repr(number)
    scale = 1.0 if unit is None else unit.scale
    if np.ndim(number) == 0:
        return f"{number / scale:.6g} {unit or ''}".rstrip()
    if np.size(number) == 0:
        return "array of 0"
    low, high = np.min(number) / scale, np.max(number) / scale
    return f"array of {np.size(number):,}: {low:.6g} to {high:.6g} {unit or ''}".rstrip()


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """An HTML table of at most ``MAX_ROWS`` rows; nothing if there are none."""
    if not rows:
        return ""
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(cut(str(cell), MAX_CELL))}</td>" for cell in row) + "</tr>"
        for row in rows[:MAX_ROWS]
    )
    if len(rows) > MAX_ROWS:
        cells += f'<tr><td colspan="{len(head)}">{len(rows) - MAX_ROWS} more</td></tr>'
    columns = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><caption>{caption}</caption><thead><tr>{columns}</tr></thead><tbody>{cells}</tbody></table>"


def cut(text: str, length: int) -> str:
    """A text that ends in dots if it is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"
