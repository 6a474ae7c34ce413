"""A neuron as plain data, and the decorator that makes one of a class body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr, Type
from neuromorph.language.rows import Rows, from_rows, to_rows
from neuromorph.language.suggest import suggestion
from neuromorph.units import Unit

if TYPE_CHECKING:
    from neuromorph.simulate import Simulation
    from neuromorph.units import Quantity

Spec = TypeVar("Spec", bound="Named")


class Named(Protocol):
    """Something with a name."""

    @property
    def name(self) -> str:
        """Unique among its kind."""
        ...


METHODS = ("auto", "exact", "exponential_euler", "euler")
"""How ``.dot`` is integrated; ``auto`` is exact for what is linear and exponential Euler for the rest."""


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A synaptic input: its name, the unit of its weights and its type."""

    name: str
    unit: Unit
    type: Type


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A parameter: its name, default (SI), the unit it was written in and its type."""

    name: str
    default: float | int
    unit: Unit
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class StateSpec:
    """A state variable and everything that changes it.

    Attributes
    ----------
    name : str
    initial : Expr
        Of constants and parameters only.
    unit : Unit
        The unit it was written in.
    type : Type
    jump, dot, next, reset : Expr or None
        At most one of ``dot`` and ``next`` is set.
    """

    name: str
    initial: Expr
    unit: Unit
    type: Type
    jump: Expr | None = None
    dot: Expr | None = None
    next: Expr | None = None
    reset: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EventSpec:
    """The event: its condition, what it carries (None: 1), the refractory time and the states held during it."""

    name: str
    when: Expr
    value: Expr | None = None
    refractory: Expr | None = None
    hold: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Neuron:
    """A model of a neuron: what :func:`neuron` makes of a class body.

    Calling it with values gives a copy that has them: ``LIF(tau_m=10 * ms, v=-60 * mV)``. A value is a number, a
    quantity (also of Brian 2), an array with one value for each neuron, or a distribution.

    Attributes
    ----------
    name : str
    doc : str
        The class's docstring.
    ports : tuple of PortSpec
    params : tuple of ParamSpec
    states : tuple of StateSpec
    named : tuple of (str, Expr)
        Intermediate expressions that the class body gave a name, in its order. Expressions that use one share the node.
    event : EventSpec or None
    method : str
        One of ``METHODS``.
    values : tuple of (str, value)
        Values given for parameters and initial states, in the order of declaration.

    Notes
    -----
    Symbols are leaf expressions of op ``state``, ``param`` or ``port`` whose payload is the name. Neurons are equal if
    their :meth:`text` is.
    """

    name: str
    doc: str
    ports: tuple[PortSpec, ...]
    params: tuple[ParamSpec, ...]
    states: tuple[StateSpec, ...]
    named: tuple[tuple[str, Expr], ...] = ()
    event: EventSpec | None = None
    method: str = "auto"
    values: tuple[tuple[str, Any], ...] = ()

    # --- look-ups -------------------------------------------------------------------------------------------------
    def port(self, name: str) -> PortSpec:
        """The port of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "port", self.ports, name)

    def param(self, name: str) -> ParamSpec:
        """The parameter of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "parameter", self.params, name)

    def state(self, name: str) -> StateSpec:
        """The state of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "state", self.states, name)

    def expressions(self) -> tuple[Expr, ...]:
        """Every root expression: named ones, the states' and the event's."""
        roots = [e for _, e in self.named]
        for s in self.states:
            roots += [e for e in (s.initial, s.jump, s.dot, s.next, s.reset) if e is not None]
        if self.event is not None:
            roots += [e for e in (self.event.when, self.event.value, self.event.refractory) if e is not None]
        return tuple(roots)

    # --- copies ---------------------------------------------------------------------------------------------------
    def __call__(self, /, *args: Any, **values: Any) -> Neuron:
        """A copy with other values of parameters and initial states.

        Raises
        ------
        LanguageError
            For a name that is neither a parameter nor a state.
        UnitError
            For a value of another dimension.
        """
        from neuromorph.language.values import checked  # late: most neurons are used as they are

        if args:
            raise LanguageError(f"{self.name}: give values by name, as in {self.name}(tau=10 * ms)")
        merged = dict(self.values) | {name: checked(self, name, value) for name, value in values.items()}
        order = [*(p.name for p in self.params), *(s.name for s in self.states)]
        return replace(self, values=tuple((n, merged[n]) for n in order if n in merged))

    def with_method(self, method: str) -> Neuron:
        """A copy that integrates its ``.dot`` by another method: one of ``METHODS``."""
        return replace(self, method=checked_method(method))

    # --- use ------------------------------------------------------------------------------------------------------
    def simulate(self, duration: Quantity | int, dt: Quantity | None = None, **options: Any) -> Simulation:
        """Run this neuron alone, with an input of your choice: see :func:`neuromorph.simulate.simulate`.

        Parameters
        ----------
        duration : Quantity or int
            A time, or a number of steps.
        dt : Quantity, optional
            Length of a step; default 0.1 ms.
        **options
            ``inputs={port: value, array or function of time}``, ``n``, ``seed``, ``method``, ``record``, ``dtype``.
        """
        from neuromorph.simulate import simulate
        from neuromorph.units import ms

        return simulate(self, duration, 0.1 * ms if dt is None else dt, **options)

    # --- identity -------------------------------------------------------------------------------------------------
    def text(self) -> str:
        """Canonical text: equal for equal neurons, in every process and version of Python."""
        from neuromorph.language.text import neuron_text

        return neuron_text(self)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of :meth:`text`, as 64 hexadecimal digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Neuron) and self.hash == other.hash)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        rows, number = to_rows(self.expressions())
        return _restore, (rows, self._convert(lambda e: number[id(e)]))

    def _convert(self, f: Callable[[Any], Any]) -> tuple[Any, ...]:
        """The fields, with ``f`` applied to each root expression."""

        def g(x: Any) -> Any:
            return None if x is None else f(x)

        states = tuple(
            StateSpec(s.name, g(s.initial), s.unit, s.type, g(s.jump), g(s.dot), g(s.next), g(s.reset))
            for s in self.states
        )
        e = self.event
        event = None if e is None else EventSpec(e.name, g(e.when), g(e.value), g(e.refractory), e.hold)
        named = tuple((n, f(x)) for n, x in self.named)
        return (self.name, self.doc, self.ports, self.params, states, named, event, self.method, self.values)

    # --- display --------------------------------------------------------------------------------------------------
    def equations(self) -> list[str]:
        """The equations as plain text, one in each line."""
        from neuromorph.language.text import equations

        return equations(self)

    def __repr__(self) -> str:
        given = ", ".join(f"{n}={v!r:.40}" for n, v in self.values)
        parts = [f"{len(self.states)} states", f"{len(self.params)} params", f"{len(self.ports)} ports"]
        return f"<Neuron {self.name}({given}): {', '.join(parts)}>"

    def _repr_latex_(self) -> str:
        from neuromorph.language.latex import neuron_latex

        return neuron_latex(self)

    def _repr_html_(self) -> str:
        from neuromorph.language.html import neuron_html

        return neuron_html(self)


