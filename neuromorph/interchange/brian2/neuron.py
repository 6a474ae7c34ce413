"""Brian 2's neuron groups as neurons, in equations where that says the same.

Brian 2's step is state update, threshold, synapses, reset; ours is arrivals, state update, event, reset. Synapses that
act in step t there act at the start of step t + 1 here, so after the reset of step t instead of before it. Where that
cannot be told apart, a group becomes a neuron with the same equations; otherwise its whole step is written out
(:mod:`~neuromorph.interchange.brian2.stepwise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from neuromorph.errors import NeuromorphError
from neuromorph.interchange.brian2.expressions import Sequence as Statements
from neuromorph.interchange.brian2.expressions import expression, problem_of, said_of, statements
from neuromorph.interchange.brian2.given import unit
from neuromorph.interchange.brian2.links import Neighbour, linked, moves
from neuromorph.interchange.brian2.moment import Moment, Operation
from neuromorph.interchange.brian2.names import GroupNames
from neuromorph.interchange.brian2.operations import Acting
from neuromorph.interchange.brian2.samples import Sample, is_late, keep, turn_of
from neuromorph.interchange.brian2.schedule import Schedule
from neuromorph.interchange.brian2.stepwise import stepwise
from neuromorph.interchange.brian2.synapses.ports import show
from neuromorph.language import Event, Expr, Neuron, dt, floor, make_neuron, maximum, step, where
from neuromorph.language.expr import const
from neuromorph.units import TIME

METHODS = {"exact": "exact", "linear": "exact", "euler": "euler", "exponential_euler": "exponential_euler"}
"""Brian 2's methods that the language has; of others the update is taken that Brian 2 writes out."""
HIDDEN = {"lastspike", "not_refractory"}
"""Variables that a neuron in equations has no name for."""


