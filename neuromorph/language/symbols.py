"""What a neuron's class body is written with: :class:`Port`, :class:`Param`, :class:`State` and :class:`Event`.

They live only while the body runs; :func:`~neuromorph.language.neuron.neuron` turns them into plain data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias, overload

import numpy as np

from neuromorph.errors import UnitError
from neuromorph.language.expr import Expr, Operand, Type, as_expr, common, const, describe, nodes, refuse, to_float
from neuromorph.language.site import Site, body_frame, here
from neuromorph.language.suggest import nearest
from neuromorph.units import NONE, TIME, Unit, as_quantity, example_unit, one, si_unit

Dtype: TypeAlias = "type[float] | type[int]"

REGISTRY: Final = "__neuromorph_symbols__"
"""Class-body name under which everything that the body makes is listed, so that nothing gets lost unnoticed."""


def register(made: Any) -> Site:
    """List a symbol among those that the class body under way makes; the line that does."""
    frame = body_frame()
    if frame is not None:
        frame.f_locals.setdefault(REGISTRY, []).append(made)
    return here()


def _type(dtype: object, what: str) -> Type:
    if dtype is float:
        return Type.FLOAT
    if dtype is int:
        return Type.INT
    refuse(f"{what}: dtype must be float or int, not {dtype!r}; widths are chosen by the target")


def _value(x: object, kind: Type, what: str) -> tuple[float | int, Unit]:
    """One number in SI units and the unit it was written in."""
    if isinstance(x, bool | np.bool_):
        refuse(f"{what}: expected a number, got {x}; write 1 or 0")
    if hasattr(x, "sample"):
        refuse(
            f"{what}: a distribution is a value for a population, not a default; give one number here and the "
            "distribution when the neuron is used: LIF(tau=...)"
        )
    if isinstance(x, Expr):
        refuse(f"{what}: expected a number, got the expression {describe(x)}; bind the expression to a name of its own")
    try:
        quantity = as_quantity(x, what)
    except UnitError as error:
        refuse(str(error), UnitError)
    if np.ndim(quantity.value):
        refuse(
            f"{what}: a default is one value, got an array of shape {quantity.shape}; give one value here and the "
            "array when the neuron is used: LIF(tau=array)"
        )
    if kind is Type.INT:
        if not quantity.dim.is_none:
            refuse(f"{what}: an int has no unit, got {quantity} ({quantity.dim})", UnitError, got=quantity.dim)
        if not float(quantity.value).is_integer():
            refuse(f"{what}: expected a whole number because dtype=int, got {quantity}")
        if not -(2**31) <= quantity.value < 2**31:
            refuse(f"{what}: an int holds 32 bits, got {quantity}; use a value in [-2**31, 2**31)")
        return int(quantity.value), one
    if np.isnan(quantity.value):
        refuse(f"{what}: not a number (NaN) cannot be a value")
    return float(quantity.value), quantity.unit


def read_unit(unit: object, what: str) -> Unit:
    """A unit as ours, also if it is one of Brian 2's."""
    if isinstance(unit, Unit):
        return unit
    if getattr(unit, "dim", None) is None:
        refuse(f"{what}: unit must be a unit such as nA, not {unit!r}")
    return as_quantity(unit).unit


class Port(Expr):
    """A named synaptic input; in an expression, the sum of what arrives at it in this step.

    Parameters
    ----------
    unit : Unit, optional
        Unit of the weights that arrive here; dimensionless by default.
    dtype : float or int
        Int ports sum exactly, with int weights.

    Examples
    --------
    >>> i_in = Port(unit=nA)  # doctest: +SKIP
    """

    __slots__ = ("site", "unit")
    unit: Unit
    site: Site

    def __init__(self, unit: Unit | None = None, dtype: Dtype = float) -> None:
        kind = _type(dtype, "Port")
        if unit is not None:
            unit = read_unit(unit, "Port")
        if kind is Type.INT and unit is not None and not unit.dim.is_none:
            refuse(f"Port: an int has no unit, got {unit} ({unit.dim})", UnitError, got=unit.dim)
        super().__init__("port", (), NONE if unit is None else unit.dim, kind)
        object.__setattr__(self, "unit", unit or one)
        object.__setattr__(self, "site", register(self))


class Param(Expr):
    """A parameter: one value for a population, or one for each neuron.

    Parameters
    ----------
    default : number or quantity
        Its dimension is the parameter's. Arrays and distributions are given when the neuron is used.
    dtype : float or int
        Numbers without a unit are floats unless ``dtype=int``.
    """

    __slots__ = ("default", "site", "unit")
    default: float | int
    unit: Unit
    site: Site

    def __init__(self, default: Operand, dtype: Dtype = float) -> None:
        kind = _type(dtype, "Param")
        value, unit = _value(default, kind, "Param")
        super().__init__("param", (), unit.dim, kind)
        object.__setattr__(self, "default", value)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "site", register(self))


