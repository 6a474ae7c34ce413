"""The result of a study: rows as data, as a table for terminals and as one for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from statistics import mean, stdev
from typing import Any, Literal

from neuromorph.engine.tables import html_table, text_table

from ...readable import joules, percent
from .changes import Change

Group = Literal["reference", "effect", "all", "time", "readout"]


@dataclass(frozen=True)
class Row:
    """One line of a study.

    Attributes
    ----------
    name : str
    group : {"reference", "effect", "all", "time", "readout"}
    effects : tuple of str
        Switched on.
    time : float or None
        Seconds since programming.
    scores : tuple of float
        One for each chip.
    changes : tuple of Change
        Of the first chip; empty for the digital run.
    saturated, conversions : int or None
        Of the first chip; None for the digital run.
    energy, seconds : float or None
        J and s of the machine's model, for the first chip's whole run; None for the digital run.
    took : float
        Seconds on this computer, compiling included.
    """

    name: str
    group: Group
    effects: tuple[str, ...]
    time: float | None
    scores: tuple[float, ...]
    changes: tuple[Change, ...] = ()
    saturated: int | None = None
    conversions: int | None = None
    energy: float | None = None
    seconds: float | None = None
    took: float = 0.0

    @property
    def score(self) -> float:
        """Mean over the chips."""
        return mean(self.scores)

    @property
    def spread(self) -> float:
        """Standard deviation over the chips; 0 with one."""
        return stdev(self.scores) if len(self.scores) > 1 else 0.0

    @property
    def differing(self) -> int:
        """Events of all populations that differ from the digital run."""
        return sum(change.differing for change in self.changes)


@dataclass(frozen=True, repr=False)
class Study:
    """Lines of a study; printed in a terminal, a table in a notebook.

    Attributes
    ----------
    network, target : str
    rows : tuple of Row
        The first is the digital run.
    complete : bool
        False if it was interrupted.
    """

    network: str
    target: str
    rows: tuple[Row, ...]
    complete: bool = True
    _named: Mapping[str, Row] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_named", {row.name: row for row in self.rows})

    def __getitem__(self, name: str) -> Row:
        """The row of a name."""
        try:
            return self._named[name]
        except KeyError:
            raise KeyError(f"{name!r}; the study has {', '.join(self._named) or 'no rows'}") from None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def loss(self, row: Row) -> float:
        """Score of the digital run less that of a row."""
        return self.rows[0].score - row.score

    def data(self) -> list[dict[str, Any]]:
        """Every row as numbers and text, for a file or a data frame."""
        return [
            {
                "name": row.name,
                "group": row.group,
                "effects": list(row.effects),
                "time": row.time,
                "score": row.score,
                "spread": row.spread,
                "chips": len(row.scores),
                "loss": self.loss(row),
                "differing": {change.population: change.differing for change in row.changes},
                "saturated": row.saturated,
                "conversions": row.conversions,
                "energy": row.energy,
                "seconds": row.seconds,
            }
            for row in self.rows
        ]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table that is printed."""
        populations = list(dict.fromkeys(change.population for row in self.rows for change in row.changes))
        differs = (f"{name} differs" for name in populations)
        head = ("", "score", "loss", *differs, "first difference", "saturated", "energy")
        return head, [self._cells(row, populations) for row in self.rows]

    def _cells(self, row: Row, populations: list[str]) -> tuple[str, ...]:
        changes = {change.population: change for change in row.changes}
        spread = f" +- {row.spread:.2g}" if len(row.scores) > 1 else ""
        differing = [_differing(changes.get(name)) for name in populations]
        known = (change for change in row.changes if change.where)
        first = min(known, key=lambda c: (c.sample or 0, c.step or 0), default=None)
        where = "" if first is None else f"{first.where}, {first.population}"
        energy = "" if row.energy is None else joules(row.energy)
        saturated = "" if not row.conversions else percent(row.saturated or 0, row.conversions)
        return (row.name, _shown(row.score) + spread, _shown(self.loss(row)), *differing, where, saturated, energy)

    def _title(self) -> str:
        unfinished = "" if self.complete else "; interrupted: these lines were done"
        chips = max((len(row.scores) for row in self.rows), default=1)
        each = f"; mean and standard deviation of {chips} chips" if chips > 1 else ""
        return f"{self.network} on {self.target}{each}{unfinished}"

    def __repr__(self) -> str:
        return f"<Study of {self._title()}: {', '.join(row.name for row in self.rows)}>"

    def __str__(self) -> str:
        return f"{self._title()}\n\n{text_table(*self.table())}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._title())}</p>{html_table(*self.table())}"


def _shown(value: float) -> str:
    """Counts as whole numbers, shares and losses to four digits, without the noise of a difference."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 6):.4g}"


def _differing(change: Change | None) -> str:
    if change is None:
        return ""
    return f"{change.differing:,} ({percent(change.differing, change.events[0])})" if change.differing else "0"
