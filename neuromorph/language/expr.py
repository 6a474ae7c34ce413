"""Expression graphs: the one node type that a neuron's equations are made of.

An :class:`Expr` is immutable, knows its dimension and its type, and refuses what cannot be meant at the line that
wrote it. Nothing is evaluated here: lowering turns graphs into step programs, printers turn them into text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from neuromorph.units import Dimension


class Type(StrEnum):
    """What a value is, whatever width a target gives it."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Expr:
    """A node: an operation on other nodes.

    Attributes
    ----------
    op : str
        ``const state param port dt step normal uniform white_noise poisson`` (leaves; ``poisson`` has one argument),
        ``add sub mul div neg pow abs min max``, ``exp log sqrt sigmoid tanh floor rint trunc``,
        ``shr shl truncdiv`` (integers), ``lt le gt ge eq ne and or not select``, ``float int``.
    args : tuple of Expr
        Operands. ``select`` takes (condition, if true, if false).
    dim : Dimension
        Physical dimension.
    type : Type
        ``FLOAT``, ``INT`` or ``BOOL``.
    payload
        A constant's value in SI units, a symbol's name, or a random leaf's stream number.
    """

    op: str
    args: tuple[Expr, ...] = ()
    dim: Dimension = field(default_factory=Dimension)
    type: Type = Type.FLOAT
    payload: Any = None
