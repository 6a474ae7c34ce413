"""Writing a step program: ops are appended once, equal ones are shared and constants are folded as they come.

:class:`Value` lets the code that writes ops read like the arithmetic that they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.language.expr import Type
from neuromorph.lowering.primitives import primitives, result_type
from neuromorph.lowering.program import Float, Op

_COMMUTE = frozenset({"add", "mul", "eq", "ne", "and", "or", "bitand"})
_LEAVES = frozenset({"const", "state", "param", "port", "step", "random"})


@dataclass(frozen=True, eq=False)
class Value:
    """An op of a builder; Python numbers beside it become constants of its type."""

    builder: Builder
    number: int

    @property
    def type(self) -> Type:
        return self.builder.ops[self.number].type

    @property
    def constant(self) -> float | int | bool | None:
        """The number, if this is a constant."""
        op = self.builder.ops[self.number]
        return op.payload if op.code == "const" else None

    def _join(self, code: str, other: Value | float, swap: bool = False) -> Value:
        right = other if isinstance(other, Value) else self.builder.const(other, self.type)
        return self.builder.emit(code, right, self) if swap else self.builder.emit(code, self, right)

    def __add__(self, other: Value | float) -> Value:
        return self._join("add", other)

    def __radd__(self, other: float) -> Value:
        return self._join("add", other, True)

    def __sub__(self, other: Value | float) -> Value:
        return self._join("sub", other)

    def __rsub__(self, other: float) -> Value:
        return self._join("sub", other, True)

    def __mul__(self, other: Value | float) -> Value:
        return self._join("mul", other)

    def __rmul__(self, other: float) -> Value:
        return self._join("mul", other, True)

    def __truediv__(self, other: Value | float) -> Value:
        return self._join("div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self._join("div", other, True)

    def __neg__(self) -> Value:
        return self.builder.emit("neg", self)

    def __rshift__(self, other: Value | int) -> Value:
        return self._join("shr", other)

    def __lshift__(self, other: Value | int) -> Value:
        return self._join("shl", other)

    def __and__(self, other: Value | int) -> Value:
        return self._join("and" if self.type is Type.BOOL else "bitand", other)

    def __invert__(self) -> Value:
        return self.builder.emit("not", self)

    def __lt__(self, other: Value | float) -> Value:
        return self._join("lt", other)

    def __le__(self, other: Value | float) -> Value:
        return self._join("le", other)

    def __gt__(self, other: Value | float) -> Value:
        return self._join("gt", other)

    def __ge__(self, other: Value | float) -> Value:
        return self._join("ge", other)

    def equals(self, other: Value | float) -> Value:
        return self._join("eq", other)

    def least(self, other: Value | float) -> Value:
        """``min(self, other)``: `other` where either is nan."""
        return self._join("min", other)

    def most(self, other: Value | float) -> Value:
        """``max(self, other)``: `other` where either is nan."""
        return self._join("max", other)

    def to_int(self) -> Value:
        return self if self.type is Type.INT else self.builder.emit("to_int", self)

    def to_float(self) -> Value:
        return self if self.type is Type.FLOAT else self.builder.emit("to_float", self)

    def where(self, yes: Value | float, no: Value | float) -> Value:
        """``yes if self else no``; Python numbers become floats."""
        b = self.builder
        return b.emit("select", self, b.value(yes), b.value(no))


class Builder:
    """A growing list of ops.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Width of the program's floats; constants are rounded to it when they are written.
    whole : bool
        Leave elementary functions as one op each (:data:`neuromorph.lowering.primitives.WHOLE`) instead of expanding
        them: for printers that differentiate, and have such functions.
    """

    def __init__(self, dtype: Float, whole: bool = False) -> None:
        self.dtype: Float = dtype
        self.whole = whole
        self.ops: list[Op] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self._float = np.dtype(dtype).type
        self._primitives = primitives(dtype)

    def const(self, number: float | bool, type: Type = Type.FLOAT) -> Value:
        """A constant: floats rounded to the program's width, ints wrapped to 64 bits."""
        if type is Type.FLOAT:
            with np.errstate(over="ignore"):
                rounded = float(self._float(number))
            return self._append("const", (), type, rounded, (rounded.hex(),))
        payload = (int(number) + 2**63) % 2**64 - 2**63 if type is Type.INT else bool(number)
        return self._append("const", (), type, payload, (payload,))

    def value(self, number: Value | float) -> Value:
        """`number` itself, or a float constant."""
        return number if isinstance(number, Value) else self.const(number)

    def leaf(self, code: str, type: Type, payload: Any = None) -> Value:
        """A ``state``, ``param``, ``port``, ``step`` or ``random`` op."""
        return self._append(code, (), type, payload, (payload,))

    def emit(self, code: str, *operands: Value, payload: Any = None) -> Value:
        """An op on earlier ones, or the equal or simpler value that is already there."""
        type_ = result_type(code, tuple(v.type for v in operands))
        constants = [v.constant for v in operands]
        if payload is None and all(c is not None for c in constants):
            return self._fold(code, operands, type_)
        simple = _simplify(code, operands, constants)
        if simple is not None:
            return simple
        numbers = tuple(v.number for v in operands)
        key = tuple(sorted(numbers)) if code in _COMMUTE else numbers
        return self._append(code, numbers, type_, payload, (payload, *key))

    def _fold(self, code: str, operands: tuple[Value, ...], type_: Type) -> Value:
        with np.errstate(all="ignore"):
            result = self._primitives[code](*(self.scalar(v.constant, v.type) for v in operands))
        return self.const(np.asarray(result).item(), type_)

    def scalar(self, number: Any, type: Type) -> Any:
        """`number` as the NumPy scalar that the evaluator would see."""
        return {Type.FLOAT: self._float, Type.INT: np.int64, Type.BOOL: np.bool_}[type](number)

    def _append(self, code: str, args: tuple[int, ...], type: Type, payload: Any, key: tuple[Any, ...]) -> Value:
        key = (code, type, *key)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.ops)
            self.ops.append(Op(code, args, type, payload))
        return Value(self, number)


def _simplify(code: str, v: tuple[Value, ...], c: list[Any]) -> Value | None:
    """The operand that equals the op, if one does (``x + 0`` gives ``x``, so a zero may keep its sign)."""
    if code == "add" and c[0] == 0:
        return v[1]
    if code in {"add", "sub", "shr", "shl"} and c[1] == 0:
        return v[0]
    if code == "mul" and c[0] == 1:
        return v[1]
    if code in {"mul", "div"} and c[1] == 1:
        return v[0]
    if code == "neg" and v[0].builder.ops[v[0].number].code == "neg":
        return Value(v[0].builder, v[0].builder.ops[v[0].number].args[0])
    if code == "select":
        if c[0] is not None:
            return v[1] if c[0] else v[2]
        if v[1].number == v[2].number:
            return v[1]
    if code in {"and", "or"}:
        for mine, other in ((0, 1), (1, 0)):
            if c[mine] is not None:
                return v[other] if c[mine] == (code == "and") else v[mine]
    return None
