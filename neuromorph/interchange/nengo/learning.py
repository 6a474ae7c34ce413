"""Nengo's learning rules as plastic synapses, step for step as ``nengo.builder.learning_rules`` has them.

Nengo multiplies what a neuron sends in step t by weights to which the change of step t - 1 was added, and that change
is made of activities up to step t - 1. Here what was sent in step t is multiplied in step t + 1. By then the source's
activities of step t - 1 have arrived, but the target's have gone on: states called ``..._before`` hold what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuromorph.interchange.nengo.filters import DIRECT, Filter, total
from neuromorph.interchange.nengo.processes import filter_of
from neuromorph.language import (
    Expr,
    Param,
    PostState,
    PostView,
    PreState,
    State,
    Synapse,
    Weight,
    event_value,
    make_synapse,
)


@dataclass(frozen=True)
class Side:
    """What neurons at one end of a learned connection send.

    Attributes
    ----------
    filter : Filter
        Through which the rule sees it.
    unit : float
        Nengo's output for an event of value 1.
    view : str or None
        The state that holds the value of the neuron's event in each step; None: an event has value 1.
    """

    filter: Filter
    unit: float
    view: str | None = None


def refusal(rule: Any) -> str | None:
    """Why a rule has no plastic synapse; None if it has one.

    Parameters
    ----------
    rule : nengo.connection.LearningRule
    """
    import nengo

    kind, name = rule.learning_rule_type, type(rule.learning_rule_type).__name__
    if isinstance(kind, nengo.RLS):
        return "RLS keeps a matrix of all pairs of source neurons, which no synapse has"
    if name not in SYNAPSES or type(kind) is not getattr(nengo, name, None):
        return f"the learning rule {name} has no counterpart; there are {', '.join(SYNAPSES)}"
    if not isinstance(rule.connection.learning_rule, nengo.connection.LearningRule):
        return "it has several learning rules, and a projection has one"
    unknown = [s for s in (getattr(kind, f, None) for f in _FILTERS) if s is not None and filter_of(s, 1.0) is None]
    return f"{unknown[0]} is no filter that can be carried over" if unknown else None


_FILTERS = ("pre_synapse", "post_synapse", "theta_synapse")


@dataclass(frozen=True)
class Place:
    """Where a rule learns.

    Attributes
    ----------
    pre, post : Side
        The source's neurons and the target's, through the rule's ``pre_synapse`` and ``post_synapse``.
    unit : float
        How large our weights are, Nengo's being 1.
    n_pre : int
        Number of source neurons that PES divides by.
    error : str
        The target's state that has the error (PES), or the learning signal less 1 (Voja).
    dt : float
        Length of a step in seconds.
    """

    pre: Side
    post: Side
    unit: float
    n_pre: int
    error: str
    dt: float


def side(kind: Any, end: str, unit: float, view: str | None, dt: float) -> Side:
    """One side of a rule.

    Parameters
    ----------
    kind : nengo.learning_rules.LearningRuleType
    end : {"pre", "post", "theta"}
        Whose synapse it is; without one, activities are not filtered.
    unit, view
        As in `Side`.
    dt : float
        Length of a step in seconds.
    """
    synapse = getattr(kind, f"{end}_synapse", None)
    found = DIRECT if synapse is None else filter_of(synapse, dt)
    assert found is not None  # else the rule was refused
    return Side(found, unit, view)


def plastic(kind: Any, place: Place) -> Synapse:
    """The plastic synapse of a learning rule.

    Parameters
    ----------
    kind : nengo.learning_rules.LearningRuleType
        Of a type in `SYNAPSES`.
    place : Place
    """
    name = type(kind).__name__
    symbols: dict[str, Any] = {}
    weight = Weight()
    weight.next = SYNAPSES[name](kind, symbols, weight, place)
    return make_synapse(name, {**symbols, "w": weight}, doc=f"{name}, from Nengo.")


def _pes(kind: Any, own: dict[str, Any], w: Expr, place: Place) -> Expr:
    """Weights fall by the error of the target times the activity of the source."""
    rate = own["rate"] = Param(kind.learning_rate * place.dt / place.n_pre * place.unit)
    return w - rate * _late(own, "error", PostView(place.error)) * _source(own, place.pre)


def _bcm(kind: Any, own: dict[str, Any], w: Expr, place: Place) -> Expr:
    """Weights rise where the target is more active than it lately was, and fall where it is less."""
    rate = own["rate"] = Param(kind.learning_rate * place.dt * place.unit)
    y = _late(own, "post", _target(own, "post", place.post))
    slow = side(kind, "theta", place.post.unit, place.post.view, place.dt)
    theta = _late(own, "theta", _target(own, "theta", slow))
    return w + rate * y * (y - theta) * _source(own, place.pre)


def _oja(kind: Any, own: dict[str, Any], w: Expr, place: Place) -> Expr:
    """Hebb's rule, with forgetting in proportion to the square of the target's activity."""
    rate, beta, unit = Param(kind.learning_rate * place.dt), Param(kind.beta), Param(place.unit)
    own.update(rate=rate, beta=beta, unit=unit)
    y = _late(own, "post", _target(own, "post", place.post))
    return w - beta * w * (rate * y * y) + unit * rate * y * _source(own, place.pre)


def _voja(kind: Any, own: dict[str, Any], w: Expr, place: Place) -> Expr:
    """Encoders of active neurons move towards the value that is there.

    The source is a relay that holds the value, a step late as its target then is; a neuron's encoders come times
    ``gain / radius``, its ``scale``, and so does the value.
    """
    rate, scale = Param(kind.learning_rate * place.dt), PostState(0.0)
    own.update(rate=rate, scale=scale)
    y = _target(own, "post", place.post)
    signal = 1.0 + _late(own, "signal", PostView(place.error))
    return w + rate * signal * y * (scale * _source(own, place.pre) - w)


SYNAPSES: Mapping[str, Callable[[Any, dict[str, Any], Expr, Place], Expr]] = {
    "PES": _pes,
    "BCM": _bcm,
    "Oja": _oja,
    "Voja": _voja,
}
"""Nengo's learning rules that become plastic synapses, by name: what the weight is next."""


