"""Where blocks may lie in an array, as data that a machine's own module gives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from neuromorph.errors import MappingError

from ..machine.machine import CrossbarMachine


@dataclass(frozen=True)
class Rules:
    """Limits on the rectangles of one array beyond its size.

    Attributes
    ----------
    regions : tuple of (first row, rows)
        Stretches of rows that do not overlap, ascending. A block that is no taller than one of them lies in one of
        them; a taller one starts at row 0. Empty: the whole array.
    joined : bool
        Whether a block may reach over several regions.
    reserved_columns : int
        Columns from 0 on that hold nothing.
    columns_once : bool
        Whether no two matrices may share a physical column (they would share its bias cells).
    """

    regions: tuple[tuple[int, int], ...] = ()
    joined: bool = True
    reserved_columns: int = 0
    columns_once: bool = False

    @staticmethod
    def of(machine: CrossbarMachine) -> Rules:
        """The rules of a machine: none, or WTM2101's halves and reserved columns.

        Its layers lie inside one half, or span both if they are higher than one. Biases stay with the digital neurons,
        or come as rows of their matrix; so layers may share columns.
        """
        if machine.arithmetic != "wtm2101":
            return Rules()
        half = machine.constants.count("wtm2101.half_rows")
        reserved = machine.constants.count("wtm2101.reserved_columns")
        return Rules(regions=((0, half), (half, machine.rows - half)), reserved_columns=reserved)

    def check(self, machine: CrossbarMachine) -> None:
        """Raise :class:`MappingError` unless the rules fit into an array of the machine."""
        at = 0
        for first, rows in self.regions:
            if first < at or rows < 1 or first + rows > machine.rows:
                raise MappingError(
                    f"crossbar machine {machine.name}: regions {self.regions} must ascend without overlap within its "
                    f"{machine.rows} rows",
                    regions=self.regions,
                )
            at = first + rows
        if not 0 <= self.reserved_columns <= machine.columns - machine.cells_per_weight:
            raise MappingError(
                f"crossbar machine {machine.name}: {self.reserved_columns} reserved columns leave no room for a weight "
                f"of {machine.cells_per_weight} cells in {machine.columns} columns",
                reserved_columns=self.reserved_columns,
            )

    def stretches(self, machine: CrossbarMachine) -> tuple[tuple[int, int], ...]:
        """The regions, or the whole array as one."""
        return self.regions or ((0, machine.rows),)

    def height(self, machine: CrossbarMachine) -> int:
        """Rows of the tallest block."""
        stretches = self.stretches(machine)
        together = self.joined and all(a + n == b for (a, n), (b, _) in pairwise(stretches))
        return sum(n for _, n in stretches) if together else max(n for _, n in stretches)

    def width(self, machine: CrossbarMachine) -> int:
        """Weights side by side in the widest block."""
        return (machine.columns - self.reserved_columns) // machine.cells_per_weight
