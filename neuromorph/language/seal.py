"""From the names that a class body bound to a :class:`~neuromorph.language.neuron.Neuron`."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr, nodes
from neuromorph.language.neuron import EventSpec, Neuron, ParamSpec, PortSpec, StateSpec
from neuromorph.language.site import Site
from neuromorph.language.symbols import REGISTRY, Event, Param, Port, State

_SYMBOLS = (Port, Param, State, Event)
_RANDOM = ("normal", "uniform", "white_noise", "poisson")

RESERVED_PORTS = frozenset(
    (
        "name",
        "size",
        "shape",
        "index",
        "first_id",
        "neuron",
        "positions",
        "record",
        "network",
        "port",
        "ports",
        "coordinates",
        "positions_in_metres",
        "record_events",
        "values",
    )
)
"""Names that a population has already, so that ``population.<port>`` could not mean the port."""

RESERVED = frozenset(("dt", "step"))
"""Names that already mean something in every equation."""


def seal(cls: object, method: str) -> Neuron:
    """Check a class body against the rules of the language and make plain data of it.

    Raises
    ------
    LanguageError
    """
    if not isinstance(cls, type):
        raise LanguageError(f"@neuron decorates a class, not {cls!r}")
    _check_bases(cls)
    made = vars(cls).get(REGISTRY, [])
    symbols = _symbols(cls, made)
    named = {
        name: value
        for name, value in vars(cls).items()
        if isinstance(value, Expr)
        and not isinstance(value, _SYMBOLS)
        and not name.startswith("_")
        and (value.args or value.op in _RANDOM)
    }
    _check_names(cls, symbols, named)
    event = _only_event(cls, symbols)
    roots = _roots(symbols, named)
    reachable = nodes(*roots)
    _check_reachable(cls, symbols, reachable)
    _check_ports(cls, symbols, reachable)
    if event is None:
        for name, symbol in symbols.items():
            if isinstance(symbol, State) and "reset" in symbol.rules:
                _refuse(
                    cls,
                    symbol.sites["reset"],
                    f".reset of state {name!r} can never happen, for {cls.__name__} has no Event; add one",
                )
    return _build(cls, method, symbols, named, reachable)


def _refuse(cls: type, site: Site | None, problem: str) -> NoReturn:
    if site is None:
        raise LanguageError(f"{cls.__name__}: {problem}")
    source = linecache.getline(site.filename, site.lineno).strip()
    raise LanguageError(
        replace(site, neuron=cls.__name__, source=source).message(problem), filename=site.filename, lineno=site.lineno
    )


def _check_bases(cls: type) -> None:
    if cls.__bases__ != (object,):
        bases = ", ".join(b.__name__ for b in cls.__bases__)
        raise LanguageError(
            f"{cls.__name__}: a neuron is one class body and has no base classes, got {bases}; everything that a "
            "neuron does stands in one place: put shared equations into a function and call it in the body"
        )


def _symbols(cls: type, made: list[Any]) -> dict[str, Any]:
    """Symbols by name; every one that the body made must have exactly one name."""
    symbols = {name: value for name, value in vars(cls).items() if isinstance(value, _SYMBOLS)}
    ours = {id(symbol) for symbol in made}
    names: dict[int, str] = {}
    for name, symbol in symbols.items():
        kind = type(symbol).__name__
        if id(symbol) not in ours:
            _refuse(
                cls, symbol.site, f"{name!r} is a {kind} made outside of {cls.__name__}'s body; make it in the body"
            )
        if id(symbol) in names:
            first = names[id(symbol)]
            _refuse(cls, symbol.site, f"one {kind} is bound to two names, {first!r} and {name!r}; give it one name")
        names[id(symbol)] = name
    for symbol in made:
        if id(symbol) not in names:
            kind = type(symbol).__name__
            advice = ""
            if isinstance(symbol, State):
                advice = "; to change a state, assign its .jump, .dot, .next or .reset and leave its name alone"
            elif isinstance(symbol, Event) and any(isinstance(s, Event) for s in symbols.values()):
                advice = "; a neuron has one Event"
            else:
                advice = "; bind each to a name of its own, as in a, b = Param(1.0), Param(2.0)"
            _refuse(cls, symbol.site, f"the {kind} made here has no name, or lost it to a later binding{advice}")
    return symbols


def _check_names(cls: type, symbols: Mapping[str, Any], named: Mapping[str, Expr]) -> None:
    for name in (*symbols, *named):
        if name in RESERVED:
            site = symbols[name].site if name in symbols else None
            meaning = "the length of a step" if name == "dt" else "the number of the step"
            _refuse(cls, site, f"{name!r} already has a meaning in equations, {meaning}; choose another name")
    for name, symbol in symbols.items():
        if isinstance(symbol, Port) and name in RESERVED_PORTS:
            _refuse(
                cls, symbol.site, f"a port cannot be called {name!r}: every population has .{name} already; rename it"
            )


def _only_event(cls: type, symbols: Mapping[str, Any]) -> Event | None:
    events = [(name, s) for name, s in symbols.items() if isinstance(s, Event)]
    if len(events) > 1:
        names = " and ".join(repr(n) for n, _ in events)
        _refuse(cls, events[1][1].site, f"a neuron has one Event, got {names}; join their conditions with |")
    return events[0][1] if events else None


def _roots(symbols: Mapping[str, Any], named: Mapping[str, Expr]) -> list[Expr]:
    roots: list[Expr | None] = list(named.values())
    for symbol in symbols.values():
        if isinstance(symbol, State):
            roots += [symbol.initial, *symbol.rules.values()]
        elif isinstance(symbol, Event):
            roots += [symbol.when, symbol.value, symbol.refractory]
    return [r for r in roots if r is not None]


def _check_reachable(cls: type, symbols: Mapping[str, Any], reachable: list[Expr]) -> None:
    ours = {id(s) for s in symbols.values()}
    for node in reachable:
        if isinstance(node, Port | Param | State) and id(node) not in ours:
            _refuse(
                cls,
                node.site,
                f"the {type(node).__name__} made here is used in {cls.__name__}, but was made outside of its body "
                "(perhaps in another neuron's); make one in the body",
            )
    for symbol in symbols.values():
        if isinstance(symbol, Event):
            for held in symbol.hold:
                if id(held) not in ours:
                    _refuse(cls, symbol.site, f"hold= names a State that was made outside of {cls.__name__}'s body")


def _check_ports(cls: type, symbols: Mapping[str, Any], reachable: list[Expr]) -> None:
    read = {id(node) for node in reachable}
    for name, symbol in symbols.items():
        if isinstance(symbol, Port) and id(symbol) not in read:
            _refuse(cls, symbol.site, f"port {name!r} is never read; use it in a .jump, .dot or .next, or remove it")


def _build(
    cls: type, method: str, symbols: Mapping[str, Any], named: Mapping[str, Expr], reachable: list[Expr]
) -> Neuron:
    plain = _plain_nodes(symbols, reachable)
    names = {id(s): name for name, s in symbols.items()}

    def data(e: Expr | None) -> Expr | None:
        return None if e is None else plain[id(e)]

    ports, params, states, event = [], [], [], None
    for name, s in symbols.items():
        if isinstance(s, Port):
            ports.append(PortSpec(name, s.unit, s.type))
        elif isinstance(s, Param):
            params.append(ParamSpec(name, s.default, s.unit, s.type))
        elif isinstance(s, State):
            rules = {rule: plain[id(e)] for rule, e in s.rules.items()}
            states.append(StateSpec(name, plain[id(s.initial)], s.unit, s.type, **rules))
        else:
            hold = tuple(names[id(h)] for h in s.hold)
            event = EventSpec(name, plain[id(s.when)], data(s.value), data(s.refractory), hold)
    return Neuron(
        cls.__name__,
        inspect.cleandoc(cls.__doc__ or ""),
        tuple(ports),
        tuple(params),
        tuple(states),
        tuple((name, plain[id(e)]) for name, e in named.items()),
        event,
        method,
    )


def _plain_nodes(symbols: Mapping[str, Any], reachable: list[Expr]) -> dict[int, Expr]:
    """Every node without authoring objects: symbols become named leaves, random leaves are numbered from 0."""
    names = {id(s): name for name, s in symbols.items()}
    streams = {p: k for k, p in enumerate(sorted(n.payload for n in reachable if n.op in _RANDOM))}
    plain: dict[int, Expr] = {}
    for node in reachable:
        if id(node) in names:
            plain[id(node)] = Expr(node.op, (), node.dim, node.type, names[id(node)])
        else:
            args = tuple(plain[id(a)] for a in node.args)
            payload = streams[node.payload] if node.op in _RANDOM else node.payload
            plain[id(node)] = Expr(node.op, args, node.dim, node.type, payload, node.unit)
    return plain
