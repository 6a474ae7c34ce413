"""Expressions and neurons as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from neuromorph.language.infix import ATOM, INFIX, nodes
from neuromorph.language.text import without
from neuromorph.units import Unit, readable_unit

if TYPE_CHECKING:
    from neuromorph.language.expr import Expr
    from neuromorph.language.neuron import Neuron, StateSpec
    from neuromorph.language.synapse import SynapseState

_GREEK = frozenset(
    (
        *(
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
        ),
        *("pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
        *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
    )
)
_BINARY = {
    "or": r"\lor",
    "and": r"\land",
    "lt": "<",
    "le": r"\le",
    "gt": ">",
    "ge": r"\ge",
    "eq": "=",
    "ne": r"\ne",
    "shl": r"\ll",
    "shr": r"\gg",
    "add": "+",
    "sub": "-",
}
_CALL = {
    "exp": r"\exp",
    "log": r"\ln",
    "sigmoid": r"\sigma",
    "tanh": r"\tanh",
    "sin": r"\sin",
    "cos": r"\cos",
    "min": r"\min",
    "max": r"\max",
    "rint": r"\operatorname{rint}",
    "trunc": r"\operatorname{trunc}",
    "int": r"\operatorname{int}",
    "poisson": r"\operatorname{Poisson}",
}
_FENCE = {"abs": (r"\left|", r"\right|"), "floor": (r"\left\lfloor", r"\right\rfloor")}
_LEAF = {"dt": r"\Delta t", "step": r"\mathrm{step}"}
_RANDOM = {"normal": r"\mathcal{N}", "uniform": r"\mathcal{U}", "white_noise": r"\xi"}

MAX_OPERAND = 600
"""An operand of more characters is printed as dots."""

MAX_LINES = 60
"""A neuron of more equations is cut there."""


def name_latex(name: str) -> str:
    r"""A name: ``tau_m`` as ``\tau_{m}``, ``i_in`` as ``i_{\mathrm{in}}``, ``x1`` as ``x_{1}``."""
    end, dot, seen = name.partition(".")
    if dot:  # a value of one end of a synapse
        return f"{name_latex(seen)}^{{\\mathrm{{{end}}}}}"
    base, *subscripts = [part for part in name.split("_") if part] or ["_"]
    digits = re.fullmatch(r"([A-Za-z]+)(\d+)", base)
    if digits:
        base, subscripts = digits[1], [digits[2], *subscripts]
    below = ",".join(_word(s) for s in subscripts)
    return _word(base) + (f"_{{{below}}}" if below else "")


def _word(word: str) -> str:
    if word in _GREEK:
        return f"\\{word}"
    return word if len(word) == 1 or word.isdigit() else f"\\mathrm{{{word}}}"


def unit_latex(unit: Unit) -> str:
    r"""A unit: ``Mohm`` as ``\mathrm{M\Omega}``; empty if dimensionless."""
    parts = []
    for name, exponent in unit.factors:
        symbol = name.replace("ohm", r"\Omega")
        symbol = re.sub(r"^u(?=.)", lambda _: r"\mu ", symbol)
        parts.append(symbol if exponent == 1 else f"{symbol}^{{{exponent}}}")
    return "\\mathrm{" + r"\,".join(parts) + "}" if parts else ""


def number_latex(value: float | int | bool) -> str:
    """A number, with powers of ten written out."""
    if isinstance(value, bool):
        return r"\mathrm{true}" if value else r"\mathrm{false}"
    text = f"{value:.6g}"
    mantissa, _, exponent = text.partition("e")
    text = text if not exponent else f"{mantissa} \\cdot 10^{{{int(exponent)}}}"
    return text.replace("inf", r"\infty")


def expr_latex(root: Expr, names: dict[int, str] | None = None) -> str:
    """``root`` as LaTeX; a node whose ``id`` is in ``names`` is printed by name."""
    names = names or {}
    text: dict[int, tuple[str, int]] = {}
    for node in nodes(root, leaves=names):
        if id(node) in names:
            text[id(node)] = name_latex(names[id(node)]), ATOM
            continue
        args = [text[id(a)] if len(text[id(a)][0]) <= MAX_OPERAND else (r"\cdots", ATOM) for a in node.args]
        text[id(node)] = _render(node, args)
    return text[id(root)][0]


def _render(node: Expr, args: list[tuple[str, int]]) -> tuple[str, int]:
    op, texts = node.op, [t for t, _ in args]
    if op == "const":
        return _constant(node)
    if op == "mul":
        left, right = (_fence(t, level < INFIX["mul"][1]) for t, level in args)
        return f"{left} {_product_sign(right)} {right}", INFIX["mul"][1]
    if op in _BINARY:
        level = INFIX[op][1]
        tight = args[1][1] < level or (args[1][1] == level and op not in ("add", "and", "or"))
        left = _fence(texts[0], args[0][1] < level or (args[0][1] == level and level <= 5 and op not in ("and", "or")))
        return f"{left} {_BINARY[op]} {_fence(texts[1], tight)}", level
    if op == "select":
        cases = f"{texts[1]} & \\text{{if }} {texts[0]} \\\\ {texts[2]} & \\text{{otherwise}}"
        return f"\\begin{{cases}} {cases} \\end{{cases}}", 0
    if op in _FENCE:
        return f"{_FENCE[op][0]} {texts[0]} {_FENCE[op][1]}", ATOM
    if op in _CALL:
        return f"{_CALL[op]}\\left({', '.join(texts)}\\right)", ATOM
    if op in _RANDOM:
        return f"{_RANDOM[op]}_{{{node.payload}}}", ATOM
    return _OTHER[op](args) if op in _OTHER else (_LEAF.get(op) or name_latex(str(node.payload)), ATOM)


# Fractions bind like products; a power's base must be an atom, and a fraction is none.
_OTHER: dict[str, Callable[[list[tuple[str, int]]], tuple[str, int]]] = {
    "div": lambda a: (f"\\frac{{{a[0][0]}}}{{{a[1][0]}}}", 8),
    "truncdiv": lambda a: (f"\\operatorname{{trunc}}\\left(\\frac{{{a[0][0]}}}{{{a[1][0]}}}\\right)", ATOM),
    "neg": lambda a: (f"-{_fence(a[0][0], a[0][1] < 7)}", 6),
    "not": lambda a: (f"\\lnot {_fence(a[0][0], a[0][1] < ATOM)}", 8),
    "pow": lambda a: (f"{_fence(a[0][0], a[0][1] < ATOM)}^{{{a[1][0]}}}", 9),
    "sqrt": lambda a: (f"\\sqrt{{{a[0][0]}}}", ATOM),
    "float": lambda a: a[0],
}


def _constant(node: Expr) -> tuple[str, int]:
    unit = None if node.dim.is_none else node.unit or readable_unit(node.payload, node.dim)
    number = number_latex(node.payload if unit is None else node.payload / unit.scale)
    text = number if unit is None else f"{number}\\,{unit_latex(unit)}"
    return text, 6 if number.startswith("-") else 7 if "cdot" in number or unit is not None else ATOM


def _product_sign(right: str) -> str:
    return r"\cdot" if right[:1].isdigit() else r"\,"


def _fence(text: str, needed: bool) -> str:
    return f"\\left({text}\\right)" if needed else text


def equation_lines(neuron: Neuron) -> list[str]:
    r"""The equations of a neuron, each as ``left &= right`` for an ``aligned`` block."""
    names = {id(e): n for n, e in neuron.named}

    def show(e: Expr) -> str:
        return expr_latex(e, names)

    lines = [f"{name_latex(n)} &= {expr_latex(e, without(names, e))}" for n, e in neuron.named]
    for s in neuron.states:
        x = name_latex(s.name)
        if s.jump is not None:
            lines.append(f"{x} &\\leftarrow {x} + {show(s.jump)} && \\text{{(arriving)}}")
    lines += advances_latex(neuron.states, names)
    if neuron.event is not None:
        e = neuron.event
        line = f"{name_latex(e.name)} &: {show(e.when)}"
        line += f",\\ \\text{{value }} {show(e.value)}" if e.value is not None else ""
        line += f",\\ \\text{{refractory for }} {show(e.refractory)}" if e.refractory is not None else ""
        line += f",\\ \\text{{holding }} {', '.join(name_latex(h) for h in e.hold)}" if e.hold else ""
        lines.append(line)
    resets = ((name_latex(s.name), s.reset) for s in neuron.states if s.reset is not None)
    return lines + [f"{x} &\\leftarrow {show(e)} && \\text{{(at an event)}}" for x, e in resets]


def advances_latex(states: Iterable[StateSpec | SynapseState], names: dict[int, str]) -> list[str]:
    """How states advance, each as ``left &= right``."""
    lines = []
    for s in states:
        x = name_latex(s.name)
        if s.dot is not None:
            lines.append(f"\\frac{{d {x}}}{{d t}} &= {expr_latex(s.dot, names)}")
        elif s.next is not None:
            lines.append(f"{x} &\\leftarrow {expr_latex(s.next, names)}")
    return lines


def neuron_latex(neuron: Neuron) -> str:
    """The equations of a neuron as one displayed block, at most ``MAX_LINES`` of them."""
    return aligned(equation_lines(neuron))


def aligned(lines: list[str]) -> str:
    """Equations as one displayed block, at most ``MAX_LINES`` of them."""
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"&\\cdots\\ \\text{{{len(lines) - MAX_LINES} more}}"]
    body = " \\\\\n".join(lines)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"