def find(model: str, kind: str, specs: tuple[Spec, ...], name: str) -> Spec:
    """The one of that name; LanguageError, listing what the model has, if there is none."""
    for spec in specs:
        if spec.name == name:
            return spec
    names = [s.name for s in specs]
    raise LanguageError(f"{model} has no {kind} {name!r}; {suggestion(name, names)}", name=name, available=names)


def _restore(rows: Rows, fields: tuple[Any, ...]) -> Neuron:
    exprs = from_rows(rows)
    return Neuron(*Neuron(*fields)._convert(lambda k: exprs[k]))


def checked_method(method: str) -> str:
    """``method`` if it is one; LanguageError otherwise."""
    if method not in METHODS:
        raise LanguageError(f"unknown method {method!r}; {suggestion(str(method), METHODS)}")
    return method


@overload
def neuron(cls: Callable[..., Any], /) -> Neuron: ...
@overload
def neuron(*, method: str = "auto") -> Callable[[Callable[..., Any]], Neuron]: ...
def neuron(
    cls: Callable[..., Any] | None = None, /, *, method: str = "auto"
) -> Neuron | Callable[[Callable[..., Any]], Neuron]:
    """Make a :class:`Neuron` of a class body, as ``@neuron`` or ``@neuron(method="euler")``.

    Parameters
    ----------
    method : {"auto", "exact", "exponential_euler", "euler"}
        How every ``.dot`` is integrated.

    Raises
    ------
    LanguageError, UnitError
        Where the class body breaks a rule of the language; the message names the line and the remedy.
    """
    from neuromorph.language.seal import seal  # late: seal builds the dataclasses above

    checked_method(method)
    if cls is None:
        return lambda c: seal(c, method)
    return seal(cls, method)
