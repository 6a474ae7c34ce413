"""The three grains of one pipeline in one table, beside what was published of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from neuromorph.engine.tables import Table, as_html, as_text
from neuromorph.errors import MappingError
from neuromorph.progress import Progress

from ..constants import Constants
from ..readable import joules
from . import schedule
from .actions import Energy
from .beside import Published, beside
from .buffers import Buffers, buffers
from .closed import closed_form
from .graph import StageGraph
from .simulate import simulate
from .timing import RULES, Rules, Timing

STREAMS = 64
"""Depth of the fine pipeline that is shown beside the one of smallest FIFOs."""
MEANING = {
    "hybrid": "FIFOs as in the design: streams, whole tensors only where an operator needs one",
    "fine": "streams of 2 tokens; where that deadlocks, the smallest depth that does not",
    f"fine {STREAMS}": f"the same with streams of up to {STREAMS} tokens",
    "coarse": "operator by operator: whole tensors in ping-pong buffers, one more for each operator that is skipped",
}
_HEAD = (
    "schedule",
    "interval",
    "closed form",
    "first item",
    "closed form",
    "FIFOs",
    "in stages",
    "activations",
    "weights, tables",
    "on chip",
)
_ENERGY = ("schedule", "an item", "from, to", "work", "clock", "static", "power", "")


@dataclass(frozen=True, eq=False)
class Scheduled:
    """One schedule, simulated.

    Attributes
    ----------
    name : str
        A key of :data:`MEANING`.
    graph : StageGraph
    rules : Rules
        How its stages and FIFOs behave.
    settled : bool
        Whether the items were enough to see a steady interval.
    interval, first : float and int
        Cycles from item to item, and of the first item from first in to last out.
    closed_interval : int
        Trips of the slowest stage: what the interval is if no FIFO slows it.
    closed_first : tuple of int
        What the first item takes without simulating the whole. Hybrid: by closed forms, stage by stage. Coarse: the
        operators' trips alone, then with all that fills them (:func:`.schedule.one_by_one`). Fine: nothing, as it is
        the small FIFOs that decide.
    memory : Buffers
    energy : Energy or None
        What an item takes, if prices were given.
    """

    name: str
    graph: StageGraph = field(repr=False)
    rules: Rules
    settled: bool
    interval: float
    first: int
    closed_interval: int
    closed_first: tuple[int, ...]
    memory: Buffers
    energy: Energy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = {
            name: value for name, value in vars(self).items() if name not in ("graph", "rules", "memory", "energy")
        }
        memory = {**asdict(self.memory), "activations": self.memory.activations, "total": self.memory.total}
        return {
            **plain,
            "meaning": MEANING[self.name],
            "rules": asdict(self.rules),
            "memory": memory,
            "energy": None if self.energy is None else self.energy.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class ScheduleComparison:
    """Schedules of one pipeline; printing it gives a table.

    Attributes
    ----------
    name : str
        Of the pipeline.
    items : int
    schedules : tuple of Scheduled
    figures : Constants or None
        What was published of the design: "figures.interval", "figures.first_image", ...
    published : Published or None
        The hybrid schedule beside it.
    """

    name: str
    items: int
    schedules: tuple[Scheduled, ...]
    figures: Constants | None = None
    published: Published | None = None

    def __getitem__(self, name: str) -> Scheduled:
        """A schedule by its name.

        Raises
        ------
        MappingError
            If it was not compared.
        """
        for each in self.schedules:
            if each.name == name:
                return each
        raise MappingError(
            f"schedule {name!r} was not compared; there is {', '.join(each.name for each in self.schedules)}", name=name
        )

    @property
    def saved(self) -> float:
        """Share of the coarse pipeline's activation buffers that the hybrid one does without."""
        return 1 - self["hybrid"].memory.activations / self["coarse"].memory.activations

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "name": self.name,
            "items": self.items,
            "schedules": [each.to_dict() for each in self.schedules],
            "saved": self.saved,
            "published": None if self.published is None else self.published.to_dict(),
        }

    def __str__(self) -> str:
        return as_text(self._summary(), self._tables())

    def _repr_html_(self) -> str:
        return as_html(self._summary(), self._tables())

    def _summary(self) -> str:
        lines = [
            f"{self.name}: cycles, simulated with {self.items} items, and by closed forms (of the coarse one: the "
            "operators' trips / with what fills them); memory in kbit",
            *(f"  {rules}: {', '.join(names)}" for rules, names in self._rules().items()),
        ]
        late = [each.name for each in self.schedules if not each.settled]
        if late:
            lines.append(f"  items do not come evenly yet, simulate more of them: {', '.join(late)}")
        lines += [f"  {each.name}: {MEANING[each.name]}" for each in self.schedules]
        priced = self["hybrid"].energy
        return "\n".join(lines if priced is None else [*lines, *(f"  {line}" for line in priced.summary())])

    def _tables(self) -> list[Table]:
        tables: list[Table] = [("schedules", _HEAD, [_row(each) for each in self.schedules])]
        if any(each.energy for each in self.schedules):
            tables.append(("energy, each schedule on the same board", _ENERGY, [*_energies(self.schedules)]))
        if self.published is not None:
            tables.append(self.published.table)
        return [*tables, ("grains", ("", "published", "here", ""), self._grains())]

    def _rules(self) -> dict[Rules, list[str]]:
        found: dict[Rules, list[str]] = {}
        for each in self.schedules:
            found.setdefault(each.rules, []).append(each.name)
        return found

    def _grains(self) -> list[tuple[str, ...]]:
        """What the grains save, which is published of some designs without how it was counted."""
        hybrid, coarse = self["hybrid"], self["coarse"]
        key = "figures.activation_buffers_saved"
        published = None if self.figures is None or key not in self.figures else self.figures[key].value
        return [
            (
                "activation buffers, hybrid against coarse",
                "" if published is None else f"{-published:+.1%}",
                f"{-self.saved:+.1%}",
                "" if published is None else "not reproduced: how it was counted is not published",
            ),
            ("first item, coarse against hybrid", "", f"{coarse.first / hybrid.first:.1f} times", "each simulated"),
        ]


