"""From the names that a class body bound to a :class:`~neuromorph.language.neuron.Neuron`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from neuromorph.language.body import (
    check_class,
    check_origin,
    check_reserved,
    plain_nodes,
    read_named,
    read_symbols,
    refuse_at,
)
from neuromorph.language.expr import Expr, nodes
from neuromorph.language.neuron import EventSpec, Neuron, ParamSpec, PortSpec, StateSpec
from neuromorph.language.symbols import REGISTRY, Event, Param, Port, State

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


def seal(cls: object, method: str) -> Neuron:
    """Check a class body against the rules of the language and make plain data of it.

    Raises
    ------
    LanguageError
    """
    cls = check_class(cls, "neuron")
    symbols = _symbols(cls, vars(cls).get(REGISTRY, []))
    named = read_named(cls)
    check_reserved(cls, symbols, named)
    _check_port_names(cls, symbols)
    event = _only_event(cls, symbols)
    roots = _roots(symbols, named)
    reachable = nodes(*roots)
    check_origin(cls, symbols, reachable, "neuron")
    _check_hold(cls, symbols)
    _check_ports(cls, symbols, reachable)
    _check_neuron_only(cls, symbols, reachable)
    if event is None:
        for name, symbol in symbols.items():
            if isinstance(symbol, State) and "reset" in symbol.rules:
                refuse_at(
                    cls,
                    symbol.sites["reset"],
                    f".reset of state {name!r} can never happen, for {cls.__name__} has no Event; add one",
                )
    return _build(cls, method, symbols, named, reachable)


def _symbols(cls: type, made: list[Any]) -> dict[str, Any]:
    advice: dict[type, str] = {
        State: "to change a state, assign its .jump, .dot, .next or .reset and leave its name alone"
    }
    if any(isinstance(value, Event) for value in vars(cls).values()):
        advice[Event] = "a neuron has one Event"
    return read_symbols(cls, made, advice)


def _check_port_names(cls: type, symbols: Mapping[str, Any]) -> None:
    for name, symbol in symbols.items():
        if isinstance(symbol, Port) and name in RESERVED_PORTS:
            refuse_at(
                cls, symbol.site, f"a port cannot be called {name!r}: every population has .{name} already; rename it"
            )


def _only_event(cls: type, symbols: Mapping[str, Any]) -> Event | None:
    events = [(name, s) for name, s in symbols.items() if isinstance(s, Event)]
    if len(events) > 1:
        names = " and ".join(repr(n) for n, _ in events)
        refuse_at(cls, events[1][1].site, f"a neuron has one Event, got {names}; join their conditions with |")
    return events[0][1] if events else None


def _roots(symbols: Mapping[str, Any], named: Mapping[str, Expr]) -> list[Expr]:
    roots: list[Expr | None] = list(named.values())
    for symbol in symbols.values():
        if isinstance(symbol, State):
            roots += [symbol.initial, *symbol.rules.values()]
        elif isinstance(symbol, Event):
            roots += [symbol.when, symbol.value, symbol.refractory]
    return [r for r in roots if r is not None]


def _check_hold(cls: type, symbols: Mapping[str, Any]) -> None:
    ours = {id(s) for s in symbols.values()}
    for symbol in symbols.values():
        if isinstance(symbol, Event):
            for held in symbol.hold:
                if id(held) not in ours:
                    refuse_at(cls, symbol.site, f"hold= names a State that was made outside of {cls.__name__}'s body")


def _check_ports(cls: type, symbols: Mapping[str, Any], reachable: list[Expr]) -> None:
    read = {id(node) for node in reachable}
    for name, symbol in symbols.items():
        if isinstance(symbol, Port) and id(symbol) not in read:
            refuse_at(cls, symbol.site, f"port {name!r} is never read; use it in a .jump, .dot or .next, or remove it")


def _check_neuron_only(cls: type, symbols: Mapping[str, Any], reachable: list[Expr]) -> None:
    """Refuse what belongs into the class body of a synapse."""
    for name, symbol in symbols.items():
        if isinstance(symbol, State):
            if type(symbol) is not State:
                kind = type(symbol).__name__
                refuse_at(cls, symbol.site, f"{name!r} is a {kind}, which belongs into a class body under @synapse")
            for rule in ("on_pre", "on_post"):
                if rule in symbol.rules:
                    refuse_at(
                        cls,
                        symbol.sites[rule],
                        f".{rule} of state {name!r} belongs into a class body under @synapse; a neuron has .jump "
                        "for what arrives and .reset for its own events",
                    )
    for node in reachable:
        if node.op == "port" and not isinstance(node, Port):
            refuse_at(cls, None, f"{node.payload} is seen by synapses alone: use it in a class body under @synapse")


def _build(
    cls: type, method: str, symbols: Mapping[str, Any], named: Mapping[str, Expr], reachable: list[Expr]
) -> Neuron:
    plain = plain_nodes(symbols, reachable)
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
