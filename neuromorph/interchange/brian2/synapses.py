"""Brian 2's synapses as connections given one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.expressions import Statement, expression, problem_of, statements
from neuromorph.interchange.brian2.names import dimension, quantity
from neuromorph.interchange.brian2.walk import whole
from neuromorph.language import Expr, Type
from neuromorph.language.expr import as_expr, const
from neuromorph.lowering.statics import Statics
from neuromorph.units import TIME, Dimension

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Effect:
    """What one statement of a pathway does: add a weight, own to each synapse, to a variable of its target.

    Attributes
    ----------
    name : str
    source, target : str
        Names of the whole groups; indices count from their first neurons.
    variable : str
    pre, post : int array (synapses,)
    weights : Quantity or array
        One, or (synapses,).
    delays : Quantity
        From sending to arriving, one, or (synapses,): a step longer than Brian 2's.
    """

    name: str
    source: str
    target: str
    variable: str
    pre: Array
    post: Array
    weights: Any
    delays: Any


def effects(synapses: Any, namespace: Mapping[str, Any]) -> tuple[list[Effect], list[str]]:
    """Everything that a Synapses object does, and what cannot be taken."""
    problems: list[str] = []
    found: list[Effect] = []
    changing = [*synapses.equations.diff_eq_names, *(getattr(synapses, "event_driven", None) or {})]
    problems += [f"its variable {name} changes in time; synapses have weights only" for name in changing]
    problems += [f"{name} is a summed variable" for name in synapses.summed_updaters]
    for pathway in () if problems else synapses._pathways:
        try:
            found += _pathway(synapses, pathway, namespace)
        except (NeuromorphError, SyntaxError) as error:
            problem = problem_of(error) if isinstance(error, NeuromorphError) else str(error)
            problems.append(f"on_{pathway.prepost} {pathway.code!r}: {problem}")
    return found, [f"{synapses.name}: {problem}" for problem in problems]


def _pathway(synapses: Any, pathway: Any, namespace: Mapping[str, Any]) -> list[Effect]:
    if pathway.prepost != "pre":
        if not pathway.code.strip():
            return []
        raise LanguageError("synapses act on events of their source only; plasticity has no counterpart")
    if pathway.event != "spike":
        raise LanguageError(f"it follows the event {pathway.event}; there are spikes only")
    if pathway.when != "synapses":
        raise LanguageError(f"it runs in the slot {pathway.when!r} of a step, expected 'synapses'")
    names = _SynapseNames(synapses, namespace)
    pre = np.asarray(synapses.i[:], np.int64) + synapses.source.start
    post = np.asarray(synapses.j[:], np.int64) + synapses.target.start
    dt = float(synapses.source.clock.dt)
    steps = np.floor(np.asarray(pathway.variables["delay"].get_value(), np.float64) / dt + 0.5) + 1
    delays = quantity(_one_if_equal(steps * dt), TIME)
    lines = [s for s in statements(pathway.code) if s.target != "pass"]
    made = []
    for k, statement in enumerate(lines):
        variable = _target(synapses, statement)
        value = expression(statement.value, names)
        weights = quantity(_one_if_equal(names.evaluate(value)), value.dim)
        name = synapses.name if pathway.objname == "pre" else f"{synapses.name} {pathway.objname}"
        if len(lines) > 1:
            name += f" {k + 1}"
        source, target = whole(synapses.source).name, whole(synapses.target).name
        made.append(Effect(name, source, target, variable, pre, post, weights, delays))
    return made


def _target(synapses: Any, statement: Statement) -> str:
    """The variable of the target group that a statement adds to."""
    name = statement.target.removesuffix("_post")
    if statement.target in synapses.equations.names:
        raise LanguageError(f"it changes {statement.target}, a variable of the synapses; plasticity has no counterpart")
    if not statement.relative:
        raise LanguageError(f"it sets {statement.target}; synapses can only add to a variable")
    if statement.target.endswith("_pre") or name not in synapses.target.variables:
        raise LanguageError(f"it changes {statement.target}, which is no variable of the target")
    return name


def _one_if_equal(values: Array) -> Any:
    flat = np.asarray(values, np.float64).reshape(-1)
    return float(flat[0]) if flat.size and np.all(flat == flat[0]) else flat


class _SynapseNames:
    """Names in a pathway's code: everything that is constant, with one value for each synapse."""

    def __init__(self, synapses: Any, namespace: Mapping[str, Any]) -> None:
        self._synapses = synapses
        self._namespace = namespace
        self._arrays: dict[str, Array] = {}

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        synapses = self._synapses
        equations = synapses.equations
        if name == "dt":
            return const(float(synapses.clock.dt), TIME)
        if name in equations.names:
            if equations[name].type == "subexpression":
                return expression(str(equations[name].expr), self)
            return self._parameter(name, synapses.variables[name], None)
        if name in ("i", "j"):
            return self._array(name, getattr(synapses, name)[:], Dimension())
        for end, index, suffix in ((synapses.source, synapses.i, "_pre"), (synapses.target, synapses.j, "_post")):
            plain = name.removesuffix(suffix)
            if (plain != name or suffix == "_post") and plain in end.variables:
                group = whole(end)
                self._require_constant(group, plain, name)
                return self._parameter(name, group.variables[plain], np.asarray(index[:], np.int64) + end.start)
        return self._external(name)

    def function(self, name: str) -> None:
        """There are Brian 2's own functions alone."""

    def evaluate(self, value: Expr) -> Array:
        """Value for each synapse, or one for all."""
        static = Statics(self._arrays, float(self._synapses.clock.dt))(value)
        if static is None:
            raise LanguageError("what it adds is random or changes while the network runs; weights are constant")
        return static.value

    def _parameter(self, name: str, variable: Any, index: Array | None) -> Expr:
        values = np.asarray(variable.get_value())
        if index is not None and values.size > 1:
            values = values[index]
        return self._array(name, values if values.size != 1 else values.reshape(()), dimension(variable.dim))

    def _array(self, name: str, values: Any, dim: Dimension) -> Expr:
        whole_numbers = np.asarray(values).dtype.kind in "iub"
        self._arrays[name] = np.asarray(values, np.int64 if whole_numbers else np.float64)
        return Expr("param", (), dim, Type.INT if whole_numbers else Type.FLOAT, name)

    def _require_constant(self, group: Any, plain: str, name: str) -> None:
        equations = getattr(group, "user_equations", {})
        reset = (getattr(group, "event_codes", {}) or {}).get("spike") or ""
        fixed = plain in equations and equations[plain].type == "parameter"
        if not fixed or plain in {s.target for s in statements(reset)}:
            raise LanguageError(f"{name} changes while the network runs; weights are constant")

    def _external(self, name: str) -> Expr:
        try:
            found = self._synapses._resolve(name, run_namespace=self._namespace, user_identifier=False)
        except KeyError:
            raise LanguageError(f"the name {name} cannot be resolved; give namespace= with it") from None
        if not hasattr(found, "get_value") or name == "t":
            raise LanguageError(f"{name} is no constant; weights are constant")
        value = np.asarray(found.get_value())
        if value.size != 1:
            raise LanguageError(f"{name} is an array; make it a parameter of the synapses")
        return as_expr(quantity(value.item(), dimension(found.dim)))
