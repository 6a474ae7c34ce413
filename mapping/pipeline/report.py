"""What a simulated pipeline does: interval, latency, bottleneck; operators, their stalls, FIFOs and their peaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.engine.tables import Table, as_html, as_rich, as_text
from neuromorph.errors import MappingError

from ..constants import Constants
from ..readable import many, percent, seconds
from .actions import Energy
from .beside import Published, beside
from .buffers import Buffers, buffers
from .names import alike
from .timeline import tracks
from .timing import Rules, Timing

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_MOST_FIFOS = 20
_OPERATORS = ("operator", "", "cycles an item", "utilisation", "waits for input", "waits for room", "products a cycle")
_FIFOS = ("FIFO", "", "depth", "peak", "bits", "reader waited", "writer blocked")


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """One operator in the steady state.

    Attributes
    ----------
    name, block : str
    stages : int
    cycles : int
        An item takes them if nothing is waited for: those of the busiest stage.
    utilisation : float
        The share of the interval in which the busiest stage goes on.
    waiting, held : int
        Cycles of the last item in which that stage waited for an input, and for room behind an output.
    multipliers : int
        Products in one cycle.
    products : int
        Products an item.
    """

    name: str
    block: str
    stages: int
    cycles: int
    utilisation: float
    waiting: int
    held: int
    multipliers: int
    products: int


@dataclass(frozen=True, slots=True)
class FifoReport:
    """One FIFO over the whole run.

    Attributes
    ----------
    name : str
    depth, peak : int
        Tokens that it holds, and the most that it held, its register places included.
    bits : int
        Of all tokens that it holds.
    reader_waited, writer_blocked : int
        Cycles in which the reader wanted a token and the writer room, in vain.
    """

    name: str
    depth: int
    peak: int
    bits: int
    reader_waited: int
    writer_blocked: int


@dataclass(frozen=True, eq=False)
class PipelineReport:
    """A simulated pipeline; printing it gives tables.

    Attributes
    ----------
    name : str
    stages : int
    items : int
    rules : Rules
        How stages and FIFOs behaved.
    interval : float
        Cycles from item to item in the steady state.
    settled : bool
        Whether the items of the run were enough to see it.
    first, last : int
        Cycles of the first and of the last item, first in to last out.
    bottleneck : str
        The operator that takes most cycles an item.
    clock : float or None
        Hz.
    operators : tuple of OperatorReport
    fifos : tuple of FifoReport
    memory : Buffers
    published : Published or None
        Figures that were published of the design.
    energy : Energy or None
        What an item takes, if prices were given.
    """

    name: str
    stages: int
    items: int
    rules: Rules
    interval: float
    settled: bool
    first: int
    last: int
    bottleneck: str
    clock: float | None
    operators: tuple[OperatorReport, ...]
    fifos: tuple[FifoReport, ...]
    memory: Buffers
    published: Published | None = None
    energy: Energy | None = None

    @property
    def rate(self) -> float | None:
        """Items a second, if the clock is known."""
        return None if self.clock is None else self.clock / self.interval

    @property
    def products(self) -> int:
        """Products an item."""
        return sum(each.products for each in self.operators)

    @property
    def multipliers(self) -> int:
        """Products in one cycle, if all stages go on."""
        return sum(each.multipliers for each in self.operators)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        apart = ("rules", "operators", "fifos", "memory", "published", "energy")
        plain = {name: value for name, value in vars(self).items() if name not in apart}
        return {
            **plain,
            "rules": asdict(self.rules),
            "rate": self.rate,
            "products": self.products,
            "multipliers": self.multipliers,
            "memory": {**asdict(self.memory), "activations": self.memory.activations, "total": self.memory.total},
            "operators": [asdict(each) for each in self.operators],
            "fifos": [asdict(each) for each in self.fifos],
            "published": None if self.published is None else self.published.to_dict(),
            "energy": None if self.energy is None else self.energy.to_dict(),
        }

    def __str__(self) -> str:
        return as_text(_summary(self), _tables(self))

    def __repr__(self) -> str:
        return f"<PipelineReport of {self.name}: an item every {self.interval:,.0f} cycles>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Tables that fit the width of the terminal."""
        return as_rich(_summary(self), _tables(self))

    def _repr_html_(self) -> str:
        return as_html(_summary(self), _tables(self))


def report(
    timing: Timing,
    clock: float | None = None,
    *,
    figures: Constants | None = None,
    limited: Timing | None = None,
    energy: Callable[[Timing], Energy] | None = None,
) -> PipelineReport:
    """What a simulated run shows.

    Parameters
    ----------
    timing : Timing
    clock : float, optional
        Hz, for rates and times.
    figures : Constants, optional
        The machine file of a published design, whose figures are shown beside.
    limited : Timing, optional
        A run for those figures in which stages are not too far ahead; see :func:`.beside.beside`.
    energy : callable, optional
        Prices a run: ``partial(energy, design, parallel, board=...)`` of :func:`.energy.energy`.

    Raises
    ------
    MappingError
        A clock that is not positive, or a run of one item, which has no interval.
    """
    if clock is not None and not clock > 0:
        raise MappingError(f"clock {clock} Hz: expected more than 0")
    operators = _operators(timing)
    graph = timing.graph
    return PipelineReport(
        name=graph.name,
        stages=len(graph.stages),
        items=timing.items,
        rules=timing.rules,
        settled=timing.settled,
        interval=timing.interval,
        first=int(timing.latency[0]),
        last=int(timing.latency[-1]),
        bottleneck=max(operators, key=lambda each: each.cycles).name,
        clock=clock,
        operators=operators,
        fifos=tuple(
            FifoReport(fifo.name, fifo.depth, int(peak), fifo.depth * fifo.bits, int(waited), int(blocked))
            for fifo, peak, waited, blocked in zip(
                graph.fifos, timing.peak, timing.reader_waited, timing.writer_blocked, strict=True
            )
        ),
        memory=buffers(graph),
        published=None if figures is None else beside(timing, figures, limited),
        energy=None if energy is None else energy(timing),
    )


