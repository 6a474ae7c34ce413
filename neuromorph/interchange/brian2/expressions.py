"""Brian 2's strings of equations and statements as expression graphs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.interchange.brian2.functions import FUNCTIONS, floor_divide, modulo, power
from neuromorph.language import Expr, Type
from neuromorph.language.expr import as_expr
from neuromorph.lowering.statics import Static, Statics


class Names(Protocol):
    """What identifiers mean; raises LanguageError for those that cannot be taken."""

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """The expression that `name` stands for; with `literal`, constants as numbers instead of parameters."""

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is none of Brian 2's own; None if there is none of that name."""


@dataclass(frozen=True)
class Statement:
    """``target = value``, or ``target += value`` if `relative`.

    Attributes
    ----------
    target : str
    value : ast.expr
        For a relative statement what is added.
    relative : bool
    """

    target: str
    value: ast.expr
    relative: bool


def expression(code: str | ast.expr, names: Names) -> Expr:
    """An expression of Brian 2.

    Parameters
    ----------
    code : str or ast.expr
    names : Names

    Raises
    ------
    LanguageError, UnitError
        What has no counterpart, or dimensions that do not agree.
    """
    return _Reader(names).read(ast.parse(code.strip(), mode="eval").body if isinstance(code, str) else code)


def statements(code: str) -> list[Statement]:
    """Brian 2's abstract code, statement by statement.

    Raises
    ------
    LanguageError
        For anything but assignments to one name.
    """
    found = []
    for node in ast.parse("\n".join(line.strip() for line in code.replace(";", "\n").splitlines())).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                found.append(Statement(target, value, False))
            case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=value):
                found.append(Statement(target, value, True))
            case ast.AugAssign(target=ast.Name(id=target), op=ast.Sub(), value=value):
                found.append(Statement(target, ast.UnaryOp(ast.USub(), value), True))
            case ast.AugAssign(target=ast.Name(id=target) as name, op=op, value=value):
                old = ast.Name(name.id, ast.Load())
                found.append(Statement(target, ast.BinOp(old, op, value), False))
            case _:
                raise LanguageError(f"the statement {ast.unparse(node)!r} is no assignment to a variable")
    return found


class Sequence:
    """Names whose values change from statement to statement: the last assigned value, else what `names` says.

    Attributes
    ----------
    current : dict of str to Expr
        What was assigned so far, in terms of the values before the first statement.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self.current: dict[str, Expr] = {}

    def __call__(self, name: str, *, literal: bool = False) -> Expr:
        """The expression that a name stands for now."""
        return self.current[name] if name in self.current and not literal else self._names(name, literal=literal)

    def function(self, name: str) -> Callable[..., Expr] | None:
        """A function that is none of Brian 2's own."""
        return self._names.function(name)

    def run(self, statement: Statement) -> Expr:
        """Assign; the value of the right-hand side."""
        value = expression(statement.value, self)
        self.current[statement.target] = self(statement.target) + value if statement.relative else value
        return value


class _Reader:
    def __init__(self, names: Names, literal: bool = False) -> None:
        self._names = names
        self._literal = literal

    def read(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                return as_expr(value)
            case ast.Name(id="True" | "False" as name):
                return as_expr(name == "True")
            case ast.Name(id=name):
                return self._names(name, literal=self._literal)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.condition(operand)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self.power(left, right)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](self.read(left), self.read(right))
            case ast.BoolOp(op=op, values=values):
                return self.logic(isinstance(op, ast.And), values)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [self.read(x) for x in (left, *rights)]
                parts = [_COMPARE[type(op)](sides[k], sides[k + 1]) for k, op in enumerate(ops)]
                result = parts[0]
                for part in parts[1:]:
                    result = result & part
                return result
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(name, args)
        raise LanguageError(f"{ast.unparse(node)!r} has no counterpart")

    def condition(self, node: ast.expr) -> Expr:
        value = self.read(node)
        return value if value.type is Type.BOOL else value != 0

    def logic(self, conjunction: bool, values: list[ast.expr]) -> Expr:
        result, *rest = (self.condition(v) for v in values)
        for part in rest:
            result = result & part if conjunction else result | part
        return result

    def power(self, left: ast.expr, right: ast.expr) -> Expr:
        base = self.read(left)
        static = self.number(right)
        if static is None or static.value.ndim:
            return power(base, self.read(right))
        number = static.value.item()
        return base ** (int(number) if float(number).is_integer() else float(number))

    def number(self, node: ast.expr) -> Static | None:
        """A constant number; None if it is not one."""
        try:
            return Statics({}, float("nan"))(_Reader(self._names, literal=True).read(node))
        except LanguageError:
            return None

    def call(self, name: str, args: list[ast.expr]) -> Expr:
        own = None if name in FUNCTIONS else self._names.function(name)
        if own is None and name not in FUNCTIONS:
            raise LanguageError(_no_function(name))
        operands = [self.read(a) for a in args]
        return FUNCTIONS[name](*operands) if own is None else own(*operands)


def _no_function(name: str) -> str:
    return f"the function {name}() has no counterpart; there are {', '.join(FUNCTIONS)}"


_BINARY: Mapping[type[ast.operator], Callable[[Expr, Expr], Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: floor_divide,
    ast.Mod: modulo,
}

_COMPARE: Mapping[type[ast.cmpop], Callable[[Expr, Expr], Expr]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


@contextmanager
def said_of(label: str) -> Iterator[None]:
    """Say of which part of a group a refusal is."""
    try:
        yield
    except (NeuromorphError, SyntaxError) as error:
        raise LanguageError(f"{label}: {problem_of(error) if isinstance(error, NeuromorphError) else error}") from None


def problem_of(error: NeuromorphError) -> str:
    """A refusal of the language, without the line of Python that it stumbled over."""
    place = f"{getattr(error, 'filename', '')}:{getattr(error, 'lineno', '')}"
    text = str(error)
    return text.removeprefix(place).split(": ", 1)[-1].split("\n")[0] if text.startswith(place) else text
