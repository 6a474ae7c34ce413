"""Brian 2's neuron groups as neurons.

Brian 2's step is state update, threshold, synapses, reset; ours is arrivals, state update, event, reset. Synapses that
act in step t there act at the start of step t + 1 here, so after the reset of step t instead of before it. Where that
could be told apart, an increment is left out in the step after an event, or the import is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.expressions import Sequence, expression, problem_of, statements
from neuromorph.interchange.brian2.names import GroupNames, dimension, unit
from neuromorph.language import (
    Event,
    Expr,
    Neuron,
    Port,
    State,
    dt,
    floor,
    make_neuron,
    maximum,
    poisson,
    to_float,
    to_int,
    uniform,
    where,
)
from neuromorph.language.expr import const, nodes
from neuromorph.units import FREQUENCY, TIME

METHODS = {"exact": "exact", "linear": "exact", "independent": "exact", "euler": "euler"}
METHODS |= {"exponential_euler": "exponential_euler"}
"""Brian 2's methods that the language has; others are taken from the update that Brian 2 writes out."""


@dataclass(frozen=True)
class Incoming:
    """What changes a group's variables from outside.

    Attributes
    ----------
    variables : tuple of str
        That synapses add to.
    poisson : tuple of PoissonInput
    """

    variables: tuple[str, ...] = ()
    poisson: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Change:
    """What a reset does to one variable: its new value, and whether that only adds to it what `reads` says."""

    value: Expr
    relative: bool
    reads: Expr


def port_name(variable: str) -> str:
    """Name of the port whose arrivals are added to a variable."""
    return f"{variable}_in"


def poisson_neuron(group: Any, namespace: Mapping[str, Any]) -> Neuron:
    """A PoissonGroup: an event in each step with probability ``rates * dt``."""
    names = GroupNames(group, namespace, ())
    rates = names("rates")
    names.own("spike", Event(when=uniform() < rates * dt))
    made = make_neuron(group.name, names.symbols, doc="Poisson neurons, from Brian 2.")
    return made(**names.values)


def group_neuron(group: Any, incoming: Incoming, namespace: Mapping[str, Any]) -> tuple[Neuron | None, list[str]]:
    """A NeuronGroup as a neuron, or what keeps it from being one.

    Parameters
    ----------
    group : NeuronGroup
    incoming : Incoming
    namespace : mapping
        Where names are looked up that neither the group nor its own namespace knows.
    """
    builder = _Builder(group, incoming, namespace)
    neuron = builder.build()
    return neuron, [f"{group.name}: {problem}" for problem in builder.problems]


