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
    places = {o.name: o.port or "the port" for o in synapse.outputs}

    def given(path: str) -> list[str]:
        return [f"{places[n]} <- {places[n]} + {infix(e, names)}" for n, e in synapse.gives(path).items()]

    lines += given("every")
    for path, what in occasions(synapse):
        lines += [f"{line}  ({what})" for line in given(path)]
        lines += [f"{name} <- {infix(e, names)}  ({what})" for name, e in synapse.rules(path).items()]
    return lines


def occasions(synapse: Synapse) -> list[tuple[str, str]]:
    """Name of each path of a synapse, and what comes on it, for people."""
    known = {"on_pre": "arriving event", "on_post": "event of the target"}
    whose = {"pre": "event of the source", "post": "event of the target"}
    return [(p.name, known.get(p.name, f"{whose[p.end]}, {p.name}")) for p in synapse.paths]


def synapse_text(synapse: Synapse) -> str:
    """Canonical text: SI numbers that read back bit for bit, shared nodes written once."""
    lines = [f"synapse {synapse.name}", f"method {synapse.method}", *(["late"] if synapse.late else [])]
    if len(synapse.paths) > 2:
        lines += [f"path {p.name}: {p.end}" for p in synapse.paths]
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
        lines += [f"  {path} = {exact_text(expr, names)}" for path, expr in s.also]
    for o in synapse.outputs:
        lines.append(f"output {o.name}: {o.port or 'the port'} {o.dim.symbol}".rstrip())
        given = [*([] if o.every is None else [("every", o.every)]), *o.on]
        lines += [f"  {path} = {exact_text(expr, names)}" for path, expr in given]
    lines += [f"value {n} = {value_text(v)}" for n, v in synapse.values]
    return "\n".join(lines) + "\n"


def equation_lines(synapse: Synapse) -> list[str]:
    r"""The equations of a synapse, each as ``left &= right`` for an ``aligned`` block."""
    names = {id(e): n for n, e in synapse.named}
    lines = [f"{name_latex(n)} &= {expr_latex(e, without(names, e))}" for n, e in synapse.named]
    lines += advances_latex(synapse.states, names)
    lines += [f"{name_latex(n)} &\\mathrel{{+}}= {expr_latex(e, names)}" for n, e in synapse.gives("every").items()]
    for path, what in occasions(synapse):
        lines += [
            f"{name_latex(n)} &\\mathrel{{+}}= {expr_latex(e, names)} && \\text{{({what})}}"
            for n, e in synapse.gives(path).items()
        ]
        lines += [
            f"{name_latex(name)} &\\leftarrow {expr_latex(e, names)} && \\text{{({what})}}"
            for name, e in synapse.rules(path).items()
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
