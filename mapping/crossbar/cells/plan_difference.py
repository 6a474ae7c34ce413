"""Whether two plans put the same weights into the same cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Matrix, Plan

_MACHINE = (
    "name",
    "rows",
    "columns",
    "cell_levels",
    "g_min",
    "g_max",
    "device",
    "encoding",
    "weight_bits",
    "cell_bits",
    "r_row",
    "r_column",
    "drive",
)


def plan_difference(one: Plan, other: Plan) -> str | None:
    """The first thing in which the cells of two plans differ, in words; None if they hold the same."""
    return next(_differences(one, other), None)


def _differences(one: Plan, other: Plan) -> Iterator[str]:
    yield from _machine(one.machine, other.machine)
    if one.arrays != other.arrays:
        yield f"{one.arrays} arrays there, {other.arrays} here"
    if len(one.matrices) != len(other.matrices):
        yield f"{len(one.matrices)} matrices there, {len(other.matrices)} here"
    for a, b in zip(one.matrices, other.matrices, strict=False):
        yield from _matrix(a, b)
    if len(one.blocks) != len(other.blocks):
        yield f"{len(one.blocks)} blocks there, {len(other.blocks)} here"
    names = ("matrix", "array", "row_first", "column_first", "replica")
    for name in names:
        for k in np.flatnonzero(getattr(one.blocks, name) != getattr(other.blocks, name)):
            first, second = (int(getattr(plan.blocks, name)[k]) for plan in (one, other))
            yield f"block {k}: {name} {first} there, {second} here"
    for k, (there, here) in enumerate(zip(one.blocks, other.blocks, strict=False)):
        for name in ("rows", "columns"):
            if not np.array_equal(getattr(there, name), getattr(here, name)):
                yield f"block {k} of matrix {one.matrices[there.matrix].name} holds other {name}"


def _machine(one: CrossbarMachine, other: CrossbarMachine) -> Iterator[str]:
    for name in _MACHINE:
        there, here = getattr(one, name), getattr(other, name)
        if there != here:
            yield f"the machine's {name} is {there} there, {here} here"
    if one.adc.columns_per_converter != other.adc.columns_per_converter:
        yield "another number of columns shares a converter"


def _matrix(one: Matrix, other: Matrix) -> Iterator[str]:
    shapes = [(m.rows, m.columns) for m in (one, other)]
    if shapes[0] != shapes[1]:
        yield f"matrix {one.name} is {shapes[0]} there, {shapes[1]} here"
    elif len(one.parts) != len(other.parts):
        yield f"matrix {one.name} has {len(one.parts)} projections there, {len(other.parts)} here"
    for a, b in zip(one.parts, other.parts, strict=False):
        same = all(
            _equal(getattr(a, name), getattr(b, name))
            for name in (
                "row_first",
                "column_first",
                "rows",
                "columns",
                "row_ptr",
                "targets",
                "weights",
                "weight_index",
            )
        )
        if not same:
            yield f"matrix {one.name} has other weights"


def _equal(a: object, b: object) -> bool:
    return (a is None) == (b is None) and np.array_equal(np.asarray(a), np.asarray(b))
