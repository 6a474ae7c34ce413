"""From the names that a class body bound to a :class:`~neuromorph.language.synapse.Synapse`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from neuromorph.errors import LanguageError
from neuromorph.language.body import (
    RANDOM,
    check_class,
    check_origin,
    check_reserved,
    plain_nodes,
    read_named,
    read_symbols,
    refuse_at,
)
from neuromorph.language.expr import Expr, Type, nodes
from neuromorph.language.neuron import ParamSpec
from neuromorph.language.symbols import REGISTRY, Event, Param, Port, State
from neuromorph.language.synapse import Place, Synapse, SynapseState, ViewSpec
from neuromorph.language.synapse_symbols import VIEWS, PostState, PreState, Weight

_SEES: dict[Place, tuple[tuple[Place, ...], tuple[str, ...]]] = {
    "pre": (("pre",), ("pre",)),
    "post": (("post",), ("post", "third")),
    "synapse": (("pre", "post", "synapse"), ("pre", "post", "third")),
}
"""What the equations of a state may read, by its place: states of which places, views of which ends."""
_KIND = {"pre": "PreState", "post": "PostState", "synapse": "State"}


def seal_synapse(cls: object, method: str) -> Synapse:
    """Check a class body against the rules of the language and make plain data of it.

    Raises
    ------
    LanguageError
    """
    cls = check_class(cls, "synapse")
    advice: dict[type, str] = {
        State: "to change a state, assign its .dot, .next, .on_pre or .on_post and leave its name alone"
    }
    symbols = read_symbols(cls, vars(cls).get(REGISTRY, []), advice)
    named = read_named(cls)
    check_reserved(cls, symbols, named)
    _check_kinds(cls, symbols)
    weight = _only_weight(cls, symbols)
    roots = list(named.values())
    for symbol in symbols.values():
        if isinstance(symbol, State):
            roots += [symbol.initial, *symbol.rules.values()]
    reachable = nodes(*roots)
    check_origin(cls, symbols, reachable, "synapse")
    for node in reachable:
        if node.op in RANDOM:
            refuse_at(
                cls,
                None,
                f"{node.op}() cannot be used here: synapses have no random numbers. Draw them in a neuron and look at "
                "them through a PreView, a PostView or a Third",
            )
    plain = plain_nodes(symbols, reachable)
    _check_reads(cls, symbols)
    return _build(cls, method, symbols, named, plain, weight)


def _check_kinds(cls: type, symbols: Mapping[str, Any]) -> None:
    for name, symbol in symbols.items():
        if isinstance(symbol, Port | Event):
            kind = type(symbol).__name__
            refuse_at(cls, symbol.site, f"{name!r} is {'an' if kind == 'Event' else 'a'} {kind}, which neurons have")
        if not isinstance(symbol, State):
            continue
        if symbol.type is not Type.FLOAT:
            refuse_at(cls, symbol.site, f"state {name!r} is an int; a synapse's states are floats: leave dtype= out")
        for rule, instead in (("jump", ".on_pre or .on_post"), ("reset", ".on_post")):
            if rule in symbol.rules:
                refuse_at(
                    cls,
                    symbol.sites[rule],
                    f".{rule} of state {name!r} is for neurons; a synapse's state has {instead}",
                )


def _only_weight(cls: type, symbols: Mapping[str, Any]) -> str:
    found = [name for name, symbol in symbols.items() if isinstance(symbol, Weight)]
    if len(found) != 1:
        have = f"got {' and '.join(map(repr, found))}" if found else "got none"
        raise LanguageError(f"{cls.__name__}: a synapse has exactly one Weight, {have}; write w = Weight()")
    return found[0]


def place_of(symbol: State) -> Place:
    """Whose state it is."""
    return "pre" if isinstance(symbol, PreState) else "post" if isinstance(symbol, PostState) else "synapse"


def _check_reads(cls: type, symbols: Mapping[str, Any]) -> None:
    """Refuse equations that read what their place cannot see, and event values outside of on_pre."""
    names = {id(s): name for name, s in symbols.items()}
    for name, symbol in symbols.items():
        if not isinstance(symbol, State):
            continue
        place = place_of(symbol)
        states, ends = _SEES[place]
        for rule, expr in symbol.rules.items():
            for node in nodes(expr):
                site = symbol.sites[rule]
                if isinstance(node, State) and place_of(node) not in states:
                    kind, other = _KIND[place], _KIND[place_of(node)]
                    refuse_at(
                        cls,
                        site,
                        f".{rule} of {kind} {name!r} reads {other} {names[id(node)]!r}, and a {kind} is one for all "
                        f"synapses of a neuron; make {name!r} a State",
                    )
                if node.op == "port" and node.payload == "event_value":
                    if rule != "on_pre":
                        refuse_at(cls, site, f".{rule} of {name!r} reads event_value, which only .on_pre has")
                elif node.op == "port" and node.payload.partition(".")[0] not in ends:
                    end = VIEWS[node.payload.partition(".")[0]]
                    refuse_at(
                        cls, site, f".{rule} of {_KIND[place]} {name!r} reads a {end}; make {name!r} a State to see it"
                    )


def _build(
    cls: type,
    method: str,
    symbols: Mapping[str, Any],
    named: Mapping[str, Expr],
    plain: Mapping[int, Expr],
    weight: str,
) -> Synapse:
    params, states = [], []
    for name, s in symbols.items():
        if isinstance(s, Param):
            params.append(ParamSpec(name, s.default, s.unit, s.type))
        else:
            rules = {rule: plain[id(e)] for rule, e in s.rules.items()}
            states.append(SynapseState(name, place_of(s), plain[id(s.initial)], s.unit, **rules))
    views: dict[str, ViewSpec] = {}
    for node in plain.values():
        if node.op == "port" and node.payload != "event_value":
            end, _, variable = node.payload.partition(".")
            known = views.setdefault(node.payload, ViewSpec(end, variable, node.dim))
            if known.dim != node.dim:
                kind = VIEWS[end]
                raise LanguageError(
                    f"{cls.__name__}: {kind}({variable!r}) is written with two units, of {known.dim} and {node.dim}"
                )
    return Synapse(
        cls.__name__,
        inspect.cleandoc(cls.__doc__ or ""),
        tuple(params),
        tuple(states),
        weight,
        symbols[weight].in_port_unit,
        tuple(views.values()),
        tuple((name, plain[id(e)]) for name, e in named.items()),
        method,
    )
