"""What the energy of a pipeline is made of: actions, counted and priced, their sums, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..constants import Constants
from ..readable import joules, percent

KINDS = ("work", "clock", "static")
"""Work: logic of stages that go on, and bits that are read and written. Clock: whatever is laid out, in every cycle,
busy or not. Static: the board, for the time."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is counted and priced.

    Attributes
    ----------
    name : str
        As "weights in block RAM".
    part : str
        What it belongs to: "arithmetic", "control", "FIFOs", "weights", "tables", "activations", "clock", "static".
    unit : str
        "LUT-cycles", "DSP-cycles", "bits", ...
    count : float
        An item.
    price : str
        The constant that prices it.
    joules : float
        An item.
    """

    name: str
    part: str
    unit: str
    count: float
    price: str
    joules: float

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        return self.price.partition(".")[0]


@dataclass(frozen=True)
class Energy:
    """What an item takes in the steady state, and a whole run; printing it gives a table.

    Attributes
    ----------
    name, board : str
    actions : tuple of Action
    operations : mapping of str to float
        What an item computes, by kind and bits; it is the logic that is priced.
    interval : float
        Cycles from item to item.
    clock : float
        Hz.
    items : int
    cycles : float
        Of the run, all its items.
    prices : Constants
    fits : bool
        Whether the board holds it.
    notes : tuple of str
        What prices are calibrated to, and where they are extrapolated.
    """

    name: str
    board: str
    actions: tuple[Action, ...]
    operations: Mapping[str, float]
    interval: float
    clock: float
    items: int
    cycles: float
    prices: Constants
    fits: bool = True
    notes: tuple[str, ...] = ()

    @property
    def item(self) -> float:
        """Joules an item in the steady state."""
        return sum(self.by_kind.values())

    @property
    def power(self) -> float:
        """Watts in the steady state."""
        return self.item * self.clock / self.interval

    @property
    def run(self) -> float:
        """Joules of the whole run, the pipeline's filling and draining included."""
        kinds = self.by_kind
        return kinds["work"] * self.items + (kinds["clock"] + kinds["static"]) * self.cycles / self.interval

    @property
    def efficiency(self) -> float:
        """Operations a joule, a product and its sum as two."""
        return 2 * sum(count for name, count in self.operations.items() if name.startswith("products")) / self.item

    @cached_property
    def by_kind(self) -> dict[str, float]:
        """Joules an item by kind of price."""
        return {kind: sum(each.joules for each in self.actions if each.kind == kind) for kind in KINDS}

    @cached_property
    def by_part(self) -> dict[str, float]:
        """Joules an item by what takes them."""
        found: dict[str, float] = {}
        for each in self.actions:
            found[each.part] = found.get(each.part, 0.0) + each.joules
        return found

    @property
    def alone(self) -> dict[str, float] | None:
        """Joules an item if one kind made up all of the power that prices are calibrated to.

        None if there are prices of the user's: nobody knows what they are calibrated to.
        """
        if any(self.prices[each.price].source == "user" for each in self.actions):
            return None
        shares = {kind: self.prices.si(f"share.{kind}") for kind in KINDS}
        return {kind: self.by_kind[kind] / share for kind, share in shares.items() if share}

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Least and most of :attr:`alone`: what the energy can be for any shares."""
        alone = self.alone
        return None if alone is None else (min(alone.values()), max(alone.values()))

    def text(self) -> str:
        """A summary and a table of actions."""
        head = ("action", "an item", "", "price", "energy", "share")
        rows = [head]
        for each in self.actions:
            price = self.prices[each.price]
            told = f"{price.value:.4g} {price.unit}"
            rows.append(
                (each.name, f"{each.count:,.4g}", each.unit, told, joules(each.joules), percent(each.joules, self.item))
            )
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*self.summary(), "", *lines])

    __str__ = text

    def summary(self) -> list[str]:
        """Lines for a report: the figure, its bounds, its parts, and how far it can be trusted."""
        lines = [
            f"energy: {joules(self.item)} an item, {self.power:.3g} W on {self.board}: counts x prices of "
            f"{self.prices.machine}, not measured"
        ]
        if self.bounds is not None:
            low, high = self.bounds
            lines.append(
                f"  from {joules(low)} to {joules(high)} by how the calibrated power divides into work, clock and "
                "static, of which nothing is published"
            )
        lines.append("  " + ", ".join(f"{part} {joules(value)}" for part, value in self.by_part.items()))
        if not self.fits:
            lines.append(f"  {self.board} does not hold it")
        return [*lines, *(f"  {note}" for note in self.notes)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "board": self.board,
            "item": self.item,
            "power": self.power,
            "run": self.run,
            "efficiency": self.efficiency,
            "bounds": self.bounds,
            "by_kind": self.by_kind,
            "by_part": self.by_part,
            "alone": self.alone,
            "operations": dict(self.operations),
            "actions": {
                each.name: {"count": each.count, "unit": each.unit, "price": each.price, "joules": each.joules}
                for each in self.actions
            },
            "fits": self.fits,
            "notes": list(self.notes),
        }
