"""How large the numbers of a step program can become, as far as it shows: what fits into 32 bits is converted in 32.

Conversions between 64-bit ints and floats are slow or missing in the vector instructions of most processors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neuromorph.language.expr import Type
from neuromorph.lowering.program import Op

Range = tuple[float, float]
"""Least and greatest value; nan is outside."""

_INT32, _UINT32, _INT64 = (-(2**31), 2**31 - 1), (0, 2**32 - 1), (-(2**63), 2**63 - 1)


def widths(ops: Sequence[Op]) -> dict[int, str]:
    """NumPy's name of a 32-bit type that holds every value of an int op, where there is one."""
    known = _ranges(ops)
    found = {}
    for number, op in enumerate(ops):
        if op.type is Type.INT and number in known:
            fits = [name for name, limits in (("int32", _INT32), ("uint32", _UINT32)) if _inside(known[number], limits)]
            if fits:
                found[number] = fits[0]
    return found


def _inside(range_: Range, limits: Range) -> bool:
    return limits[0] <= range_[0] and range_[1] <= limits[1]


def _ranges(ops: Sequence[Op]) -> dict[int, Range]:
    exponents = {k for k, op in enumerate(ops) if op.code == "to_int"}
    for op in ops:
        if op.code != "exp2i":
            exponents.difference_update(op.args)
    known: dict[int, Range] = {}
    for number, op in enumerate(ops):
        operands = [known.get(a) for a in (op.args[1:] if op.code == "select" else op.args)]
        if number in exponents:
            known[number] = _INT32  # by the definition of exp2i, whatever it is computed from
        elif op.code == "const" and op.type is not Type.BOOL:
            _keep(known, number, op, (op.payload, op.payload))
        elif op.code in _LEAVES:
            known[number] = _LEAVES[op.code]
        elif op.code in _RULES and None not in operands:
            _keep(known, number, op, _RULES[op.code](*operands))
    return known


def _keep(known: dict[int, Range], number: int, op: Op, range_: Range) -> None:
    """Note a range, unless it holds nan or the number may have wrapped around; floats may have been rounded."""
    low, high = range_
    if op.type is Type.FLOAT:
        low, high = low - abs(low) * 2.0**-22, high + abs(high) * 2.0**-22
    if low <= high and (op.type is Type.FLOAT or _inside((low, high), _INT64)):
        known[number] = (low, high)


def _product(a: Range, b: Range) -> Range:
    corners = [x * y for x in a for y in b]
    return (min(corners), max(corners)) if all(x == x for x in corners) else (float("nan"), float("nan"))


def _masked(a: Range, b: Range) -> Range:
    """Of ``a & b``: not above one that is not negative."""
    limits = [r[1] for r in (a, b) if r[0] >= 0]
    return (0, min(limits)) if limits else _INT64


def _shifted(a: Range, b: Range) -> Range:
    """Of ``a >> b``: nearer to 0 or -1."""
    least = 2 ** int(b[0]) if b[0] >= 0 else 1
    return (min(a[0] // least, 0), max(a[1] // least, 0))


def _around(a: Range) -> Range:
    return a[0] - 1, a[1] + 1


_LEAVES: dict[str, Range] = {"random": _UINT32, "poisson": (0, 2**31 - 1), "exponent": (-1100, 1100)}
_RULES: dict[str, Callable[..., Range]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul": _product,
    "min": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "max": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "select": lambda a, b: (min(a[0], b[0]), max(a[1], b[1])),
    "shr": _shifted,
    "bitand": _masked,
    "rint": _around,
    "floor": _around,
    "trunc": _around,
    "to_float": lambda a: a,
    "to_int": _around,
}