def _source(own: dict[str, Any], side: Side) -> Expr:
    """The source's activity, filtered."""
    states = _states(own, "pre", side.filter, PreState)
    for x, row, b in zip(states, _rows(side.filter), _inputs(side.filter), strict=True):
        x.next = _dot(row, states)
        x.on_pre = x + b * side.unit * event_value
    return _dot(_outputs(side.filter), states)


def _target(own: dict[str, Any], name: str, side: Side) -> Expr:
    """The target's activity, filtered, its last step included."""
    states = _states(own, name, side.filter, PostState)
    moved = [_dot(row, states) for row in _rows(side.filter)]
    if side.view is not None:
        value = side.unit * PostView(side.view)
        moved = [m + b * value for m, b in zip(moved, _inputs(side.filter), strict=True)]
    for y, m, b in zip(states, moved, _inputs(side.filter), strict=True):
        y.next = m
        if side.view is None:
            y.on_post = y + b * side.unit
    return _dot(_outputs(side.filter), states if side.view is None else moved)


def _late(own: dict[str, Any], name: str, value: Expr) -> Expr:
    """What a value of the target was one step ago."""
    before = own[f"{name}_before"] = PostState(0.0)
    before.next = value
    return before


def _states(own: dict[str, Any], name: str, item: Filter, place: Callable[[float], State]) -> list[State]:
    made = [place(0.0) for _ in _inputs(item)]
    own.update({f"{name}_{k}" if k else name: state for k, state in enumerate(made)})
    return made


def _rows(item: Filter) -> tuple[tuple[float, ...], ...]:
    return item.a or ((0.0,),)


def _inputs(item: Filter) -> tuple[float, ...]:
    return item.b or (item.d,)


def _outputs(item: Filter) -> tuple[float, ...]:
    return item.c or (1.0,)


def _dot(row: Sequence[float], states: Sequence[Expr]) -> Expr:
    return total([x if a == 1 else a * x for a, x in zip(row, states, strict=True) if a] or [0.0 * states[0]])
