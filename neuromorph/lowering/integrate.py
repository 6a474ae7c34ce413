"""The advance of every continuous state over one step.

``exact``
    x(t + dt) = P x + F u + L n for states that are linear (:mod:`neuromorph.lowering.propagator`).
``exponential_euler``
    x + dt phi1(J dt) f(x) with J = df/dx of each state alone, others frozen: exact for a single linear state, first
    order for coupled ones (D. A. Pope, Comm. ACM 6, 1963; conditionally linear form: MacGregor 1987).
``euler``
    x + dt f(x).
``auto``
    ``exact`` for the largest set of states that allows it, ``exponential_euler`` for the rest.

White noise enters exactly where the method is exact, and as sigma sqrt(dt) n otherwise (Euler-Maruyama, Ito).
"""

from __future__ import annotations

from collections.abc import Mapping

from neuromorph.errors import LanguageError
from neuromorph.language.derivative import derivative
from neuromorph.language.expr import Expr
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.affine import split_noise
from neuromorph.lowering.builder import Value
from neuromorph.lowering.elementary import phi1
from neuromorph.lowering.linear import LinearSystem, Step, exact_step, linear_states, systems
from neuromorph.lowering.propagator import phi1_of
from neuromorph.lowering.scope import Scope
from neuromorph.lowering.statics import literal


def advance(neuron: Neuron, scope: Scope, refractory: Value | None) -> dict[str, Value]:
    """New value of every state of a neuron with a derivative, all from the values in `scope`.

    Parameters
    ----------
    neuron : Neuron
    scope : Scope
        Values after the jumps.
    refractory : Value or None
        True where held states must not move. Their own new values are returned as if they did; others see them still.

    Raises
    ------
    LanguageError
        ``method="exact"`` for states that are not linear, or noise that is not additive.
    """
    rates = {s.name: s.dot for s in neuron.states if s.dot is not None}
    held = frozenset(neuron.event.hold) if neuron.event is not None and refractory is not None else frozenset[str]()
    return integrate(neuron.name, rates, neuron.method, scope, held, refractory)


def integrate(
    name: str,
    rates: Mapping[str, Expr],
    method: str,
    scope: Scope,
    held: frozenset[str] = frozenset(),
    refractory: Value | None = None,
) -> dict[str, Value]:
    """New value of every state that has a derivative in `rates`; see :func:`advance`.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    method : str
    held : frozenset of str
        States that do not move where `refractory` is true.
    """
    if method == "auto" or method == "exact":
        forms, obstacles = linear_states(rates, scope.statics)
        if method == "exact" and obstacles:
            _refuse(name, obstacles)
    else:
        forms = {}
    result: dict[str, Value] = {}
    for system in systems(forms):
        result |= _exact(system, scope, held & set(system.states), refractory)
    scope = scope.for_rates()
    for state, rate in rates.items():
        if state not in forms:
            result[state] = _euler(state, rate, scope, method == "euler")
    return result


def _refuse(neuron: str, obstacles: dict[str, str]) -> None:
    lines = "; ".join(f"{state}: {why}" for state, why in obstacles.items())
    raise LanguageError(
        f'{neuron}: method="exact" needs linear equations, but {lines}. Use "auto" (exact where it can be, else '
        'exponential Euler), "exponential_euler" or "euler"',
        states=tuple(obstacles),
    )


def _exact(system: LinearSystem, scope: Scope, held: frozenset[str], refractory: Value | None) -> dict[str, Value]:
    free = exact_step(system, frozenset(), scope.dt)
    stopped = exact_step(system, held, scope.dt) if held else free
    fixed = {i for i, name in enumerate(system.states) if name in held}
    result = {}
    for i, name in enumerate(system.states):
        value = _solution(system, free, i, scope)
        if refractory is not None and i not in fixed and any((i, j) in free.state for j in fixed):
            value = refractory.where(_solution(system, stopped, i, scope), value)
        result[name] = value
    return result


def _solution(system: LinearSystem, step: Step, i: int, scope: Scope) -> Value:
    """State i after the step: own state, other states, inputs, constants, noise, in this order of summation."""
    parameters = scope.parameters
    terms = [parameters(c) * scope.states[system.states[j]] for (row, j), c in step.state.items() if row == i]
    terms += [parameters(c) * scope(system.inputs[m]) for (row, m), c in step.drive.items() if row == i]
    if i in step.constant:
        terms.append(parameters(step.constant[i]))
    for (row, k), c in step.noise.items():
        if row == i:
            # A system has fewer noises than states, or more: what it draws beyond them are streams of their own.
            drawn = system.noises[k].payload if k < len(system.noises) else ("exact", system.states, k)
            terms.append(parameters(c) * scope.streams.normal(scope.builder, drawn))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _euler(name: str, rate: Expr, scope: Scope, forward: bool) -> Value:
    calm, noise = split_noise(rate)
    x = scope.states[name]
    dt = literal(scope.dt, "dt")
    if calm is not None:
        x = x + (scope.scaled(calm, dt) if forward else _exponential(name, calm, scope))
    return x if noise is None else x + scope.scaled(noise, dt)


def _exponential(name: str, rate: Expr, scope: Scope) -> Value:
    dt = literal(scope.dt, "dt")
    slope = derivative(rate, name)
    static = scope.statics(slope)
    if static is None:
        return phi1(scope.scaled(slope, dt)) * scope.scaled(rate, dt)
    if static.literal and static.value == 0.0:
        return scope.scaled(rate, dt)
    return scope.scaled(rate, (static * dt).map("phi1", phi1_of) * dt)