def _operators(timing: Timing) -> tuple[OperatorReport, ...]:
    found = tracks(timing, "operator")
    members: dict[str, list[int]] = {name: [] for name in found.names}
    stages = timing.graph.stages
    for k, stage in enumerate(stages):
        members[stage.part_of or stage.name].append(k)
    return tuple(
        OperatorReport(
            name,
            block,
            len(members[name]),
            int(found.busy[row, -1]),
            float(found.busy[row, -1] / timing.interval),
            int(found.waiting[row, -1]),
            int(found.held[row, -1]),
            sum(stages[k].multipliers for k in members[name]),
            sum(stages[k].products for k in members[name]),
        )
        for row, (name, block) in enumerate(zip(found.names, found.blocks, strict=True))
    )


# ------------------------------------------------------------------------------------------------------------ tables
def _summary(found: PipelineReport) -> str:
    lines = [
        f"{found.name}: {many(found.stages, 'stage')}, {many(len(found.fifos), 'FIFO')}, "
        f"{many(found.items, 'item')} simulated",
        f"  {found.rules}",
        f"  an item every {found.interval:,.10g} cycles{_at(found, found.interval)}; {_why(found)}",
        f"  first item, first in to last out: {found.first:,} cycles{_at(found, found.first)}",
    ]
    if not found.settled:
        lines.insert(3, "  (these items do not come evenly yet: simulate more of them)")
    lines.append(f"  last item, likewise: {found.last:,} cycles{_at(found, found.last)}")
    if found.multipliers:
        share = percent(found.products, found.multipliers * found.interval)
        lines.append(
            f"  {found.products:,} products an item on {found.multipliers:,} multipliers, {share} of them busy"
        )
    m = found.memory
    lines.append(
        f"  on chip: weights {_kbit(m.weights)}, tables {_kbit(m.tables)}, activations {_kbit(m.activations)} (streams "
        f"{_kbit(m.streams)}, whole tensors {_kbit(m.tensors)}, inside stages {_kbit(m.kept)})"
    )
    if found.energy is not None:
        lines += [f"  {line}" for line in found.energy.summary()]
    return "\n".join(lines)


def _why(found: PipelineReport) -> str:
    """What the interval comes from: the slowest operator, or FIFOs that make it wait."""
    cycles = max(each.cycles for each in found.operators)
    if found.interval <= cycles * 1.01:
        return f"the slowest operator is {found.bottleneck}"
    return f"FIFOs make operators wait: the slowest, {found.bottleneck}, needs {cycles:,}"


def _kbit(bits: int) -> str:
    """Bits for people."""
    return f"{bits:,} bit" if bits < 10_000 else f"{bits / 1000:,.0f} kbit"


def _at(found: PipelineReport, cycles: float) -> str:
    if found.clock is None:
        return ""
    time = seconds(cycles / found.clock)
    return f" ({time}, {found.rate:,.0f} a second)" if cycles == found.interval else f" ({time})"


def _tables(found: PipelineReport) -> list[Table]:
    operators = [_operator_row(name, those) for name, those in alike(found.operators, lambda e: e.name)]
    groups = sorted(alike(found.fifos, lambda e: e.name), key=lambda group: -sum(e.bits for e in group[1]))
    fifos = [_fifo_row(name, those) for name, those in groups[:_MOST_FIFOS]]
    some = "" if len(groups) <= _MOST_FIFOS else f", the {_MOST_FIFOS} largest of {len(groups)} kinds"
    title = f"FIFOs{some} (tokens; peaks count register places)"
    tables: list[Table] = [("operators", _OPERATORS, operators), (title, _FIFOS, fifos)]
    return [*tables, found.published.table] if found.published else tables


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _times(those: Sequence[object]) -> str:
    return f"x {len(those)}" if len(those) > 1 else ""


def _operator_row(name: str, those: Sequence[OperatorReport]) -> tuple[str, ...]:
    multipliers = _span([each.multipliers for each in those])
    return (
        name,
        _times(those),
        _span([each.cycles for each in those]),
        f"{max(each.utilisation for each in those):.1%}",
        _span([each.waiting for each in those]),
        _span([each.held for each in those]),
        "" if multipliers == "0" else multipliers,
    )


def _fifo_row(name: str, those: Sequence[FifoReport]) -> tuple[str, ...]:
    return (
        name,
        _times(those),
        _span([each.depth for each in those]),
        _span([each.peak for each in those]),
        f"{sum(each.bits for each in those):,}",
        _span([each.reader_waited for each in those]),
        _span([each.writer_blocked for each in those]),
    )
