"""The three grains of one pipeline in one table, beside what was published of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from neuromorph.engine.tables import Table, as_html, as_text
from neuromorph.errors import MappingError
from neuromorph.progress import Progress

from ..constants import Constants
from . import schedule
from .closed import closed_form
from .graph import StageGraph
from .memory import Buffers, buffers
from .simulate import simulate
from .timing import Timing

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


@dataclass(frozen=True, eq=False)
class Scheduled:
    """One schedule, simulated.

    Attributes
    ----------
    name : str
        A key of :data:`MEANING`.
    graph : StageGraph
    interval, first : int
        Cycles from item to item, and of the first item from first in to last out.
    closed_interval : int
        Trips of the slowest stage: what the interval is if no FIFO slows it.
    closed_first : tuple of int
        What the first item takes without simulating the whole. Hybrid: by closed forms, stage by stage. Coarse: the
        operators' trips alone, then with all that fills them (:func:`.schedule.one_by_one`). Fine: nothing, as it is
        the small FIFOs that decide.
    memory : Buffers
    """

    name: str
    graph: StageGraph = field(repr=False)
    interval: int
    first: int
    closed_interval: int
    closed_first: tuple[int, ...]
    memory: Buffers

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("graph", "memory")}
        memory = {**asdict(self.memory), "activations": self.memory.activations, "total": self.memory.total}
        return {**plain, "meaning": MEANING[self.name], "memory": memory}


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
    """

    name: str
    items: int
    schedules: tuple[Scheduled, ...]
    figures: Constants | None = None

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
        figures = {} if self.figures is None else self.figures
        return {
            "name": self.name,
            "items": self.items,
            "schedules": [each.to_dict() for each in self.schedules],
            "saved": self.saved,
            "published": {
                name.removeprefix("figures."): {"value": each.value, "unit": each.unit, "source": each.citation}
                for name, each in figures.items()
                if name.startswith("figures.")
            },
        }

    def __str__(self) -> str:
        return as_text(self._summary(), self._tables())

    def _repr_html_(self) -> str:
        return as_html(self._summary(), self._tables())

    def _summary(self) -> str:
        lines = [
            f"{self.name}: cycles, simulated with {self.items} items, and by closed forms (of the coarse one: the "
            "operators' trips / with what fills them); memory in kbit"
        ]
        return "\n".join([*lines, *(f"  {each.name}: {MEANING[each.name]}" for each in self.schedules)])

    def _tables(self) -> list[Table]:
        tables: list[Table] = [("schedules", _HEAD, [_row(each) for each in self.schedules])]
        if self.figures is not None:
            tables.append(("published", ("", "published", "here", "difference", ""), self._published(self.figures)))
        return tables

    def _published(self, figures: Constants) -> list[tuple[str, ...]]:
        hybrid, coarse = self["hybrid"], self["coarse"]
        rows = [
            _beside(name, figures[key].si, ours)
            for name, key, ours in (
                ("interval, hybrid", "figures.interval", hybrid.interval),
                ("first item, hybrid", "figures.first_image", hybrid.first),
                ("first item, hybrid, RTL", "figures.first_image_rtl", hybrid.first),
            )
            if key in figures
        ]
        if "figures.activation_buffers_saved" in figures:
            published = figures["figures.activation_buffers_saved"].value
            rows.append(
                (
                    "activation buffers, hybrid against coarse",
                    f"{-published:+.1%}",
                    f"{-self.saved:+.1%}",
                    f"{100 * (published - self.saved):+.1f} points",
                    "not reproduced: how it was counted is not published",
                )
            )
        times = f"{coarse.first / hybrid.first:.1f} times"
        rows.append(("first item, coarse against hybrid", "", times, "", "each simulated"))
        return rows


def _row(each: Scheduled) -> tuple[str, ...]:
    m = each.memory
    return (
        each.name,
        f"{each.interval:,}",
        f"{each.closed_interval:,}",
        f"{each.first:,}",
        " / ".join(f"{cycles:,}" for cycles in each.closed_first),
        *(_kbit(bits) for bits in (m.streams + m.tensors, m.kept, m.activations, m.weights + m.tables, m.total)),
    )


def _kbit(bits: int) -> str:
    return f"{bits / 1000:,.0f}" if bits >= 100_000 else f"{bits / 1000:,.1f}"


def _beside(name: str, published: float, ours: float) -> tuple[str, ...]:
    return name, f"{published:,.0f}", f"{ours:,.0f}", f"{ours / published - 1:+.2%}", "cycles"


def compare_schedules(
    graph: StageGraph,
    items: int = 3,
    *,
    figures: Constants | None = None,
    progress: bool | Progress = False,
    **rules: Any,
) -> ScheduleComparison:
    """Simulate a pipeline in every schedule.

    Parameters
    ----------
    graph : StageGraph
        The hybrid one.
    items : int
        At least 2.
    figures : Constants, optional
        The machine file of a published design, whose figures are shown beside.
    progress : bool or Progress
        True: a bar on a terminal.
    **rules
        ``slots``, ``block_slots``, ``restart``, ``pipelines`` of :func:`.simulate.simulate`.

    Raises
    ------
    MappingError
        Fewer than 2 items, or operators that wait for one another in a circle.
    """
    if items < 2:
        raise MappingError(f"schedules of {graph.name!r}: {items} items; an interval needs at least 2")
    form = closed_form(graph)
    graphs = {
        "hybrid": graph,
        "fine": schedule.fine(graph, progress=progress, **rules),
        f"fine {STREAMS}": schedule.fine(graph, STREAMS, progress=progress, **rules),
        "coarse": schedule.coarse(graph),
    }
    first = {"hybrid": (form.latency,), "coarse": (form.coarse, schedule.one_by_one(graphs["coarse"], **rules))}
    found = []
    for name, one in graphs.items():
        timing = simulate(one, items, progress=progress, **rules)
        found.append(_scheduled(name, timing, form.interval, first.get(name, ())))
    return ScheduleComparison(graph.name, items, tuple(found), figures)


def _scheduled(name: str, timing: Timing, interval: int, first: tuple[int, ...]) -> Scheduled:
    return Scheduled(
        name, timing.graph, timing.interval, int(timing.latency[0]), interval, first, buffers(timing.graph)
    )
