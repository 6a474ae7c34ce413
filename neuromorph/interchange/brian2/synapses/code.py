"""What the statements of a pathway do, one after the other, in terms of the values before the first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.expressions import Names, Statement, expression, statements
from neuromorph.interchange.brian2.given import opened
from neuromorph.interchange.brian2.synapses.names import Side
from neuromorph.language import Expr, Type, to_float, to_int, where

Target = tuple[str, str]
"""A variable of a neuron: ``_pre`` or ``_post``, and its name."""


def lines_of(code: str) -> list[Statement]:
    """Statements of Brian 2's code; ``pass`` is none."""
    return [s for s in statements(code) if s.target != "pass"]


def reads_of(lines: Iterable[Statement]) -> set[str]:
    """Identifiers that statements read."""
    return {n.id for s in lines for n in ast.walk(s.value) if isinstance(n, ast.Name)}


def target_of(name: str, synapses: Any, sides: Mapping[str, Side]) -> Target | None:
    """The variable of a neuron that an assignment to a name changes; None for those of the synapses and temporary ones.

    Raises
    ------
    LanguageError
        If it cannot be changed.
    """
    if name in synapses.equations.names or name in (synapses.event_driven or {}) or name == "lastupdate":
        return None
    for suffix, side in sides.items():
        plain = name.removesuffix(suffix)
        if (plain != name or suffix == "_post") and plain in side.group.variables:
            variable = side.group.variables[plain]
            if getattr(variable, "read_only", False) or not hasattr(variable, "get_value"):
                raise LanguageError(f"it changes {name}, which cannot be changed")
            return suffix, plain
    return None


@dataclass
class Run:
    """Names within a pathway, and what its statements have done so far.

    Attributes
    ----------
    changed : dict of str to Expr
        New values of variables of the synapses.
    adds, sets : dict of Target to Expr
        What is added to variables of neurons, and what they are set to.
    """

    synapses: Any
    names: Names
    sides: Mapping[str, Side]
    changing: Iterable[str]
    changed: dict[str, Expr] = field(default_factory=dict)
    adds: dict[Target, Expr] = field(default_factory=dict)
    sets: dict[Target, Expr] = field(default_factory=dict)
    own: dict[str, Expr] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """What a name stands for now."""
        if literal:
            return self.names(name, literal=True)
        if name in self.changed:
            return self._read(name, self.changed[name])
        if name in self.own:
            return self.own[name]
        equation = self.synapses.equations.get(name)
        if equation is not None and equation.type == "subexpression":
            with opened(name, self.open):
                return expression(str(equation.expr), self)
        target = self._target(name)
        if target in self.sets:
            return self.sets[target]
        value = self.names(name)
        return value + self.adds[target] if target in self.adds else value

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is none of Brian 2's own."""
        return self.names.function(name)

    def run(self, lines: Iterable[Statement]) -> None:
        """Run statements, one after the other."""
        for line in lines:
            value = expression(line.value, self)
            if line.target in self.changing:
                new = self(line.target) + value if line.relative else value
                self.changed[line.target] = self._stored(line.target, new)
                continue
            target = target_of(line.target, self.synapses, self.sides)
            if target is None:
                self.own[line.target] = self(line.target) + value if line.relative else value
            elif not line.relative:
                self.adds.pop(target, None)
                self.sets[target] = value
            elif target in self.sets:
                self.sets[target] = self.sets[target] + value
            else:
                self.adds[target] = self.adds[target] + value if target in self.adds else value

    def _target(self, name: str) -> Target | None:
        try:
            return target_of(name, self.synapses, self.sides)
        except LanguageError:
            return None

    def _kind(self, name: str) -> str:
        return str(np.dtype(self.synapses.variables[name].dtype).kind)

    def _read(self, name: str, stored: Expr) -> Expr:
        return stored != 0 if self._kind(name) == "b" else stored

    def _stored(self, name: str, value: Expr) -> Expr:
        """A value as a float state holds a variable of Brian 2's type."""
        if value.type is Type.BOOL:
            value = where(value, 1, 0)
        kind = self._kind(name)
        if kind == "b":
            value = where(value != 0, 1, 0)
        elif kind in "iu" and value.type is Type.FLOAT:
            value = to_int(value)
        return to_float(value)