def _row(each: Scheduled) -> tuple[str, ...]:
    m = each.memory
    return (
        each.name,
        f"{each.interval:,.10g}",
        f"{each.closed_interval:,}",
        f"{each.first:,}",
        " / ".join(f"{cycles:,}" for cycles in each.closed_first),
        *(_kbit(bits) for bits in (m.streams + m.tensors, m.kept, m.activations, m.weights + m.tables, m.total)),
    )


def _energies(schedules: tuple[Scheduled, ...]) -> Iterator[tuple[str, ...]]:
    for each in schedules:
        if (found := each.energy) is not None:
            span = "-" if found.bounds is None else " to ".join(joules(value) for value in found.bounds)
            kinds = (joules(value) for value in found.by_kind.values())
            power = f"{found.power:.3g} W"
            yield (
                each.name,
                joules(found.item),
                span,
                *kinds,
                power,
                "" if found.fits else f"too large for {found.board}",
            )


def _kbit(bits: int) -> str:
    return f"{bits / 1000:,.0f}" if bits >= 100_000 else f"{bits / 1000:,.1f}"


def compare_schedules(
    graph: StageGraph,
    items: int = 3,
    rules: Rules = RULES,
    *,
    figures: Constants | None = None,
    energy: Callable[[Timing], Energy] | None = None,
    progress: bool | Progress = False,
) -> ScheduleComparison:
    """Simulate a pipeline in every schedule.

    Parameters
    ----------
    graph : StageGraph
        The hybrid one.
    items : int
        At least 2.
    rules : Rules
        How stages and FIFOs behave. Continuous pipelines are the hybrid schedule's only: those of the others run empty
        at the end of an item (:meth:`.timing.Rules.emptied`), as streams have no room for what they would hold back,
        and buffers are handed over at the end.
    figures : Constants, optional
        The machine file of a published design, whose figures are shown beside.
    energy : callable, optional
        Prices a run: ``partial(energy, design, parallel, board=...)`` of :func:`.energy.energy`.
    progress : bool or Progress
        True: a bar on a terminal.

    Raises
    ------
    MappingError
        Fewer than 2 items, or operators that wait for one another in a circle.
    """
    if items < 2:
        raise MappingError(f"schedules of {graph.name!r}: {items} items; an interval needs at least 2")
    form = closed_form(graph)
    other = rules.emptied()
    graphs = {
        "hybrid": graph,
        "fine": schedule.fine(graph, rules=other, progress=progress),
        f"fine {STREAMS}": schedule.fine(graph, STREAMS, other, progress=progress),
        "coarse": schedule.coarse(graph),
    }
    first = {"hybrid": (form.latency,), "coarse": (form.coarse, schedule.one_by_one(graphs["coarse"], other))}
    found, published = [], None
    for name, one in graphs.items():
        timing = simulate(one, items, rules if one is graph else other, progress=progress)
        cost = None if energy is None else energy(timing)
        found.append(_scheduled(name, timing, form.interval, first.get(name, ()), cost))
        if one is graph and figures is not None:
            published = beside(timing, figures)
    return ScheduleComparison(graph.name, items, tuple(found), figures, published)


def _scheduled(name: str, timing: Timing, interval: int, first: tuple[int, ...], energy: Energy | None) -> Scheduled:
    return Scheduled(
        name,
        timing.graph,
        timing.rules,
        timing.settled,
        timing.interval,
        int(timing.latency[0]),
        interval,
        first,
        buffers(timing.graph),
        energy,
    )
