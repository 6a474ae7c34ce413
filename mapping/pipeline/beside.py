"""Figures that were published of a design, beside those of a simulated run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from neuromorph.engine.tables import Table

from ..constants import Constants
from .closed import closed_form
from .timing import Timing

LATER = 9
"""The item behind others whose times are compared, where there are so many."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure.

    Attributes
    ----------
    what : str
    here, published : float
    unit : str
    source : str
        Of the published figure, as its machine file calls it: "paper", "rtl".
    """

    what: str
    here: float
    published: float
    unit: str
    source: str

    @property
    def difference(self) -> float:
        """Of ours from the published one, as a share of that."""
        return self.here / self.published - 1


@dataclass(frozen=True, slots=True)
class Published:
    """A run beside what was published of its design.

    Attributes
    ----------
    rows : tuple of Beside
    assumed : tuple of str
        Rules of the run that nobody published, and what they were taken from.
    """

    rows: tuple[Beside, ...]
    assumed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        rows = [{**asdict(row), "difference": row.difference} for row in self.rows]
        return {"rows": rows, "assumed": list(self.assumed)}

    @property
    def table(self) -> Table:
        """For reports."""
        rows = [
            (row.what, f"{row.here:,.0f}", f"{row.published:,.0f}", f"{row.difference:+.2%}", row.unit, row.source)
            for row in self.rows
        ]
        assumed = "".join(f"\n  assumed: {each}" for each in self.assumed)
        title = f"beside what was published{assumed}"
        return title, ("", "here", "published", "difference", "", "source"), rows


def beside(timing: Timing, figures: Constants, limited: Timing | None = None) -> Published:
    """A run beside the figures of a machine file, as many as the file and the run have.

    Parameters
    ----------
    timing : Timing
    figures : Constants
        With "figures.interval", "figures.first_image", "figures.clock", ...
    limited : Timing, optional
        A run of the same graph in which stages are not too far ahead (:func:`.transformer.with_published_starts`).
    """
    rows = ((what, here, f"figures.{key}", unit) for what, here, key, unit in _rows(timing, figures, limited))
    found = tuple(
        Beside(what, here, figures[key].si, unit, figures[key].source)
        for what, here, key, unit in rows
        if key in figures
    )
    assumed = [
        f"{name.removeprefix('rules.')} = {each.value}, {each.why}"
        for name, each in figures.items()
        if name.startswith("rules.") and each.status == "assumption"
    ]
    return Published(found, tuple(assumed))


def _rows(timing: Timing, figures: Constants, limited: Timing | None) -> Iterator[tuple[str, float, str, str]]:
    """What, ours, the key and unit of the published figure."""
    slowest, lost = closed_form(timing.graph).interval, timing.rules.restart
    first_out, last_in = timing.first_out - timing.first_in, timing.last_in - timing.first_in
    yield "interval, iterations of the slowest stage", slowest, "interval", "cycles"
    yield f"interval, cycles lost between items: {lost}", timing.interval, "interval_rtl", "cycles"
    for key in ("first_image", "first_image_rtl"):
        yield "first item, first in to last out", int(timing.latency[0]), key, "cycles"
    yield "first item, first in to first out", int(first_out[0]), "first_in_to_first_out_rtl", "cycles"
    yield "first item, first in to last in", int(last_in[0]), "input_span_rtl", "cycles"
    yield (
        "first item, first out to last out",
        int(timing.last_out[0] - timing.first_out[0]),
        "output_span_rtl",
        "cycles",
    )
    for run, how in ((timing, "no limit on how far stages are ahead"), (limited, _assumed(figures))):
        if run is not None and run.items > LATER:
            first_out, last_in = run.first_out - run.first_in, run.last_in - run.first_in
            item = f"item {LATER}, first in to"
            yield f"{item} last out, {how}", int(run.latency[LATER]), f"image{LATER}_rtl", "cycles"
            yield f"{item} first out, {how}", int(first_out[LATER]), f"image{LATER}_first_out_rtl", "cycles"
            yield f"{item} last in, {how}", int(last_in[LATER]), f"image{LATER}_input_span_rtl", "cycles"
    if "figures.clock" in figures:
        rate = figures.si("figures.clock") / timing.interval
        yield "ideal rate, beside the ideal one", rate, "images_per_second_ideal", "items/s"
        yield "ideal rate, beside the one measured on the board", rate, "images_per_second", "items/s"
        yield "ideal rate, beside a V100", rate, "images_per_second_v100", "items/s"


def _assumed(figures: Constants) -> str:
    ahead = figures.count("starts.ahead") if "starts.ahead" in figures else 0
    return f"V at most {ahead} items ahead, an assumption"
