"""DSPs, LUTs and table memory of the operators that are no matrix product, with tables and with computed functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from neuromorph.errors import MappingError

from ...constants import Constants, load_constants
from ..design import PRODUCTS, Design, Operator, Parallel
from .recipe import Recipe

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "layernorm": ("rsqrt",),
    "softmax": ("exp", "recip"),
    "requant": (),
    "gelu": ("gelu",),
    "residual": (),
}
"""Functions that a lane of each kind of operator needs, besides rescaling its result."""


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """What one operator needs, all its copies together.

    Attributes
    ----------
    name, kind : str
        Of the operator.
    lanes : int
        Values in a cycle.
    dsps : int
        With tables.
    computed_dsps : int
        For the same functions, computed.
    luts : int
        Of tables and their indices, each lane with its own.
    table_bits : int
        Contents of the tables, once for each copy.
    """

    name: str
    kind: str
    lanes: int
    dsps: int
    computed_dsps: int
    luts: int
    table_bits: int


@dataclass(frozen=True)
class Costs:
    """Costs of a design's operators that are no matrix product.

    Attributes
    ----------
    design : str
    operators : tuple of OperatorCost
    constants : Constants
    """

    design: str
    operators: tuple[OperatorCost, ...]
    constants: Constants

    def total(self, what: str, *, block: str = "") -> int:
        """Sum of a field of :class:`OperatorCost`, of all operators or of those whose names begin with ``block``."""
        return sum(int(getattr(cost, what)) for cost in self.operators if cost.name.startswith(block))

    def by_kind(self) -> dict[str, OperatorCost]:
        """One line a kind: the sums over all operators of it."""
        found: dict[str, OperatorCost] = {}
        for cost in self.operators:
            old = found.get(cost.kind, OperatorCost(cost.kind, cost.kind, 0, 0, 0, 0, 0))
            sums = [getattr(old, each) + getattr(cost, each) for each in _FIELDS]
            found[cost.kind] = OperatorCost(cost.kind, cost.kind, *sums)
        return found

    def report(self) -> str:
        """A table by kind, with the published sums of HG-PIPE's 24 blocks below."""
        rows: list[tuple[str, ...]] = [
            ("operators", "lanes", "DSPs computed", "DSPs with tables", "LUTs of tables", "table bits")
        ]
        for kind, cost in self.by_kind().items():
            rows.append((kind, *(f"{v:,}" for v in _figures(cost))))
        whole = OperatorCost("all", "all", *(self.total(each) for each in _FIELDS))
        rows.append(("all", *(f"{v:,}" for v in _figures(whole))))
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join(cell.rjust(w) if k else cell.ljust(w) for k, (cell, w) in enumerate(zip(r, widths, strict=True)))
            for r in rows
        ]
        said = self.constants
        computed, kept = said.count("published.computed_dsps"), said.count("published.table_dsps")
        naive = said.count("published.naive_recip_entries") * said.count("published.naive_recip_bits")
        lines += [
            f"published for DeiT-tiny's 24 blocks: {computed:,} DSPs computed (estimated there), {kept:,} with tables "
            f"({kept / computed - 1:+.1%}); {said.count('published.head_dsps')} of the head",
            f"published for one reciprocal without segments: {naive:,} table bits",
            "not derivable: LUTs of computed functions; DSPs of matrix products, which tools pack as they like",
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "design": self.design,
            "operators": [
                {each: getattr(cost, each) for each in ("name", "kind", *_FIELDS)} for cost in self.operators
            ],
            "total": {each: self.total(each) for each in _FIELDS},
        }


_FIELDS = ("lanes", "dsps", "computed_dsps", "luts", "table_bits")


def costs(
    design: Design,
    parallel: Mapping[str, Parallel],
    *,
    recipe: Recipe | None = None,
    constants: Constants | None = None,
) -> Costs:
    """Costs of a design at a parallelism.

    Parameters
    ----------
    design : Design
    parallel : mapping of str to Parallel
        One for each operator, by its name.
    recipe : Recipe, optional
        Entries and contents of the tables; HG-PIPE's by default.
    constants : Constants, optional
        In the form of ``pipeline_operators.toml``.
    """
    numbers = constants or load_constants("pipeline_operators")
    found = []
    for operator in design.operators:
        if operator.kind in PRODUCTS:
            continue
        if operator.name not in parallel:
            raise MappingError(f"{design.name}: operator {operator.name!r} has no parallelism", name=operator.name)
        if operator.kind in FUNCTIONS:
            found.append(operator_cost(operator, parallel[operator.name], recipe or Recipe(), numbers))
    return Costs(design.name, tuple(found), numbers)


def operator_cost(operator: Operator, parallel: Parallel, recipe: Recipe, constants: Constants) -> OperatorCost:
    """Cost of one operator of a kind in :data:`FUNCTIONS`."""
    kind = operator.kind
    rows = operator.copies * parallel.tokens
    lanes = rows * parallel.inputs
    computed = lanes * constants.count(f"rescaled.{kind}") * constants.count("function_dsps.requant")
    for function in FUNCTIONS[kind]:
        # A row needs one root and one reciprocal, however many of its values are treated at once.
        times = rows if function in ("rsqrt", "recip") else lanes
        computed += times * constants.count(f"function_dsps.{function}")
    luts = bits = 0
    for entries, word, per_row in tables(operator, recipe):
        bits += operator.copies * entries * word
        index = max(1, (entries - 1).bit_length())
        one = _rom(entries, word, constants)
        one += constants.count("luts.adder") * operator.input_bits + constants.count("luts.clamp") * index
        luts += (rows if per_row else lanes) * one
    dsps = lanes * constants.count(f"table_dsps.{kind}")
    return OperatorCost(operator.name, kind, lanes, dsps, computed, luts, bits)


def tables(operator: Operator, recipe: Recipe) -> list[tuple[int, int, bool]]:
    """Entries, bits of an entry, and whether a row needs it but once, of each table of an operator."""
    if operator.kind in ("requant", "gelu"):
        return [(recipe.table(operator.kind), operator.output_bits, False)]
    if operator.kind == "layernorm":
        return [(recipe.table("rsqrt"), recipe.content("rsqrt"), True)]
    if operator.kind == "softmax":
        exponential = (recipe.table("exp"), recipe.content("exp"), False)
        return [exponential, *[(recipe.table("recip"), recipe.content("recip"), True)] * recipe.segments]
    return []


def _rom(entries: int, word: int, constants: Constants) -> int:
    """LUTs of a read-only memory: ``rom_entries`` x 1 bit each, or half of the entries x 2 bits."""
    size = constants.count("luts.rom_entries")
    return ceil(word / 2) if entries <= size // 2 else word * ceil(entries / size)


def _figures(cost: OperatorCost) -> tuple[int, int, int, int, int]:
    return cost.lanes, cost.computed_dsps, cost.dsps, cost.luts, cost.table_bits
