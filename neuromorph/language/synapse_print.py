"""A synapse as text, LaTeX and HTML: readable equations, and the canonical form that its hash is made of."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from neuromorph.language.html import cut, initial_value, shown_value, table, written
from neuromorph.language.infix import infix
from neuromorph.language.latex import advances_latex, aligned, expr_latex, name_latex
from neuromorph.language.text import advances, exact_text, kind_text, let_lines, value_text, without

if TYPE_CHECKING:
    from neuromorph.language.synapse import Synapse, SynapseState

OWNERS = {"pre": "source neuron", "post": "target neuron", "synapse": "synapse"}
"""Whose the states of each place are, for people."""


def equations(synapse: Synapse) -> list[str]:
    """The equations of a synapse, in the order in which a step evaluates them, one in each line."""
    names = {id(e): n for n, e in synapse.named}
    lines = [f"{n} = {infix(e, without(names, e))}" for n, e in synapse.named]
    lines += advances(synapse.states, names)
    for rule, what in (("on_pre", "arriving event"), ("on_post", "event of the target")):
        lines += [f"{name} <- {infix(e, names)}  ({what})" for name, e in synapse.rules(rule).items()]
    return lines


def synapse_text(synapse: Synapse) -> str:
    """Canonical text: SI numbers that read back bit for bit, shared nodes written once."""
    lines = [f"synapse {synapse.name}", f"method {synapse.method}"]
    lines += [f"param {p.name}: {kind_text(p)} = {p.default!r}" for p in synapse.params]
    lines += [f"view {v.name}: {v.dim.symbol}" for v in synapse.views]
    lets, names = let_lines(synapse)
    lines += lets
    for s in synapse.states:
        kind = "weight" if s.name == synapse.weight else f"{s.place} state"
        unit = "of the port" if s.name == synapse.weight and synapse.in_port_unit else str(s.unit)
        start = "" if s.name == synapse.weight else f" = {exact_text(s.initial, names)}"
        lines.append(f"{kind} {s.name}: {unit}".rstrip() + start)
        for rule in ("dot", "next", "on_pre", "on_post"):
            expr = getattr(s, rule)
            if expr is not None:
                lines.append(f"  {rule} = {exact_text(expr, names)}")
    lines += [f"value {n} = {value_text(v)}" for n, v in synapse.values]
    return "\n".join(lines) + "\n"


def equation_lines(synapse: Synapse) -> list[str]:
    r"""The equations of a synapse, each as ``left &= right`` for an ``aligned`` block."""
    names = {id(e): n for n, e in synapse.named}
    lines = [f"{name_latex(n)} &= {expr_latex(e, without(names, e))}" for n, e in synapse.named]
    lines += advances_latex(synapse.states, names)
    for rule, what in (("on_pre", "arriving event"), ("on_post", "event of the target")):
        lines += [
            f"{name_latex(name)} &\\leftarrow {expr_latex(e, names)} && \\text{{({what})}}"
            for name, e in synapse.rules(rule).items()
        ]
    return lines


def synapse_latex(synapse: Synapse) -> str:
    """The equations of a synapse as one displayed block."""
    return aligned(equation_lines(synapse))


def synapse_html(synapse: Synapse) -> str:
    """Name, docstring, equations and tables of a synapse."""
    given = dict(synapse.values)
    doc = f"<p>{escape(cut(synapse.doc, 1000))}</p>" if synapse.doc else ""
    params = [(p.name, shown_value(given.get(p.name), written(p.default, p.unit))) for p in synapse.params]
    states = [(s.name, OWNERS[s.place], shown_value(given.get(s.name), _start(synapse, s))) for s in synapse.states]
    return (
        f"<div><strong>{escape(synapse.name)}</strong> <small>(method {escape(synapse.method)})</small>{doc}"
        f"{escape(synapse_latex(synapse), quote=False)}"
        f"{table('Parameters', ('parameter', 'value'), params)}"
        f"{table('States', ('state', 'one for each', 'initial value'), states)}</div>"
    )


def _start(synapse: Synapse, state: SynapseState) -> str:
    return "the projection's weight" if state.name == synapse.weight else initial_value(state)
