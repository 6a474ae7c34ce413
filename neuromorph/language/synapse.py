"""A plastic synapse as plain data, and the decorator that makes one of a class body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr
from neuromorph.language.neuron import ParamSpec, checked_method, find
from neuromorph.language.rows import Rows, from_rows, to_rows
from neuromorph.units import Dimension, Unit

Place = Literal["pre", "post", "synapse"]
RULES = ("dot", "next", "on_pre", "on_post")
"""What may change a state of a synapse."""


@dataclass(frozen=True, slots=True, eq=False)
class SynapseState:
    """A state variable and everything that changes it.

    Attributes
    ----------
    name : str
    place : {"pre", "post", "synapse"}
        One for each source neuron, each target neuron or each synapse.
    initial : Expr
        Of constants and parameters only; 0 for the weight, which starts as the projection says.
    unit : Unit
        The unit it was written in.
    dot, next, on_pre, on_post : Expr or None
        At most one of ``dot`` and ``next`` is set.
    """

    name: str
    place: Place
    initial: Expr
    unit: Unit
    dot: Expr | None = None
    next: Expr | None = None
    on_pre: Expr | None = None
    on_post: Expr | None = None


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """A value of a neuron that the equations read.

    Attributes
    ----------
    end : {"pre", "post", "third"}
    variable : str
        Name of the neuron's state or intermediate.
    dim : Dimension
    """

    end: str
    variable: str
    dim: Dimension

    @property
    def name(self) -> str:
        """What it is called in expressions."""
        return f"{self.end}.{self.variable}"


@dataclass(frozen=True, eq=False, repr=False)
class Synapse:
    """A model of plastic synapses: what :func:`synapse` makes of a class body.

    Calling it with values gives a copy that has them: ``PairSTDP(w_max=0.8)``. Parameters take one number or quantity
    each; states that belong to neurons take one for each neuron, too, and every state takes a distribution.

    Attributes
    ----------
    name : str
    doc : str
        The class's docstring.
    params : tuple of ParamSpec
    states : tuple of SynapseState
    weight : str
        Name of the state that is the weight.
    in_port_unit : bool
        The weight is a plain number in the unit of the port; otherwise it has its state's unit.
    views : tuple of ViewSpec
    named : tuple of (str, Expr)
        Intermediate expressions that the class body gave a name.
    method : str
        How ``.dot`` is integrated, as for neurons.
    values : tuple of (str, value)
        Values given for parameters and initial states, in the order of declaration.

    Notes
    -----
    Symbols are leaf expressions of op ``state`` or ``param`` whose payload is the name, and of op ``port`` for views
    (``"post.v"``) and for ``event_value``. Synapses are equal if their :meth:`text` is.
    """

    name: str
    doc: str
    params: tuple[ParamSpec, ...]
    states: tuple[SynapseState, ...]
    weight: str
    in_port_unit: bool
    views: tuple[ViewSpec, ...] = ()
    named: tuple[tuple[str, Expr], ...] = ()
    method: str = "auto"
    values: tuple[tuple[str, Any], ...] = ()

    def param(self, name: str) -> ParamSpec:
        """The parameter of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "parameter", self.params, name)

    def state(self, name: str) -> SynapseState:
        """The state of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "state", self.states, name)

    def rules(self, rule: str) -> dict[str, Expr]:
        """Every state's expression of one of ``RULES``, where it has one."""
        return {s.name: e for s in self.states if (e := getattr(s, rule)) is not None}

    def expressions(self) -> tuple[Expr, ...]:
        """Every root expression: named ones and the states'."""
        roots = [e for _, e in self.named]
        for s in self.states:
            roots += [e for e in (s.initial, *(getattr(s, rule) for rule in RULES)) if e is not None]
        return tuple(roots)

    # --- copies ---------------------------------------------------------------------------------------------------
    def __call__(self, /, *args: Any, **values: Any) -> Synapse:
        """A copy with other values of parameters and initial states.

        Raises
        ------
        LanguageError
            For a name that is neither a parameter nor a state, for the weight, and for an array where one number is
            needed.
        UnitError
            For a value of another dimension.
        """
        from neuromorph.language.values import checked

        if args:
            raise LanguageError(f"{self.name}: give values by name, as in {self.name}(tau=10 * ms)")
        merged = dict(self.values)
        for name, value in values.items():
            merged[name] = checked(self, name, value)
            self._check_shape(name, merged[name])
        order = [*(p.name for p in self.params), *(s.name for s in self.states)]
        return replace(self, values=tuple((n, merged[n]) for n in order if n in merged))

    def _check_shape(self, name: str, value: Any) -> None:
        subject = f"{self.name}.{name}"
        if name == self.weight:
            raise LanguageError(f"{subject} is the weight, which starts as the projection's weight=; give it there")
        several = hasattr(value, "sample") or np.ndim(getattr(value, "value", value)) > 0
        if several and any(p.name == name for p in self.params):
            raise LanguageError(
                f"{subject}: parameters of synapses take one value; for one of each neuron use a PreState or PostState "
                "without rules, and give it the values"
            )
        if several and not hasattr(value, "sample") and self.state(name).place == "synapse":
            raise LanguageError(f"{subject}: give one value for all synapses, or a distribution to draw each from")

    def with_method(self, method: str) -> Synapse:
        """A copy that integrates its ``.dot`` by another method: one of ``METHODS``."""
        return replace(self, method=checked_method(method))

    # --- identity -------------------------------------------------------------------------------------------------
    def text(self) -> str:
        """Canonical text: equal for equal synapses, in every process and version of Python."""
        from neuromorph.language.synapse_print import synapse_text

        return synapse_text(self)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of :meth:`text`, as 64 hexadecimal digits."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Synapse) and self.hash == other.hash)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:
        rows, number = to_rows(self.expressions())
        return _restore, (rows, self._convert(lambda e: number[id(e)]))

    def _convert(self, f: Callable[[Any], Any]) -> tuple[Any, ...]:
        """The fields, with ``f`` applied to each root expression."""
        states = tuple(
            SynapseState(
                s.name,
                s.place,
                f(s.initial),
                s.unit,
                *(None if getattr(s, r) is None else f(getattr(s, r)) for r in RULES),
            )
            for s in self.states
        )
        named = tuple((n, f(x)) for n, x in self.named)
        return (
            *(self.name, self.doc, self.params, states, self.weight, self.in_port_unit, self.views),
            *(named, self.method, self.values),
        )

    # --- display --------------------------------------------------------------------------------------------------
    def equations(self) -> list[str]:
        """The equations as plain text, one in each line."""
        from neuromorph.language.synapse_print import equations

        return equations(self)

    def __repr__(self) -> str:
        given = ", ".join(f"{n}={v!r:.40}" for n, v in self.values)
        return f"<Synapse {self.name}({given}): {len(self.states)} states, {len(self.params)} params>"

    def _repr_latex_(self) -> str:
        from neuromorph.language.synapse_print import synapse_latex

        return synapse_latex(self)

    def _repr_html_(self) -> str:
        from neuromorph.language.synapse_print import synapse_html

        return synapse_html(self)


def _restore(rows: Rows, fields: tuple[Any, ...]) -> Synapse:
    exprs = from_rows(rows)
    return Synapse(*Synapse(*fields)._convert(lambda k: exprs[k]))


@overload
def synapse(cls: Callable[..., Any], /) -> Synapse: ...
@overload
def synapse(*, method: str = "auto") -> Callable[[Callable[..., Any]], Synapse]: ...
def synapse(
    cls: Callable[..., Any] | None = None, /, *, method: str = "auto"
) -> Synapse | Callable[[Callable[..., Any]], Synapse]:
    """Make a :class:`Synapse` of a class body, as ``@synapse`` or ``@synapse(method="euler")``.

    Parameters
    ----------
    method : {"auto", "exact", "exponential_euler", "euler"}
        How every ``.dot`` is integrated.

    Raises
    ------
    LanguageError, UnitError
        Where the class body breaks a rule of the language; the message names the line and the remedy.
    """
    from neuromorph.language.synapse_seal import seal_synapse  # late: it builds the dataclasses above

    checked_method(method)
    if cls is None:
        return lambda c: seal_synapse(c, method)
    return seal_synapse(cls, method)
