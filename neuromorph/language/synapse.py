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
"""What may change a state of a synapse, besides the paths that it declares."""


@dataclass(frozen=True, slots=True)
class PathSpec:
    """Events of one end that act on the synapses, after a delay of their own.

    Attributes
    ----------
    name : str
    end : {"pre", "post"}
        Whose events.
    """

    name: str
    end: Literal["pre", "post"]


PATHS = (PathSpec("on_pre", "pre"), PathSpec("on_post", "post"))
"""The paths that every synapse has."""


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
    also : tuple of (str, Expr)
        What events on further paths do.
    """

    name: str
    place: Place
    initial: Expr
    unit: Unit
    dot: Expr | None = None
    next: Expr | None = None
    on_pre: Expr | None = None
    on_post: Expr | None = None
    also: tuple[tuple[str, Expr], ...] = ()

    def rule(self, name: str) -> Expr | None:
        """One of ``RULES``, or what events on a path of this name do."""
        found: Expr | None = getattr(self, name) if name in RULES else dict(self.also).get(name)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class OutputSpec:
    """What synapses add to a port of their target.

    Attributes
    ----------
    name : str
    port : str
        Of the target; ``""``: the port that the projection ends at.
    dim : Dimension
    every : Expr or None
        Added in every step.
    on : tuple of (str, Expr)
        Added when events on a path of that name act.
    """

    name: str
    port: str
    dim: Dimension
    every: Expr | None = None
    on: tuple[tuple[str, Expr], ...] = ()


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
    weight : str or None
        Name of the state that is the weight; None: outputs alone say what the synapses deliver.
    in_port_unit : bool
        The weight is a plain number in the unit of the port; otherwise it has its state's unit.
    views : tuple of ViewSpec
    named : tuple of (str, Expr)
        Intermediate expressions that the class body gave a name.
    method : str
        How ``.dot`` is integrated, as for neurons.
    values : tuple of (str, value)
        Values given for parameters and initial states, in the order of declaration.
    outputs : tuple of OutputSpec
        If there are any, events do not deliver the weight by themselves.
    paths : tuple of PathSpec
        In the order in which they act within a step.
    late : bool
        Everything happens at the end of a step, and what is delivered arrives in the next.

    Notes
    -----
    Symbols are leaf expressions of op ``state`` or ``param`` whose payload is the name, and of op ``port`` for views
    (``"post.v"``) and for ``event_value``. Synapses are equal if their :meth:`text` is.
    """

    name: str
    doc: str
    params: tuple[ParamSpec, ...]
    states: tuple[SynapseState, ...]
    weight: str | None
    in_port_unit: bool
    views: tuple[ViewSpec, ...] = ()
    named: tuple[tuple[str, Expr], ...] = ()
    method: str = "auto"
    values: tuple[tuple[str, Any], ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    paths: tuple[PathSpec, ...] = PATHS
    late: bool = False

    def param(self, name: str) -> ParamSpec:
        """The parameter of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "parameter", self.params, name)

    def state(self, name: str) -> SynapseState:
        """The state of that name; LanguageError, listing what there is, if there is none."""
        return find(self.name, "state", self.states, name)

    def rules(self, rule: str) -> dict[str, Expr]:
        """Every state's expression of one of ``RULES`` or of a path, where it has one."""
        return {s.name: e for s in self.states if (e := s.rule(rule)) is not None}

    def gives(self, path: str) -> dict[str, Expr]:
        """What each output adds when events on a path act, or in ``"every"`` step, where it does."""
        if path == "every":
            return {o.name: o.every for o in self.outputs if o.every is not None}
        return {o.name: e for o in self.outputs for name, e in o.on if name == path}

    def expressions(self) -> tuple[Expr, ...]:
        """Every root expression: named ones and the states'."""
        roots = [e for _, e in self.named]
        for s in self.states:
            roots += [e for e in (s.initial, *(getattr(s, rule) for rule in RULES)) if e is not None]
            roots += [e for _, e in s.also]
        for output in self.outputs:
            roots += [*([] if output.every is None else [output.every]), *(e for _, e in output.on)]
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
                **{r: None if getattr(s, r) is None else f(getattr(s, r)) for r in RULES},
                also=tuple((path, f(x)) for path, x in s.also),
            )
            for s in self.states
        )
        named = tuple((n, f(x)) for n, x in self.named)
        outputs = tuple(
            OutputSpec(
                o.name, o.port, o.dim, None if o.every is None else f(o.every), tuple((path, f(x)) for path, x in o.on)
            )
            for o in self.outputs
        )
        return (
            *(self.name, self.doc, self.params, states, self.weight, self.in_port_unit, self.views),
            *(named, self.method, self.values, outputs, self.paths, self.late),
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
def synapse(*, method: str = "auto", late: bool = False) -> Callable[[Callable[..., Any]], Synapse]: ...
def synapse(
    cls: Callable[..., Any] | None = None, /, *, method: str = "auto", late: bool = False
) -> Synapse | Callable[[Callable[..., Any]], Synapse]:
    """Make a :class:`Synapse` of a class body, as ``@synapse`` or ``@synapse(method="euler")``.

    Parameters
    ----------
    method : {"auto", "exact", "exponential_euler", "euler"}
        How every ``.dot`` is integrated.
    late : bool
        Do everything at the end of a step instead of before the populations make it: advance, then the events of the
        source that arrive in the next step, then those of the target.

    Raises
    ------
    LanguageError, UnitError
        Where the class body breaks a rule of the language; the message names the line and the remedy.
    """
    from neuromorph.language.synapse_seal import seal_synapse  # late: it builds the dataclasses above

    checked_method(method)
    if cls is None:
        return lambda c: seal_synapse(c, method, late)
    return seal_synapse(cls, method, late)
