"""What a synapse's class body is written with, besides :class:`~neuromorph.language.symbols.Param` and ``State``."""

from __future__ import annotations

from typing import Any, ClassVar

from neuromorph.errors import UnitError
from neuromorph.language.expr import Expr, Operand, Type, as_expr, const, describe, refuse, to_float
from neuromorph.language.site import Site, here
from neuromorph.language.symbols import State, like_state, read_unit, register
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


class Output:
    """What each synapse adds to a port of its target: an expression of its states, where a weight is not enough.

    Assign ``.on_pre`` or ``.on_post``, what an event of the source or target adds, computed from the values before it,
    and ``.every``, what every synapse adds in each step. A synapse with outputs delivers these and nothing else.

    Parameters
    ----------
    port : str, optional
        Name of the port; by default the one that the projection ends at.
    """

    __slots__ = ("port", "rules", "site", "sites")
    may_have: ClassVar[tuple[str, ...]] = ("every", "on_pre", "on_post")
    port: str
    rules: dict[str, Expr]
    site: Site
    sites: dict[str, Site]

    def __init__(self, port: str = "") -> None:
        if not isinstance(port, str) or (port and not port.isidentifier()):
            refuse(f'Output: expected the name of a port of the target, as in Output("exc"), got {port!r}')
        for name, item in (("port", port), ("rules", {}), ("sites", {})):
            object.__setattr__(self, name, item)
        object.__setattr__(self, "site", register(self))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.may_have:
            refuse(f"an Output has no .{name}; it has .{' .'.join(self.may_have)}")
        if name in self.rules:
            refuse(f".{name} of this Output was set in line {self.sites[name].lineno}; put it into one expression")
        self.rules[name] = self.checked(as_expr(value), f".{name}")
        self.sites[name] = here()

    def checked(self, value: Expr, what: str) -> Expr:
        """An expression as what this output may add: a float, of one dimension whatever the occasion."""
        for other in self.rules.values():
            if other.dim != value.dim:
                refuse(
                    f"{what} of an Output must be {other.dim}, as what it adds elsewhere, not {describe(value)}",
                    UnitError,
                    expected=other.dim,
                    got=value.dim,
                )
        return to_float(value)


class Pathway:
    """Events that reach the synapses by another way than ``.on_pre`` and ``.on_post``, with a delay of their own.

    ``again = Pathway("pre")``, then ``again[w] = 0.5 * w``: what such an event does to a state, or gives to an Output.
    The projection says when it comes: ``net.project(..., delays={"again": 3 * ms})``. For synapses with ``late=True``.

    Parameters
    ----------
    end : {"pre", "post"}
        Whose events.
    """

    __slots__ = ("end", "rules", "site")

    def __init__(self, end: str) -> None:
        if end not in ("pre", "post"):
            refuse(f'Pathway: events come from "pre" or "post", got {end!r}')
        self.end = end
        self.rules: list[tuple[State | Output, Expr, Site]] = []
        self.site = register(self)

    def __setitem__(self, owner: State | Output, value: Operand) -> None:
        if isinstance(owner, Output):
            expr = owner.checked(as_expr(value), "what a path adds")
        elif isinstance(owner, State):
            expr = like_state(owner, as_expr(value), "path")
        else:
            refuse(f"Pathway: events change States and Outputs, not {owner!r:.40}")
        if any(known is owner for known, _, _ in self.rules):
            refuse("Pathway: one expression for each state; put everything into it")
        self.rules.append((owner, expr, here()))