class Rule:
    """What happens to a state: assigned once in the class body, read back as an expression."""

    def __init__(self, check: Callable[[State, Expr, str], Expr], doc: str) -> None:
        self._check = check
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, state: None, owner: type) -> Rule: ...
    @overload
    def __get__(self, state: State, owner: type) -> Expr: ...
    def __get__(self, state: State | None, owner: type) -> Rule | Expr:
        if state is None:
            return self
        if self._name not in state.rules:
            refuse(f"{describe(state)} has no .{self._name} yet; assign it before reading it")
        return state.rules[self._name]

    def __set__(self, state: State, value: Operand) -> None:
        if isinstance(value, Event):
            refuse(f".{self._name} of {describe(state)}: an Event is not a value; use the condition it was made with")
        if self._name in state.rules:
            line = state.sites[self._name].lineno
            refuse(
                f".{self._name} of {describe(state)} was already set in line {line}; put everything into one expression"
            )
        expr = self._check(state, as_expr(value), self._name)
        state.rules[self._name] = expr
        state.sites[self._name] = here()


def like_state(state: State, value: Expr, rule: str) -> Expr:
    """A new value for a state: of its dimension and type, or refused."""
    if value.dim != state.dim:
        _wrong_dimension(state, value, rule, state)
    return _to_type(state, value, rule)


def _wrong_dimension(state: State, value: Expr, rule: str, like: Expr) -> None:
    hint = ""
    if value.op == "const" and value.dim.is_none:
        hint = f"; write {value.payload:g} * {example_unit(like.dim)}"
    refuse(
        f".{rule} of {describe(state)} must be {like.dim}, not {describe(value)}{hint}",
        UnitError,
        expected=like.dim,
        got=value.dim,
    )


def _to_type(state: State, value: Expr, rule: str) -> Expr:
    if state.type is Type.FLOAT:
        return to_float(value)
    value = common(value)[0]
    if value.type is not Type.INT:
        refuse(f".{rule} of the int state {describe(state)} must be an int, not {describe(value)}; use to_int(x)")
    return value


def _next(state: State, value: Expr, rule: str) -> Expr:
    _one_advance(state, rule, "dot")
    return like_state(state, value, rule)


def _dot(state: State, value: Expr, rule: str) -> Expr:
    _one_advance(state, rule, "next")
    if state.type is Type.INT:
        refuse(f"{describe(state)} is an int state and has no derivative; give its next value: .next")
    rate = Expr("dot", (), state.dim / TIME)
    if value.dim != rate.dim:
        _wrong_dimension(state, value, rule, rate)
    return _to_type(state, value, rule)


def _one_advance(state: State, rule: str, other: str) -> None:
    if other in state.rules:
        line = state.sites[other].lineno
        refuse(f"{describe(state)} has a .{other} (line {line}) and cannot have a .{rule} too; keep one of them")


class State(Expr):
    """A state variable of every neuron, or of every synapse.

    Assign at most one each of ``.jump``, ``.dot`` or ``.next``, and ``.reset``; a state with neither ``.dot`` nor
    ``.next`` keeps its value but for jumps and resets. In a synapse, events act through ``.on_pre`` and ``.on_post``
    instead of ``.jump`` and ``.reset``.

    Parameters
    ----------
    initial : number, quantity or expression
        Value before the first step: a number, a quantity, a Param or an expression of Params. Its dimension is the
        state's.
    dtype : float or int
        Int states hold 32 bits (two's complement, wrapping).
    """

    __slots__ = ("initial", "rules", "site", "sites", "unit")
    initial: Expr
    unit: Unit
    rules: dict[str, Expr]
    site: Site
    sites: dict[str, Site]

    jump = Rule(like_state, "Added to the state at the start of a step; all jumps are computed from the old values.")
    dot = Rule(_dot, "Derivative with respect to time, integrated over each step.")
    next = Rule(_next, "Value after the step, computed from the values after the jumps.")
    reset = Rule(like_state, "Value after an event, computed from the values at the end of the step.")
    on_pre = Rule(like_state, "Value after an event of the source has arrived, computed from the values before it.")
    on_post = Rule(like_state, "Value after an event of the target, computed from the values before it.")

    may_have: ClassVar[tuple[str, ...]] = ("jump", "dot", "next", "reset", "on_pre", "on_post")

    def __init__(self, initial: Operand, dtype: Dtype = float) -> None:
        kind = _type(dtype, "State")
        if isinstance(initial, Expr):
            start, unit = _initial(initial, kind)
        else:
            value, unit = _value(initial, kind, "State")
            start = const(value, unit.dim, unit)
        super().__init__("state", (), unit.dim, kind)
        for name, item in (("initial", start), ("unit", unit), ("rules", {}), ("sites", {})):
            object.__setattr__(self, name, item)
        object.__setattr__(self, "site", register(self))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.may_have:
            close = nearest(name, self.may_have)
            advice = f"did you mean .{close}?" if close else f"it has .{' .'.join(self.may_have)}"
            refuse(f"a {type(self).__name__} has no .{name}; {advice}")
        object.__setattr__(self, name, value)

    def __iadd__(self, other: Operand) -> Expr:
        refuse(
            f"+= and the like would give the name of {describe(self)} to something else; write .jump = ..., .dot = ... "
            "or .next = ..."
        )

    __isub__ = __imul__ = __itruediv__ = __iadd__


