"""What acts on the variables of a group in each step of Brian 2, in the order in which it acts.

Brian 2 writes everything that a group does as blocks of statements: its integrators, too. Each becomes an
:class:`~neuromorph.interchange.brian2.moment.Operation`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import Statement, expression, statements
from neuromorph.interchange.brian2.functions import binomial
from neuromorph.interchange.brian2.given import dimension, unit
from neuromorph.interchange.brian2.moment import Block, Moment, Operation
from neuromorph.interchange.brian2.names import LAST
from neuromorph.interchange.brian2.schedule import Position, Schedule
from neuromorph.interchange.brian2.walk import runners, whole
from neuromorph.language import Expr, where
from neuromorph.language.expr import const

SINCE_SPIKE = "steps_since_spike"


@dataclass(frozen=True)
class Acting:
    """Everything that acts on a group but what comes through synapses.

    Attributes
    ----------
    operations : tuple of Operation
        In no order.
    update : Operation or None
        The integration of its equations, also among `operations`.
    thresholds : dict of str to Operation
        By event, also among `operations`.
    resets : dict of str to Operation
        By event, also among `operations`.
    """

    operations: tuple[Operation, ...]
    update: Operation | None
    thresholds: Mapping[str, Operation]
    resets: Mapping[str, Operation]


def acting(group: Any, extras: Iterable[Any], namespace: Mapping[str, Any], schedule: Schedule) -> Acting:
    """What acts on a group.

    Parameters
    ----------
    group : NeuronGroup or PoissonGroup
    extras : iterable of CodeRunner
        What belongs to it, or to a part of it, and stands beside it in the network: ``PoissonInput``.
    namespace : mapping
    schedule : Schedule

    Raises
    ------
    LanguageError
        For code that is no sequence of assignments.
    """
    update = None
    thresholds: dict[str, Operation] = {}
    resets: dict[str, Operation] = {}
    others: list[Operation] = []
    thresholders = {id(t): event for event, t in (getattr(group, "thresholder", None) or {}).items()}
    resetters = {id(r): event for event, r in (getattr(group, "resetter", None) or {}).items()}
    for runner in (*runners(group), *extras):
        if not runner.active:
            continue
        if id(runner) in thresholders:
            event = thresholders[id(runner)]
            thresholds[event] = _threshold(group, runner, event, schedule)
        elif id(runner) in resetters:
            event = resetters[id(runner)]
            resets[event] = _reset(runner, event, schedule)
        elif runner is getattr(group, "state_updater", None):
            update = _update(group, runner, namespace, schedule)
        elif type(runner).__name__ == "PoissonInput":
            others.append(_poisson_input(runner, schedule))
        elif not hasattr(runner, "abstract_code"):
            raise LanguageError(f"{runner.name}: a {type(runner).__name__} has no counterpart")
        else:
            others.append(_statements(runner, schedule, _label(group, runner)))
    operations = [*thresholds.values(), *resets.values(), *others, *([] if update is None else [update])]
    return Acting(tuple(operations), update, thresholds, resets)


def _label(group: Any, runner: Any) -> str:
    if runner is getattr(group, "subexpression_updater", None):
        return "constant over dt"
    return str(runner.name)


def _lines(runner: Any) -> list[Statement]:
    return [s for s in statements(str(runner.abstract_code or "")) if s.target != "pass"]


def _reads(lines: Iterable[Statement]) -> frozenset[str]:
    return frozenset(n.id for s in lines for n in ast.walk(s.value) if isinstance(n, ast.Name))


def _writes(lines: Iterable[Statement]) -> frozenset[str]:
    return frozenset(s.target for s in lines)


def _statements(runner: Any, schedule: Schedule, label: str) -> Operation:
    lines = _lines(runner)
    inside, counted = within(runner.group), _counted(runner)

    def run(moment: Moment) -> None:
        moment.only(inside(moment), lambda m: Block(m, given=counted(m)).run(lines))

    return Operation(schedule.position(runner), label, run, _writes(lines), _reads(lines), schedule.every(runner))


def within(part: Any) -> Callable[[Moment], Expr | None]:
    """Where code of a part of a group acts; None: everywhere, as it is the whole group."""
    if whole(part) is part or whole(part).name == part.name:
        return lambda moment: None
    start, stop = int(part.start), int(part.stop)
    return lambda moment: (moment("i") >= start) & (moment("i") < stop)


def _counted(runner: Any) -> Callable[[Moment], dict[str, Expr]]:
    """What i and N are in code of a part of a group."""
    part = runner.group
    if whole(part) is part or whole(part).name == part.name:
        return lambda moment: {}
    return lambda moment: {"i": moment("i") - int(part.start), "N": const(int(part.stop) - int(part.start))}


# --- integration ------------------------------------------------------------------------------------------------------
def _update(group: Any, runner: Any, namespace: Mapping[str, Any], schedule: Schedule) -> Operation:
    _require_names(group, namespace)

    def run(moment: Moment) -> None:
        lines = _integration(runner, namespace)
        refractory = [s for s in lines if s.target == "not_refractory"]
        rest = [s for s in lines if s.target != "not_refractory"]
        Block(moment).run(refractory)
        if "not_refractory" in _reads(rest):
            _either(moment, rest)
        else:
            Block(moment).run(rest)

    refractory = set() if group._refractory is False else {"not_refractory"}
    writes = frozenset(refractory | set(group.equations.diff_eq_names))
    return Operation(schedule.position(runner), "method", run, writes, every=schedule.every(runner))


def _integration(runner: Any, namespace: Mapping[str, Any]) -> list[Statement]:
    """The update that Brian 2 writes out; that takes it a while, so it is asked for only where it is used."""
    from brian2.stateupdaters.base import UnsupportedEquationsException

    try:
        runner.update_abstract_code(run_namespace=namespace)
    except UnsupportedEquationsException as error:
        raise LanguageError(str(error)) from None
    except NotImplementedError as error:
        raise LanguageError(f"{runner.method_choice} integrates outside of Brian 2's own code ({error})") from None
    return statements(str(runner.abstract_code).replace("timestep(t - lastspike, dt)", SINCE_SPIKE))


def _require_names(group: Any, namespace: Mapping[str, Any]) -> None:
    for name, equation in group.user_equations.items():
        for identifier in sorted(equation.identifiers):
            try:
                group._resolve(identifier, run_namespace=namespace, user_identifier=False)
            except KeyError:
                text = f"{name}: the name {identifier} cannot be resolved; give namespace= with it"
                raise LanguageError(text) from None


def _either(moment: Moment, lines: list[Statement]) -> None:
    """Statements for refractory neurons and for others, each with what that makes constant."""
    ready = moment("not_refractory")
    ends = []
    for value in (True, False):
        branch = moment.copy()
        Block(branch, anyway=True, given={"not_refractory": const(value)}).run(lines)
        ends.append(branch.changed())
    free, held = ends
    for name in free:
        if name in moment.changed() and free[name] is moment.changed()[name]:
            continue
        stays = moment.raw(name) if moment.names.held_by(name) is not None else held[name]
        moment.assign(name, moment.names.read(name, where(ready, free[name], stays)), anyway=True)


# --- events -----------------------------------------------------------------------------------------------------------
def _threshold(group: Any, runner: Any, event: str, schedule: Schedule) -> Operation:
    condition = str(group.events[event])
    spike = event == "spike"
    refractory = spike and group._refractory is not False

    def run(moment: Moment) -> None:
        when = expression(condition, moment)
        if refractory:
            when = when & moment("not_refractory")
        moment.happens(event, when)
        if refractory:
            moment.only(when, _forget)

    def _forget(moment: Moment) -> None:
        moment.assign("not_refractory", const(False))
        moment.assign(LAST, moment.turn)

    reads = frozenset(n.id for n in ast.walk(ast.parse(condition.strip(), mode="eval")) if isinstance(n, ast.Name))
    writes = frozenset({"not_refractory", LAST} if refractory else ())
    return Operation(schedule.position(runner), "threshold", run, writes, reads, schedule.every(runner))


def _reset(runner: Any, event: str, schedule: Schedule) -> Operation:
    runner.update_abstract_code(run_namespace={})
    lines = _lines(runner)

    def run(moment: Moment) -> None:
        moment.only(moment.happened(event), lambda m: Block(m, anyway=True).run(lines))

    label = "reset" if event == "spike" else f"run_on_event {event}"
    return Operation(
        schedule.position(runner), label, run, _writes(lines), _reads(lines), schedule.every(runner), idle=True
    )


# --- PoissonInput -----------------------------------------------------------------------------------------------------
def _poisson_input(source: Any, schedule: Schedule) -> Operation:
    target = str(source.target_var)
    inside, counted = within(source.group), _counted(source)
    weight = source.weight

    def increment(moment: Moment) -> Expr:
        dim = dimension(moment.names.variables[target].dim)
        names = Block(moment, given=counted(moment))
        each = expression(weight, names) if isinstance(weight, str) else const(float(weight), dim, unit(dim))
        drawn = binomial(int(source.N), float(source.rate) * float(source.clock.dt)) * each
        here = inside(moment)
        return drawn if here is None else where(here, drawn, const(0.0, dim))

    return adding(schedule.position(source), target, increment, source.name, schedule.every(source))


# --- arrivals ---------------------------------------------------------------------------------------------------------
def adding(
    position: Position,
    variable: str,
    increment: Callable[[Moment], Expr],
    label: str,
    every: int = 1,
    idle: bool = False,
) -> Operation:
    """The operation of what adds to a variable: synapses, or random input.

    Parameters
    ----------
    position : Position
    variable : str
    increment : function of a Moment
    label : str
    every : int
    idle : bool
        Nothing is added before something arrives.
    """

    def run(moment: Moment) -> None:
        moment.assign(variable, moment(variable) + increment(moment))

    writes = frozenset({variable})
    return Operation(position, label, run, writes, frozenset(), every, idle, variable, increment)
