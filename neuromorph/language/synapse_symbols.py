"""What a synapse's class body is written with, besides :class:`~neuromorph.language.symbols.Param` and ``State``."""

from __future__ import annotations

from typing import ClassVar

from neuromorph.language.expr import Expr, Operand, Type, const, refuse
from neuromorph.language.symbols import State, read_unit
from neuromorph.units import NONE, Unit, one

VIEWS = {"pre": "PreView", "post": "PostView", "third": "Third"}
"""What each end that a synapse can look at is called in a class body."""

event_value = Expr("port", (), NONE, Type.FLOAT, "event_value")
"""What the arriving event carries: 1 for a spike. For use in ``.on_pre``."""


class PreState(State):
    """A state of every source neuron, shared by the synapses that leave it.

    It may have ``.dot`` or ``.next``, and ``.on_pre``, which happens once for each event of the neuron that arrives.
    Its equations may read parameters, other PreStates and PreViews.

    Parameters
    ----------
    initial : number, quantity or expression
        Value before the first step, of Params and numbers.
    """

    __slots__ = ()
    may_have = ("dot", "next", "on_pre")

    def __init__(self, initial: Operand) -> None:
        super().__init__(initial)


class PostState(State):
    """A state of every target neuron, shared by the synapses that reach it.

    It may have ``.dot`` or ``.next``, and ``.on_post``, which happens once for each event of the neuron. Its equations
    may read parameters, other PostStates, PostViews and the third factor.

    Parameters
    ----------
    initial : number, quantity or expression
        Value before the first step, of Params and numbers.
    """

    __slots__ = ()
    may_have = ("dot", "next", "on_post")

    def __init__(self, initial: Operand) -> None:
        super().__init__(initial)


class Weight(State):
    """The state of every synapse by which it multiplies events; a synapse has exactly one.

    It starts as the projection's ``weight=``, and may have ``.dot`` or ``.next``, ``.on_pre`` and ``.on_post``.

    Parameters
    ----------
    unit : Unit, optional
        Without one, equations see the weight as a plain number in the unit of the port that the projection ends at, so
        the rule suits every port. With one, the weight is a quantity in equations, and the port must agree.
    """

    __slots__ = ("in_port_unit",)
    may_have: ClassVar[tuple[str, ...]] = ("dot", "next", "on_pre", "on_post")
    in_port_unit: bool

    def __init__(self, unit: Unit | None = None) -> None:
        known = one if unit is None else read_unit(unit, "Weight")
        super().__init__(const(0.0, known.dim, known))
        object.__setattr__(self, "unit", known)
        object.__setattr__(self, "in_port_unit", unit is None)


class View(Expr):
    """A value of a neuron that a synapse reads and cannot change; see the classes below."""

    __slots__ = ()
    end: ClassVar[str]

    def __init__(self, name: str, unit: Unit | None = None) -> None:
        kind = VIEWS[self.end]
        if not isinstance(name, str) or not name.isidentifier():
            refuse(f'{kind}: expected the name of a state or intermediate, as in {kind}("v", mV), got {name!r}')
        known = one if unit is None else read_unit(unit, kind)
        super().__init__("port", (), known.dim, Type.FLOAT, f"{self.end}.{name}", known)


class PreView(View):
    """A state or named intermediate of the source neuron, as it was one delay of the projection ago.

    It reaches the synapse as late as an event that was sent at the same time.

    Parameters
    ----------
    name : str
        Of the neuron's state or intermediate, a float.
    unit : Unit, optional
        Its unit; without one it is dimensionless.
    """

    __slots__ = ()
    end = "pre"


class PostView(View):
    """A state or named intermediate of the target neuron.

    In ``.on_post`` it is what the neuron has at the end of the present step; everywhere else, at the end of the step
    before. Parameters as for :class:`PreView`.
    """

    __slots__ = ()
    end = "post"


class Third(View):
    """A state or named intermediate of the population given as ``net.project(..., third=population)``.

    That population has one neuron, whose value all synapses see, or as many as the targets, and each synapse sees that
    of its target's number. The value is that of the shortest delay of the projection ago. Parameters as for
    :class:`PreView`.
    """

    __slots__ = ()
    end = "third"