def _initial(expr: Expr, kind: Type) -> tuple[Expr, Unit]:
    """An initial value of Params, and the unit to show it in."""
    params = []
    for node in nodes(expr):
        if node.op == "param":
            params.append(node)
        elif not node.args and node.op != "const":
            refuse(f"State: an initial value may depend on Params and numbers alone, not on {describe(node)}")
        elif node.op == "poisson":
            refuse(
                "State: an initial value cannot be random here; give a distribution when the neuron is used: LIF(v=...)"
            )
    value = common(expr)[0]
    if kind is Type.INT and value.type is not Type.INT:
        refuse(f"State: the initial value of an int state must be an int, not {describe(value)}; use to_int(x)")
    if kind is Type.FLOAT:
        value = to_float(value)
    units = [p.unit for p in params if isinstance(p, Param) and p.dim == expr.dim]
    return value, units[0] if units else example_unit(expr.dim) if not expr.dim.is_none else si_unit(expr.dim)


class Event:
    """When a neuron sends an event, and what the event does to it.

    Parameters
    ----------
    when : condition
        Tested on the new state in every step in which the neuron is not refractory.
    value : expression, optional
        What the event carries, a dimensionless float, evaluated before the reset; by default 1.
    refractory : time, optional
        A quantity or an expression of Params: no event is tested for this time (rounded to steps) after an event.
    hold : State or tuple of States, optional
        States that keep their value while the neuron is refractory.
    """

    __slots__ = ("hold", "refractory", "site", "value", "when")

    def __init__(
        self,
        when: Operand,
        value: Operand | None = None,
        refractory: Operand | None = None,
        hold: State | tuple[State, ...] | list[State] = (),
    ) -> None:
        self.when = as_expr(when)
        if self.when.type is not Type.BOOL:
            refuse(f"Event: when= must be a condition, not {describe(self.when)}; compare it, as in v > theta")
        self.value = None if value is None else _event_value(as_expr(value))
        self.refractory = None if refractory is None else _refractory(as_expr(refractory))
        self.hold = tuple(hold) if isinstance(hold, tuple | list) else (hold,)
        for held in self.hold:
            if not isinstance(held, State):
                shown = describe(held) if isinstance(held, Expr) else repr(held)
                refuse(f"Event: hold= takes a State or a tuple of States, not {shown}")
        if self.hold and self.refractory is None:
            refuse("Event: hold= needs refractory=, the time for which the states keep their value")
        self.site = register(self)


def _event_value(value: Expr) -> Expr:
    if not value.dim.is_none:
        refuse(
            f"Event: value= must be dimensionless, not {describe(value)}, because weights carry the port's unit; "
            "divide it by a scale",
            UnitError,
            got=value.dim,
        )
    if value.type is not Type.FLOAT:
        kind = "an int" if value.type is Type.INT else "a condition"
        refuse(f"Event: value= must be a float, and {describe(value)} is {kind}; use to_float(x)")
    return value


def _refractory(time: Expr) -> Expr:
    if time.dim != TIME:
        refuse(
            f"Event: refractory= must be a time, not {describe(time)}; write it as 2 * ms or n * dt",
            UnitError,
            got=time.dim,
        )
    for node in nodes(time):
        if (node.op not in ("const", "param", "dt") and not node.args) or node.op == "poisson":
            refuse(
                f"Event: refractory= must be constant for each neuron, and depends on {describe(node)}; use Params and "
                "numbers"
            )
    return time
