"""Reading a class body: what neurons and synapses share on the way from names that a body bound to plain data."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr
from neuromorph.language.site import Site
from neuromorph.language.symbols import Event, Param, Port, State

SYMBOLS: Final = (Port, Param, State, Event)
RANDOM: Final = ("normal", "uniform", "white_noise", "poisson")

RESERVED: Final = {"dt": "the length of a step", "step": "the number of the step"}
"""Names that already mean something in every equation."""


def refuse_at(cls: type, site: Site | None, problem: str) -> NoReturn:
    """Raise a LanguageError that names the class and, if known, the line."""
    if site is None:
        raise LanguageError(f"{cls.__name__}: {problem}")
    source = linecache.getline(site.filename, site.lineno).strip()
    raise LanguageError(
        replace(site, neuron=cls.__name__, source=source).message(problem), filename=site.filename, lineno=site.lineno
    )


def check_class(cls: object, kind: str) -> type:
    """``cls``, if it is one class body without bases; ``kind`` is what the decorator makes of it."""
    if not isinstance(cls, type):
        raise LanguageError(f"@{kind} decorates a class, not {cls!r}")
    if cls.__bases__ != (object,):
        bases = ", ".join(b.__name__ for b in cls.__bases__)
        raise LanguageError(
            f"{cls.__name__}: a {kind} is one class body and has no base classes, got {bases}; everything that a "
            f"{kind} does stands in one place: put shared equations into a function and call it in the body"
        )
    return cls


def read_symbols(
    cls: type, made: Iterable[Any], advice: Mapping[type, str], kinds: tuple[type[Any], ...] = SYMBOLS
) -> dict[str, Any]:
    """Symbols by name; every one that the body made must have exactly one name.

    Parameters
    ----------
    made : iterable of symbols
        In the order in which the body made them.
    advice : mapping of type to str
        What to do about a symbol of that type that has no name.
    kinds : tuple of type
        What counts as a symbol.
    """
    made = list(made)
    symbols: dict[str, Any] = {name: value for name, value in vars(cls).items() if isinstance(value, kinds)}
    ours = {id(symbol) for symbol in made}
    names: dict[int, str] = {}
    for name, symbol in symbols.items():
        kind = type(symbol).__name__
        if id(symbol) not in ours:
            refuse_at(
                cls, symbol.site, f"{name!r} is a {kind} made outside of {cls.__name__}'s body; make it in the body"
            )
        if id(symbol) in names:
            first = names[id(symbol)]
            refuse_at(cls, symbol.site, f"one {kind} is bound to two names, {first!r} and {name!r}; give it one name")
        names[id(symbol)] = name
    for symbol in made:
        if id(symbol) not in names:
            usual = "bind each to a name of its own, as in a, b = Param(1.0), Param(2.0)"
            told = next((text for type_, text in advice.items() if isinstance(symbol, type_)), usual)
            kind = type(symbol).__name__
            refuse_at(cls, symbol.site, f"the {kind} made here has no name, or lost it to a later binding; {told}")
    return symbols


def read_named(cls: type) -> dict[str, Expr]:
    """Intermediate expressions that the body gave a name."""
    return {
        name: value
        for name, value in vars(cls).items()
        if isinstance(value, Expr)
        and not isinstance(value, SYMBOLS)
        and not name.startswith("_")
        and (value.args or value.op in RANDOM)
    }


def check_reserved(cls: type, symbols: Mapping[str, Any], named: Mapping[str, Expr]) -> None:
    """Refuse names that mean something in every equation."""
    for name in (*symbols, *named):
        if name in RESERVED:
            site = symbols[name].site if name in symbols else None
            refuse_at(cls, site, f"{name!r} already has a meaning in equations, {RESERVED[name]}; choose another name")


def check_origin(cls: type, symbols: Mapping[str, Any], reachable: Iterable[Expr], kind: str) -> None:
    """Refuse symbols that another class body made."""
    ours = {id(s) for s in symbols.values()}
    for node in reachable:
        if isinstance(node, Port | Param | State) and id(node) not in ours:
            refuse_at(
                cls,
                node.site,
                f"the {type(node).__name__} made here is used in {cls.__name__}, but was made outside of its body "
                f"(perhaps in another {kind}'s); make one in the body",
            )


def plain_nodes(symbols: Mapping[str, Any], reachable: list[Expr]) -> dict[int, Expr]:
    """Every node without authoring objects: symbols become named leaves, random leaves are numbered from 0."""
    names = {id(s): name for name, s in symbols.items()}
    streams = {p: k for k, p in enumerate(sorted(n.payload for n in reachable if n.op in RANDOM))}
    plain: dict[int, Expr] = {}
    for node in reachable:
        if id(node) in names:
            plain[id(node)] = Expr(node.op, (), node.dim, node.type, names[id(node)])
        else:
            args = tuple(plain[id(a)] for a in node.args)
            payload = streams[node.payload] if node.op in RANDOM else node.payload
            plain[id(node)] = Expr(node.op, args, node.dim, node.type, payload, node.unit)
    return plain