class _Builder:
    def __init__(self, group: Any, incoming: Incoming, namespace: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        self._group = group
        self._incoming = incoming
        self._namespace = namespace
        self._equations = group.user_equations
        self._reset_code = group.event_codes.get("spike") or ""
        self._added = {*incoming.variables, *(p.target_var for p in incoming.poisson)}
        try:
            written = {s.target for s in statements(self._reset_code)}
        except LanguageError as error:
            self.problems.append(f"reset: {problem_of(error)}")
            self._reset_code, written = "", set()
        self._names = GroupNames(group, namespace, written | self._added)
        self._timed: Expr | None = None  # steps of refractory time, Brian's count
        self._waiting: Expr | None = None  # true where not_refractory is false in the synapses' turn
        self._hold: tuple[str, ...] = ()
        self._after_event: State | None = None

    def build(self) -> Neuron | None:
        """The neuron; None if there were problems."""
        for name in self._equations:
            self._attempt(name, lambda name=name: self._names(name))
        if self.problems:  # whatever uses a name that cannot be taken would only say so again
            return None
        self._attempt("refractory", self._refractory)
        method = self._attempt("method", self._dynamics)
        changes = self._attempt("reset", self._resets) or {}
        self._attempt("threshold", lambda: self._event(changes))
        for name in sorted(self._added):
            self._attempt(f"synapses to {name}", lambda name=name: self._jump(name, changes.get(name)))
        if self.problems:
            return None
        doc = f"From Brian 2's {self._group.name}."
        made = self._attempt(
            "equations", lambda: make_neuron(self._group.name, self._names.symbols, doc=doc, method=method)
        )
        return None if made is None else self._attempt("values", lambda: made(**self._names.values))

    def _attempt(self, what: str, work: Any) -> Any:
        try:
            return work()
        except (NeuromorphError, SyntaxError) as error:
            self.problems.append(f"{what}: {problem_of(error) if isinstance(error, NeuromorphError) else error}")
            return None

    # --- refractoriness -------------------------------------------------------------------------------------------
    def _refractory(self) -> None:
        given = self._group._refractory
        if given is False:
            return
        held = [n for n in self._equations.diff_eq_names if "unless refractory" in self._equations[n].flags]
        value = expression(given, self._names) if isinstance(given, str) else const(float(given), TIME, unit(TIME))
        if value.dim == TIME:
            # The step of the spike is the first of Brian 2's refractory steps; timestep() there rounds down.
            self._timed = floor(value / dt + 1e-3)
            self._hold = tuple(held)
            if self._added & set(held):
                self._waiting = self._count_down(to_int(self._timed)) > 0
            return
        if held:
            raise LanguageError(f"a condition instead of a time, with {', '.join(held)} (unless refractory)")
        ready = self._names.own("ready", State(1, dtype=int))
        ready.next = where((ready != 0) | ~value, 1, 0)
        ready.reset = 0

    def _count_down(self, steps: Expr) -> Expr:
        left: State = self._names.own("refractory_left", State(0, dtype=int))
        left.next = maximum(left - 1, 0)
        left.reset = maximum(steps, 1)
        return left

    # --- dynamics -------------------------------------------------------------------------------------------------
    def _dynamics(self) -> str:
        from brian2.stateupdaters.base import StateUpdateMethod

        equations = self._equations
        if not equations.diff_eq_names:
            return "auto"
        group = self._group
        names = equations.names | group.equations.identifiers | {"dt"}
        variables = group.resolve_all(names, self._namespace, user_identifiers=set())
        method, code = _chosen(group.state_updater, group.equations, variables, StateUpdateMethod)
        if method in METHODS:
            self._check_constant_over_dt(METHODS[method])
            for name in equations.diff_eq_names:
                self._names.state(name).dot = expression(str(equations[name].expr), self._names)
            return METHODS[method]
        if self._hold:
            raise LanguageError(f"{method} with {', '.join(self._hold)} (unless refractory); use euler")
        for name, value in _written_out(code, self._names).items():
            if name in equations.diff_eq_names:
                self._names.state(name).next = value
        return "auto"

    def _check_constant_over_dt(self, method: str) -> None:
        for name, equation in self._equations.items():
            moving = "constant over dt" in equation.flags and method != "euler"
            if moving and any(isinstance(n, State) for n in nodes(self._names(name))):
                raise LanguageError(f"{name} (constant over dt) depends on states, with a method other than euler")

    # --- events ---------------------------------------------------------------------------------------------------
    def _event(self, changes: Mapping[str, _Change]) -> None:
        threshold = self._group.events.get("spike")
        if threshold is None:
            return
        when = expression(threshold, self._names)
        if "ready" in self._names.symbols:
            when = when & (self._names.symbols["ready"] != 0)
        refractory = None if self._timed is None else maximum(self._timed - 1, 0) * dt
        hold = tuple(self._names.state(name) for name in self._hold)
        self._names.own("spike", Event(when=when, refractory=refractory, hold=hold))
        for name, change in changes.items():
            self._names.state(name).reset = change.value

    def _resets(self) -> dict[str, _Change]:
        late = {id(self._names.state(n)): n for n in self._added if not self._is_held(n)}
        changes: dict[str, _Change] = {}
        sequence = Sequence(self._names)
        for statement in statements(self._reset_code):
            target = statement.target
            value = sequence.run(statement)
            before = changes.get(target)
            relative = statement.relative and (before is None or before.relative)
            reads = sequence(target) if not relative else value if before is None else before.reads + value
            if target in self._equations or target in self._group.variables:
                changes[target] = _Change(sequence(target), relative, reads)
        for target, change in changes.items():
            for read in sorted({late[id(n)] for n in nodes(change.reads) if id(n) in late}):
                raise LanguageError(
                    f"of {target} reads {read}, which synapses change in the same step (before the reset there, after "
                    "it here)"
                )
        return changes

    def _is_held(self, name: str) -> bool:
        equation = self._equations[name]
        return self._group._refractory is not False and "unless refractory" in equation.flags

    # --- input ----------------------------------------------------------------------------------------------------
    def _jump(self, name: str, change: _Change | None) -> None:
        state = self._names.state(name)
        parts: list[Expr] = []
        if name in self._incoming.variables:
            parts.append(self._names.own(port_name(name), Port(unit=unit(state.dim))))
        parts += (self._poisson_input(source) for source in self._incoming.poisson if source.target_var == name)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        lost = None
        if self._is_held(name):
            lost = self._waiting
        elif change is not None and not change.relative:
            lost = self._fired() != 0
        state.jump = total if lost is None else where(lost, const(0.0, state.dim), total)

    def _poisson_input(self, source: Any) -> Expr:
        chance = float(source.rate) * float(source.clock.dt)
        if chance > 0.1:
            raise LanguageError(f"{source.name}: each input fires with probability {chance:g} in a step; above 0.1")
        weight = source._weight
        if isinstance(weight, str):
            value = expression(weight, self._names)
        else:
            dim = dimension(self._group.variables[source.target_var].dim)
            value = const(float(weight), dim, unit(dim))
        rate = const(float(source.rate), FREQUENCY)
        return to_float(poisson(source.N * rate * dt)) * value

    def _fired(self) -> State:
        if self._after_event is None:
            self._after_event = self._names.own("fired", State(0, dtype=int))
            self._after_event.next = 0
            self._after_event.reset = 1
        return self._after_event


def _chosen(updater: Any, equations: Any, variables: Any, methods: Any) -> tuple[str, str]:
    """Name of the integration method that Brian 2 takes, and the update it writes out."""
    from brian2.stateupdaters.base import UnsupportedEquationsException

    choice = updater.method_choice
    if isinstance(choice, str) and choice in METHODS:
        return choice, ""
    for method in [choice] if isinstance(choice, str) or callable(choice) else choice:
        try:
            code = methods.apply_stateupdater(equations, variables, method, method_options=updater.method_options)
        except UnsupportedEquationsException as error:
            refusal = error
            continue
        if not isinstance(code, str):
            raise LanguageError(f"{method} integrates outside of Brian 2's own code")
        if callable(method):
            registered = [name for name, known in methods.stateupdaters.items() if known is method]
            return registered[0] if registered else type(method).__name__, code
        return method, code
    raise LanguageError(str(refusal))


def _written_out(code: str, names: GroupNames) -> dict[str, Expr]:
    """The values that variables have after a sequence of statements."""
    sequence = Sequence(names)
    for statement in statements(code):
        sequence.run(statement)
    return sequence.current