@dataclass(frozen=True)
class Task:
    """A group and everything that acts on it.

    Attributes
    ----------
    group : NeuronGroup or PoissonGroup
    namespace : mapping
        Where names are looked up that neither the group nor its own namespace knows.
    schedule : Schedule
    acting : Acting
    arrivals : tuple of Operation
        What comes through synapses.
    samples : tuple of Sample
    event : str or None
        The event that leaves the neurons.
    moving : mapping of str to collection of str
        Variables of every group of the network that change while it runs.
    seen : tuple of str
        Variables that synapses see in their turn of a step.
    first : int
        The first step of the run.
    around : mapping of str to Neighbour
        Every group of the network.
    """

    group: Any
    namespace: Mapping[str, Any]
    schedule: Schedule
    acting: Acting
    arrivals: tuple[Operation, ...]
    samples: tuple[Sample, ...]
    event: str | None
    moving: Mapping[str, frozenset[str]]
    seen: tuple[str, ...] = ()
    first: int = 0
    around: Mapping[str, Neighbour] = field(default_factory=dict)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of them."""
        return (*self.acting.operations, *self.arrivals)


def written(group: Any, operations: Iterable[Operation]) -> frozenset[str]:
    """Variables of a group that change while the network runs."""
    equations = getattr(group, "user_equations", None)
    found = {name for operation in operations for name in operation.writes}
    return frozenset(found | (set(equations.diff_eq_names) if equations is not None else set()))


def group_neuron(task: Task) -> tuple[Neuron | None, GroupNames, list[str]]:
    """A group as a neuron, the names that it was made of, and what keeps it from being one."""
    names = _names(task)
    problems = _unreadable(task, names)
    if problems:  # whatever uses a name that cannot be taken would only say so again
        return None, names, problems
    names = _names(task)
    neuron: Neuron | None = None
    try:
        form = _Equations.of(task, names)
        if form is not None:
            neuron = form.build()
        else:
            names = _names(task)
            turn = turn_of(task.group, task.schedule, task.event)
            every = task.schedule.every(task.group)
            neuron = stepwise(names, task.operations, turn, task.event, every, task.samples, task.seen)
    except (NeuromorphError, SyntaxError) as error:
        problems.append(f"{task.group.name}: {problem_of(error) if isinstance(error, NeuromorphError) else error}")
    return neuron, names, problems


def group_neurons(tasks: Mapping[str, Task]) -> dict[str, tuple[Neuron | None, GroupNames, list[str]]]:
    """What :func:`group_neuron` makes of every group, each with the values that others see of it, by name."""
    made = {name: group_neuron(task) for name, task in tasks.items()}
    reads = [read for _, names, _ in made.values() for read in names.reads.values()]
    for name, task in tasks.items():
        shown = {r.sample.name: r.sample for r in reads if r.source == name and r.sample is not None}
        if shown:
            made[name] = group_neuron(replace(task, samples=(*task.samples, *shown.values())))
    return made


def _names(task: Task) -> GroupNames:
    return GroupNames(task.group, task.namespace, task.moving[task.group.name], task.moving, task.first, task.around)


def _unreadable(task: Task, names: GroupNames) -> list[str]:
    problems = []
    moment = Moment(names, float(task.group.clock.dt_))
    moment.place = turn_of(task.group, task.schedule, task.event)
    for name in getattr(task.group, "user_equations", ()):
        try:
            moment(name)
        except (NeuromorphError, SyntaxError) as error:
            text = problem_of(error) if isinstance(error, NeuromorphError) else str(error)
            problems.append(f"{task.group.name}: {name}: {text}")
    return problems


class _Equations:
    """A group of which everything can be said in equations."""

    def __init__(self, task: Task, names: GroupNames, method: str, waiting: Expr | None) -> None:
        self._task = task
        self._names = names
        self._method = method
        self._waiting = waiting

    @classmethod
    def of(cls, task: Task, names: GroupNames) -> _Equations | None:
        """The group, if it can be said."""
        if not _in_order(task) or not _apart(task):
            return None
        method = _method(task)
        if method is None or (method != "auto" and task.acting.update is None):
            return None
        waiting = _refractory(task, names)
        return None if waiting is False else cls(task, names, method, None if waiting is True else waiting)

    def build(self) -> Neuron:
        """The neuron."""
        group, names, task = self._task.group, self._names, self._task
        equations = getattr(group, "user_equations", None)
        for operation in _taking(task):
            self._take(operation)
        for name in equations or ():
            names(name)
        if equations is not None:
            with said_of("method"):
                for name in equations.diff_eq_names:
                    names.state(name).dot = expression(str(equations[name].expr), names)
        with said_of("threshold and reset"):
            self._event(_held(group) if equations is not None else [])
        for variable in dict.fromkeys(o.adds for o in _additions(task)):
            with said_of(f"synapses to {variable}"):
                self._jump(variable, [o for o in _additions(task) if o.adds == variable])
        for sample in task.samples:
            if sample.variable not in HIDDEN:  # the device adds what Brian 2 shows of refractoriness
                taken = sample.variable in {o.takes for o in _taking(task)}
                keep(names, sample, names.state(sample.variable) if taken else names(sample.variable))
        for variable in task.seen:
            show(names, variable)
        doc = f"From Brian 2's {group.name}."
        return make_neuron(group.name, names.symbols, doc=doc, method=self._method)(**names.values)

    def _take(self, operation: Operation) -> None:
        """A variable that is what arrives in each step: equations read the port, the next step and others the state."""
        state = self._names.state(operation.takes)
        assert operation.increment is not None
        arriving = operation.increment(Moment(self._names, float(self._task.group.clock.dt_)))
        state.next = self._names.stored(operation.takes, arriving)
        self._names.stand_in(operation.takes, arriving)

    def _event(self, held: Sequence[str]) -> None:
        names, task = self._names, self._task
        if task.event is None:
            return
        when = expression(str(task.group.events[task.event]), names)
        refractory = None if self._waiting is None else maximum(self._waiting - 1, 0) * dt
        hold = tuple(names.state(name) for name in held) if refractory is not None else ()
        names.own("spike", Event(when=when, refractory=refractory, hold=hold))
        sequence = Statements(names)
        for statement in statements(str((getattr(task.group, "event_codes", None) or {}).get(task.event) or "")):
            sequence.run(statement)
        for name, value in sequence.current.items():
            if names.is_written(name):
                names.state(name).reset = names.stored(name, value)

    def _jump(self, variable: str, additions: Sequence[Operation]) -> None:
        state = self._names.state(variable)
        moment = Moment(self._names, float(self._task.group.clock.dt_))
        moment.late = True
        total: Expr | None = None
        for operation in additions:
            if operation.increment is not None:
                part = operation.increment(moment)
                if not operation.idle:
                    part = where(step > self._names.began(), part, const(0.0, part.dim))
                total = part if total is None else total + part
        if total is not None:
            state.jump = self._names.stored(variable, total)


def _additions(task: Task) -> list[Operation]:
    return sorted((o for o in task.operations if o.adds), key=lambda o: o.position)


def _taking(task: Task) -> list[Operation]:
    return [o for o in task.operations if o.takes]


def _held(group: Any) -> list[str]:
    equations = group.user_equations
    if group._refractory is False:
        return []
    return [name for name in equations.diff_eq_names if "unless refractory" in equations[name].flags]


def _in_order(task: Task) -> bool:
    """Whether there is nothing but update, threshold, additions and reset of spikes, in this order, in each step."""
    if _follows(task):
        return False
    acting = task.acting
    known = [o for o in (acting.update, *acting.thresholds.values(), *acting.resets.values()) if o is not None]
    additions = _additions(task)
    taking = _taking(task)
    if len(known) + len(additions) + len(taking) != len(task.operations) or any(o.every != 1 for o in task.operations):
        return False
    if len(acting.thresholds) > 1 or task.event != next(iter(acting.thresholds), None):
        return False
    turn = acting.thresholds[task.event].position if task.event is not None else None
    update = None if acting.update is None else acting.update.position
    last = turn if turn is not None else update
    if turn is not None and update is not None and update >= turn:
        return False
    late = [*additions, *acting.resets.values()]
    first = update if update is not None else turn
    taken = {o.takes for o in taking}
    if taking and (first is None or any(o.position > first for o in taking)):
        return False
    if any(taken & _through(task.group, [s.variable]) - {s.variable} for s in task.samples):
        return False
    states = set(getattr(task.group, "user_equations", None) or ()) & task.moving[task.group.name]
    for sample in task.samples:
        place = sample.position
        if place is not None and sample.variable in HIDDEN:
            return False
        settled = all(o.position < place for o in late) if place is not None else True
        before = place is None or first is None or place < first
        after = place is not None and is_late(place, task.group, task.schedule, task.event)
        if not before and not (settled and after and sample.variable in states):
            return False
    return all(last is None or o.position > last for o in late)


def _follows(task: Task) -> bool:
    """Whether the group sees variables of others that change: which values it sees depends on the place in the step."""
    found = [linked(task.group, name) for name in task.group.variables]
    return any(each is not None and moves(each, task.moving) for each in found)


def _apart(task: Task) -> bool:
    """Whether nobody could tell that additions come after the reset instead of before it."""
    acting = task.acting
    added = {o.adds for o in _additions(task)}
    touched = {n for reset in acting.resets.values() for n in reset.writes | reset.reads}
    equations = getattr(task.group, "user_equations", None)
    if equations is not None:
        touched |= set(_held(task.group))
        if any("constant over dt" in equation.flags for equation in equations.values()):
            return False
    used = {n for o in task.operations for n in o.reads if o is not acting.update}
    used |= {*getattr(equations, "identifiers", ()), *task.seen}
    return not (added & _through(task.group, touched)) and not (_through(task.group, used) & HIDDEN)


def _through(group: Any, names: Iterable[str]) -> set[str]:
    """Names, and those that subexpressions among them stand for."""
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += getattr(group.variables.get(name), "identifiers", ())
    return found


def _method(task: Task) -> str | None:
    """The language's method that Brian 2 would integrate with; ``auto`` if there is nothing to integrate."""
    from brian2.codegen.translation import analyse_identifiers
    from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException

    equations = getattr(task.group, "user_equations", None)
    if equations is None or not equations.diff_eq_names:
        return "auto"
    updater, group = task.group.state_updater, task.group
    choice = updater.method_choice
    if callable(choice):
        return None
    # Brian 2 keeps what it found out, for as long as it is asked in the very words of its own call.
    held = updater._get_refractory_code(run_namespace=task.namespace)
    _, known, unknown = analyse_identifiers(held, group.variables, recursive=True)
    names = known | unknown | group.equations.names | group.equations.identifiers | {"dt"}
    variables = group.resolve_all(names, task.namespace, user_identifiers=set())
    options = {"method_options": updater.method_options} if isinstance(choice, str) else {}
    for method in [choice] if isinstance(choice, str) else choice:
        try:
            StateUpdateMethod.apply_stateupdater(group.equations, variables, method, **options, group_name=group.name)
        except UnsupportedEquationsException:
            continue
        if method == "exponential_euler" and not _linear_in_themselves(group.equations, variables):
            return None
        return METHODS.get(method)
    return None


def _linear_in_themselves(equations: Any, variables: Mapping[str, Any]) -> bool:
    """Whether every equation is linear in its own variable; of others, Brian 2's exponential Euler takes no slope."""
    import sympy  # type: ignore[import-untyped]
    from brian2.stateupdaters.exponential_euler import get_conditionally_linear_system

    system = get_conditionally_linear_system(equations, variables)
    return not any(
        sympy.sympify(part).has(sympy.Symbol(name, real=True)) for name, parts in system.items() for part in parts
    )


def _refractory(task: Task, names: GroupNames) -> Expr | bool:
    """Steps of refractory time, as Brian 2 counts them; True if there is none, False if it is not a constant time."""
    given = getattr(task.group, "_refractory", False)
    if given is False:
        return True
    value = expression(given, names) if isinstance(given, str) else const(float(given), TIME, unit(TIME))
    if value.dim != TIME or names.static(value) is None:
        return False
    # The step of the spike is the first of Brian 2's refractory steps; timestep() there rounds down.
    return floor(value / dt + 1e-3)
