"""Which states of a neuron can be integrated exactly, and the linear systems that they form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr, nodes
from neuromorph.language.infix import infix
from neuromorph.lowering.affine import Affine, affine
from neuromorph.lowering.propagator import propagator
from neuromorph.lowering.statics import Static, Statics


@dataclass(frozen=True)
class LinearSystem:
    """States that depend linearly on each other, on inputs that are constant over a step, and on white noise.

    Attributes
    ----------
    states : tuple of str
    a : dict of (i, j) to Static
        Coefficient of state j in the derivative of state i; absent: no such term.
    constants : dict of i to Static
    inputs : tuple of Expr
        Whatever else the derivatives add, evaluated before the advance: ports, states that do not move continuously,
        and functions of them.
    b : dict of (i, input) to Static
    noises : tuple of Expr
    s : dict of (i, noise) to Static
    """

    states: tuple[str, ...]
    a: dict[tuple[int, int], Static]
    constants: dict[int, Static]
    inputs: tuple[Expr, ...]
    b: dict[tuple[int, int], Static]
    noises: tuple[Expr, ...]
    s: dict[tuple[int, int], Static]


def linear_states(rates: Mapping[str, Expr], statics: Statics) -> tuple[dict[str, Affine], dict[str, str]]:
    """The largest set of states whose derivatives are linear in each other with constant coefficients.

    Parameters
    ----------
    rates : mapping of str to Expr
        Derivative of every state that has one.

    Returns
    -------
    linear : dict of str to Affine
    obstacles : dict of str to str
        For every other state, the term that is in the way.
    """
    forms = {name: affine(rate, statics) for name, rate in rates.items()}
    obstacles: dict[str, str] = {}
    for name, form in forms.items():
        for term, _ in form.terms.values():
            if term.op not in ("state", "white_noise") and _moves(term, rates):
                obstacles[name] = f"{infix(term, limit=60)} is not linear with constant coefficients"
                break
    while True:
        # A noise that a state outside of the set feels, too, must stay one noise: the exact solution draws its own.
        noises = {n.payload for name in obstacles for n in nodes(rates[name]) if n.op == "white_noise"}
        lost = {
            name: f"it depends on {term.payload}" if term.op == "state" else "it shares its noise with such a state"
            for name, form in forms.items()
            if name not in obstacles
            for term, _ in form.terms.values()
            if term.payload in (obstacles if term.op == "state" else noises if term.op == "white_noise" else ())
        }
        if not lost:
            return {name: form for name, form in forms.items() if name not in obstacles}, obstacles
        obstacles |= lost


def _moves(term: Expr, rates: Mapping[str, Expr]) -> bool:
    """Whether a term changes within a step."""
    return any(n.op == "white_noise" or (n.op == "state" and n.payload in rates) for n in nodes(term))


def systems(forms: Mapping[str, Affine]) -> list[LinearSystem]:
    """Linear states as independent systems: those that share a state or a noise belong together."""
    group = {name: name for name in forms}

    def find(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    owner: dict[object, str] = {}
    for name, form in forms.items():
        for key, (term, _) in form.terms.items():
            if term.op == "state" and term.payload in forms:
                group[find(term.payload)] = find(name)
            elif term.op == "white_noise":
                group[find(owner.setdefault(key, name))] = find(name)
    members: dict[str, list[str]] = {}
    for name in forms:
        members.setdefault(find(name), []).append(name)
    return [_system({name: forms[name] for name in names}) for names in members.values()]


def _system(forms: Mapping[str, Affine]) -> LinearSystem:
    states = tuple(forms)
    a: dict[tuple[int, int], Static] = {}
    b: dict[tuple[int, int], Static] = {}
    s: dict[tuple[int, int], Static] = {}
    inputs: dict[object, Expr] = {}
    noises: dict[object, Expr] = {}
    for i, form in enumerate(forms.values()):
        for key, (term, coefficient) in form.terms.items():
            if term.op == "state" and term.payload in forms:
                a[i, states.index(term.payload)] = coefficient
                continue
            known, place = (noises, s) if term.op == "white_noise" else (inputs, b)
            known.setdefault(key, term)
            place[i, list(known).index(key)] = coefficient
    constants = {i: form.constant for i, form in enumerate(forms.values()) if form.constant is not None}
    return LinearSystem(states, a, constants, tuple(inputs.values()), b, tuple(noises.values()), s)


@dataclass(frozen=True)
class Step:
    """One exact step of a linear system, by formula: every entry that is not there is zero by structure.

    Attributes
    ----------
    state : dict of (i, j) to Static
    drive : dict of (i, input) to Static
    constant : dict of i to Static
    noise : dict of (i, k) to Static
        Weight of the k-th of as many fresh normal numbers as there are states.
    """

    state: dict[tuple[int, int], Static]
    drive: dict[tuple[int, int], Static]
    constant: dict[int, Static]
    noise: dict[tuple[int, int], Static]


@dataclass(frozen=True, eq=False)
class Solved:
    """What a propagator was computed from; a static of op ``propagator`` has (this, kind, i, j) as its payload.

    Attributes
    ----------
    states, noises : int
        Their numbers.
    dt : float
        Seconds.
    a, s : tuple of (i, j)
        Places of the coefficients in the matrix of the system and in that of its noise.
    args : tuple of Static
        Coefficients at ``a``, then at ``s``.
    """

    states: int
    noises: int
    dt: float
    a: tuple[tuple[int, int], ...]
    s: tuple[tuple[int, int], ...]
    args: tuple[Static, ...]


def exact_step(system: LinearSystem, held: frozenset[str], dt: float) -> Step:
    """Solution of `system` over one step in which the `held` states do not move."""
    fixed = {i for i, name in enumerate(system.states) if name in held}
    a = {at: c for at, c in system.a.items() if at[0] not in fixed}
    b = {at: c for at, c in system.b.items() if at[0] not in fixed}
    s = {at: c for at, c in system.s.items() if at[0] not in fixed}
    constants = {i: c for i, c in system.constants.items() if i not in fixed}
    for (i, _), c in (*a.items(), *b.items(), *s.items()):
        _require_finite(system.states[i], c)
    for i, c in constants.items():
        _require_finite(system.states[i], c)
    n, k = len(system.states), len(system.noises)
    literal = all(c.literal for part in (a, s) for c in part.values())
    shape = np.broadcast_shapes(*(c.value.shape for part in (a, s) for c in part.values()))
    solution = propagator(_dense(a, (n, n), shape), _dense(s, (n, k), shape), dt)
    solved = Solved(n, k, dt, tuple(a), tuple(s), (*a.values(), *s.values()))
    reach = _reach(a, n)
    key = (system.states, tuple(sorted(held)))
    label = f"[{','.join(sorted(held))} held]" if held else ""

    def entry(kind: str, matrix: npt.NDArray[np.float64], i: int, j: int) -> Static:
        name = f"{kind}({system.states[i]}, {system.states[j] if kind != 'noise' else j}){label}"
        value = matrix[:, i, j].reshape(shape)
        return Static((kind, key, i, j), name, value, literal, "propagator", solved.args, (solved, kind, i, j))

    state = {(i, j): entry("exp", solution.state, i, j) for i, j in reach}
    drive: dict[tuple[int, int], Static] = {}
    constant: dict[int, Static] = {}
    for i, j in reach:
        phi = entry("phi", solution.drive, i, j)
        for (row, m), coefficient in b.items():
            if row == j:
                drive[i, m] = drive[i, m] + phi * coefficient if (i, m) in drive else phi * coefficient
        if j in constants:
            constant[i] = constant[i] + phi * constants[j] if i in constant else phi * constants[j]
    noise = {(i, j): entry("noise", solution.noise, i, j) for i, j in _noise_pattern(s, reach, n)}
    return Step(state, drive, constant, noise)


def _require_finite(state: str, coefficient: Static) -> None:
    if not np.all(np.isfinite(coefficient.value)):
        raise LanguageError(
            f"the derivative of {state} has the coefficient {coefficient.name}, which is not finite for every neuron; "
            "is a time constant or a capacitance 0?",
            state=state,
        )


def _dense(
    entries: Mapping[tuple[int, int], Static], size: tuple[int, int], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    flat = int(np.prod(shape))
    result = np.zeros((flat, *size))
    for (i, j), static in entries.items():
        result[:, i, j] = np.broadcast_to(static.value, shape).reshape(flat)
    return result


def _reach(a: Mapping[tuple[int, int], Static], n: int) -> list[tuple[int, int]]:
    """(i, j) where state j can act on state i within a step, own state first."""
    linked = np.eye(n, dtype=bool)
    for i, j in a:
        linked[i, j] = True
    for _ in range(n):
        linked |= (linked.astype(np.int64) @ linked.astype(np.int64)) > 0
    return [(i, j) for i in range(n) for j in sorted(range(n), key=lambda j: (j != i, j)) if linked[i, j]]


def _noise_pattern(s: Mapping[tuple[int, int], Static], reach: list[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    """Entries of the Cholesky factor that are not zero by structure."""
    sources = [{k for j in range(n) if (i, j) in reach for row, k in s if row == j} for i in range(n)]
    pattern: set[tuple[int, int]] = set()
    for j in range(n):
        for i in range(j, n):
            fill = any((i, m) in pattern and (j, m) in pattern for m in range(j))
            if sources[j] and (sources[i] & sources[j] or fill):
                pattern.add((i, j))
    return sorted(pattern)
