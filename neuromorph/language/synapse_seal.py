"""From the names that a class body bound to a :class:`~neuromorph.language.synapse.Synapse`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neuromorph.errors import LanguageError
from neuromorph.language.body import (
    RANDOM,
    SYMBOLS,
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
from neuromorph.language.site import Site
from neuromorph.language.symbols import REGISTRY, Event, Param, Port, State
from neuromorph.language.synapse import PATHS, OutputSpec, PathSpec, Place, Synapse, SynapseState, ViewSpec
from neuromorph.language.synapse_symbols import VIEWS, Output, Pathway, PostState, PreState, Weight

_SEES: dict[Place, tuple[tuple[Place, ...], tuple[str, ...]]] = {
    "pre": (("pre",), ("pre",)),
    "post": (("post",), ("post", "third")),
    "synapse": (("pre", "post", "synapse"), ("pre", "post", "third")),
}
"""What the equations of a state may read, by its place: states of which places, views of which ends."""
_KIND = {"pre": "PreState", "post": "PostState", "synapse": "State"}


@dataclass(frozen=True)
class _Rule:
    """One expression of the body: whose it is, on which occasion, and where it was written."""

    owner: str
    symbol: State | Output
    name: str
    end: str
    expr: Expr
    site: Site


def seal_synapse(cls: object, method: str, late: bool = False) -> Synapse:
    """Check a class body against the rules of the language and make plain data of it.

    Raises
    ------
    LanguageError
    """
    cls = check_class(cls, "synapse")
    advice: dict[type, str] = {
        State: "to change a state, assign its .dot, .next, .on_pre or .on_post and leave its name alone"
    }
    symbols = read_symbols(cls, vars(cls).get(REGISTRY, []), advice, (*SYMBOLS, Output, Pathway))
    named = read_named(cls)
    check_reserved(cls, symbols, named)
    _check_kinds(cls, symbols)
    weight = _weight(cls, symbols, late)
    _check_paths(cls, symbols, late)
    rules = list(_rules(symbols))
    roots = [*named.values(), *(s.initial for s in symbols.values() if isinstance(s, State)), *(r.expr for r in rules)]
    reachable = nodes(*roots)
    check_origin(cls, symbols, reachable, "synapse")
    plain = plain_nodes(symbols, reachable)
    _check_random(cls, rules, reachable)
    _check_reads(cls, symbols, rules)
    return _build(cls, method, late, symbols, named, plain, weight)


def _rules(symbols: Mapping[str, Any]) -> Iterator[_Rule]:
    """Every rule of the states and outputs."""
    names = {id(s): name for name, s in symbols.items()}
    for name, symbol in symbols.items():
        if isinstance(symbol, State | Output):
            for rule, expr in symbol.rules.items():
                yield _Rule(name, symbol, f".{rule}", rule.removeprefix("on_"), expr, symbol.sites[rule])
        elif isinstance(symbol, Pathway):
            for owner, expr, site in symbol.rules:
                yield _Rule(names.get(id(owner), "?"), owner, f"{name}[...]", symbol.end, expr, site)


def _check_paths(cls: type, symbols: Mapping[str, Any], late: bool) -> None:
    ours = {id(s) for s in symbols.values()}
    for name, path in symbols.items():
        if not isinstance(path, Pathway):
            continue
        if not late:
            refuse_at(
                cls,
                path.site,
                f"pathway {name!r}: synapses with pathways of their own act late; write @synapse(late=True)",
            )
        for owner, _, site in path.rules:
            if id(owner) not in ours:
                refuse_at(cls, site, f"pathway {name!r} changes something that is not of this body")
            if isinstance(owner, State) and place_of(owner) not in (path.end, "synapse"):
                kind = _KIND[place_of(owner)]
                refuse_at(cls, site, f"events of {path.end!r} cannot change a {kind}; make it a State")


def _check_random(cls: type, rules: list[_Rule], reachable: list[Expr]) -> None:
    """Refuse random numbers but those that events draw for each synapse."""
    instead = "Draw them in a neuron and look at them through a PreView, a PostView or a Third"
    for node in reachable:
        if node.op in ("white_noise", "poisson"):
            refuse_at(cls, None, f"{node.op}() cannot be used here: synapses draw normal() and uniform(). {instead}")
    for rule in rules:
        own = isinstance(rule.symbol, Output) or place_of(rule.symbol) == "synapse"
        if not (own and rule.end in ("pre", "post", "every", "next")) and any(n.op in RANDOM for n in nodes(rule.expr)):
            refuse_at(
                cls,
                rule.site,
                f"{rule.name} of {rule.owner!r} draws random numbers; events and .next of a State may. {instead}",
            )


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


def _weight(cls: type, symbols: Mapping[str, Any], late: bool) -> str | None:
    found = [name for name, symbol in symbols.items() if isinstance(symbol, Weight)]
    if len(found) == 1 or (not found and (late or any(isinstance(s, Output) for s in symbols.values()))):
        return found[0] if found else None
    have = f"got {' and '.join(map(repr, found))}" if found else "got none"
    raise LanguageError(
        f"{cls.__name__}: a synapse has exactly one Weight, {have}; write w = Weight(), or say what it adds with an "
        "Output"
    )


def place_of(symbol: State) -> Place:
    """Whose state it is."""
    return "pre" if isinstance(symbol, PreState) else "post" if isinstance(symbol, PostState) else "synapse"


def _check_reads(cls: type, symbols: Mapping[str, Any], rules: list[_Rule]) -> None:
    """Refuse equations that read what their place cannot see, and event values where no event arrives."""
    names = {id(s): name for name, s in symbols.items()}
    for rule in rules:
        place: Place = place_of(rule.symbol) if isinstance(rule.symbol, State) else "synapse"
        states, ends = _SEES[place]
        what, kind = f"{rule.name} of {rule.owner!r}", _KIND[place]
        for node in nodes(rule.expr):
            if isinstance(node, State) and place_of(node) not in states:
                other = _KIND[place_of(node)]
                refuse_at(
                    cls,
                    rule.site,
                    f"{rule.name} of {kind} {rule.owner!r} reads {other} {names[id(node)]!r}, and a {kind} is one for "
                    f"all synapses of a neuron; make {names[id(node)]!r} a State",
                )
            if node.op == "port" and node.payload == "event_value":
                if rule.end != "pre":
                    refuse_at(cls, rule.site, f"{what} reads event_value, which only .on_pre has")
            elif node.op == "port" and node.payload.partition(".")[0] not in ends:
                end = VIEWS[node.payload.partition(".")[0]]
                refuse_at(
                    cls,
                    rule.site,
                    f"{rule.name} of {kind} {rule.owner!r} reads a {end}; make {rule.owner!r} a State to see it",
                )


def _build(
    cls: type,
    method: str,
    late: bool,
    symbols: Mapping[str, Any],
    named: Mapping[str, Expr],
    plain: Mapping[int, Expr],
    weight: str | None,
) -> Synapse:
    params, states, outputs = [], [], []
    paths = {name: s for name, s in symbols.items() if isinstance(s, Pathway)}

    def also(symbol: State | Output) -> tuple[tuple[str, Expr], ...]:
        """What the paths of the body do to a symbol."""
        return tuple((n, plain[id(e)]) for n, path in paths.items() for owner, e, _ in path.rules if owner is symbol)

    for name, s in symbols.items():
        if isinstance(s, Param):
            params.append(ParamSpec(name, s.default, s.unit, s.type))
        elif isinstance(s, State):
            rules = {rule: plain[id(e)] for rule, e in s.rules.items()}
            states.append(SynapseState(name, place_of(s), plain[id(s.initial)], s.unit, also=also(s), **rules))
        elif isinstance(s, Output):
            rules = {rule: plain[id(e)] for rule, e in s.rules.items()}
            every, given = rules.pop("every", None), (*rules.items(), *also(s))
            found = [e for e in (every, *(e for _, e in given)) if e is not None]
            if not found:
                refuse_at(cls, s.site, f"Output {name!r} never gives anything; assign its .on_pre, .on_post or .every")
            outputs.append(OutputSpec(name, s.port, found[0].dim, every, given))
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
        weight is not None and symbols[weight].in_port_unit,
        tuple(views.values()),
        tuple((name, plain[id(e)]) for name, e in named.items()),
        method,
        outputs=tuple(outputs),
        paths=_in_order({name: path.end for name, path in paths.items()}),
        late=late,
    )


def _in_order(further: Mapping[str, str]) -> tuple[PathSpec, ...]:
    """The paths in the order in which they act: those of the source before those of the target."""
    pre, post = PATHS
    return (
        *(pre, *(PathSpec(name, "pre") for name, end in further.items() if end == "pre")),
        *(post, *(PathSpec(name, "post") for name, end in further.items() if end == "post")),
    )
