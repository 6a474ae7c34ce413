"""The definition of a pipeline's timing: every stage, every cycle, in plain Python.

For small cases and as a check: :func:`.simulate.simulate` must give the same numbers. A stage counts *ticks*, cycles in
which it makes progress:

- Iteration k of a loop enters one interval of ticks after iteration k - 1, reads its tokens as it enters, and writes as
  it leaves, ``depth - 1`` ticks later. A loop begins as the interval of the last iteration before it is over, an item
  ``restart`` ticks after that; a loop that writes never begins so early that it would overtake the loop before.
- A tick of entering happens when the tokens are there and what leaves at an earlier tick has left. In the cycle after
  it was written a token can be read; in the cycle after it was read its place is free.
- A ``rigid`` pipeline moves as one: what enters and what leaves at a tick of a loop do so in one cycle, and a loop that
  waits for a token holds what is in flight. Once its last iteration has entered, a loop drains; or its stage goes on
  with the next item, still holding. :func:`walk` says it.
- In an ``ideal`` pipeline what has entered goes on by itself, and an iteration enters only if there will be room as it
  leaves. That looks ahead, so no walk can say it; :func:`solve` does, as the longest paths from event to event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .graph import Fifo, Stage, StageGraph


@dataclass(frozen=True, slots=True)
class _Iteration:
    """One iteration that reads or writes: its ticks, FIFOs, loop (counted over all items) and item."""

    enters: int
    leaves: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    loop: int
    item: int


@dataclass
class _Queue:
    """A FIFO: tokens written and read before this cycle, and in it."""

    room: int
    grain: int
    written: int
    read: int = 0
    writing: int = 0
    reading: int = 0
    peak: int = 0
    writer_blocked: int = 0
    reader_waited: int = 0

    def ready(self) -> bool:
        return self.written >= (self.read // self.grain + 1) * self.grain

    def full(self) -> bool:
        freed = self.read // self.grain * self.grain
        return self.written >= freed + self.room

    def edge(self) -> None:
        self.written += self.writing
        self.read += self.reading
        self.writing = self.reading = 0
        self.peak = max(self.peak, self.written - self.read)


@dataclass
class _Walker:
    """A stage: what enters and leaves, and the cycles in which that happened."""

    iterations: list[_Iteration]
    last: list[int]
    """Tick of the last iteration of every item."""
    entered: list[int] = field(default_factory=list)
    leaving: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leaving = [k for k, one in enumerate(self.iterations) if one.writes]
        self.waiting = [0] * len(self.last)

    def moved(self, tick: int, *, through: bool) -> int:
        """Cycles by which what left before a tick (or at it) was late; -1: it has not all left."""
        late = 0
        for at, k in enumerate(self.leaving):
            leaves = self.iterations[k].leaves
            if leaves > tick or (leaves == tick and not through):
                break
            if at >= len(self.left):
                return -1
            late = max(late, self.left[at] - leaves)
        return late


@dataclass(frozen=True)
class Walked:
    """Outcome of a walk: per stage and item, and per FIFO, as :class:`.timing.Timing` tells it.

    ``stuck`` means that nothing could go on; ``fill`` is what every FIFO holds in the end.
    """

    stuck: bool
    start: dict[str, list[int]]
    end: dict[str, list[int]]
    waiting: dict[str, list[int]]
    held: dict[str, list[int]]
    peak: dict[str, int]
    writer_blocked: dict[str, int]
    reader_waited: dict[str, int]
    fill: dict[str, int]


def walk(
    graph: StageGraph,
    rooms: Mapping[str, int],
    items: int,
    *,
    restart: Mapping[str, int],
    drains: Collection[str] | None = None,
) -> Walked:
    """Run `items` items through rigid pipelines, cycle by cycle.

    Parameters
    ----------
    graph : StageGraph
        Without open ends: every FIFO has a writer and a reader.
    rooms : mapping of str to int
        Tokens that each FIFO holds, register places included.
    items : int
    restart : mapping of str to int
        Ticks between items of each stage.
    drains : collection of str, optional
        Stages whose pipelines run empty between items; the others go on with the next item as one loop. All by default.
    """
    queues = {fifo.name: _Queue(rooms[fifo.name], fifo.grain, fifo.initial, peak=fifo.initial) for fifo in graph.fifos}
    walkers = {
        stage.name: _laid(stage, items, restart[stage.name], drains is None or stage.name in drains)
        for stage in graph.stages
    }
    cycle, stuck = 0, False
    while not stuck and any(
        len(w.entered) + len(w.left) < len(w.iterations) + len(w.leaving) for w in walkers.values()
    ):
        outcomes = [_cycle(walker, queues, cycle) for walker in walkers.values()]
        stuck = not any(outcomes)
        for queue in queues.values():
            queue.edge()
        cycle += 1
    return Walked(
        stuck,
        {name: _first(walker, items) for name, walker in walkers.items()},
        {name: _last(walker, items) for name, walker in walkers.items()},
        {name: walker.waiting for name, walker in walkers.items()},
        {name: _held(walker) for name, walker in walkers.items()} if not stuck else {},
        {name: queue.peak for name, queue in queues.items()},
        {name: queue.writer_blocked for name, queue in queues.items()},
        {name: queue.reader_waited for name, queue in queues.items()},
        {name: queue.written - queue.read for name, queue in queues.items()},
    )


def _laid(stage: Stage, items: int, restart: int, drains: bool = True) -> _Walker:
    """All iterations of a stage with their ticks."""
    iterations: list[_Iteration] = []
    lasts: list[int] = []
    tick, leaves, count = 0, -1, 0
    for item in range(items):
        for loop in stage.loops:
            if any(run.writes for run in loop.runs):
                tick = max(tick, leaves + 1 - (loop.depth - 1))
            for _ in range(loop.repeats):
                for run in loop.runs:
                    reads = tuple(stage.inputs[p] for p in run.reads)
                    writes = tuple(stage.outputs[p] for p in run.writes)
                    for _ in range(run.count):
                        if reads or writes:
                            iterations.append(_Iteration(tick, tick + loop.depth - 1, reads, writes, count, item))
                        if writes:
                            leaves = tick + loop.depth - 1
                        tick += loop.interval
            count += drains
            last = tick - loop.interval
        lasts.append(last)
        tick += restart
    return _Walker(iterations, lasts)


def _cycle(walker: _Walker, queues: Mapping[str, _Queue], cycle: int) -> bool:
    """Let a stage do what it can in a cycle; False: nothing, and nothing later unless others do something."""
    enter = walker.iterations[len(walker.entered)] if len(walker.entered) < len(walker.iterations) else None
    leave = walker.iterations[walker.leaving[len(walker.left)]] if len(walker.left) < len(walker.leaving) else None
    late = walker.entered[-1] - walker.iterations[len(walker.entered) - 1].enters if walker.entered else 0
    left = walker.left[-1] - walker.iterations[walker.leaving[len(walker.left) - 1]].leaves if walker.left else 0
    together = enter is not None and leave is not None and enter.loop == leave.loop and enter.enters == leave.leaves
    moved, soon = False, False
    since = None if leave is None or together else _since(walker, leave)
    if leave is not None and since is not None:
        due = leave.leaves + max(left, since)
        soon = cycle < due
        if cycle >= due and _flows(queues, (), leave.writes):
            walker.left.append(cycle)
            moved = True
    before = -1 if enter is None else walker.moved(enter.enters, through=not together)
    if enter is not None and before >= 0:
        due = enter.enters + max(late, before)
        soon |= cycle < due
        if cycle >= due:
            writes = leave.writes if together and leave is not None else ()
            walker.waiting[enter.item] += any(not queues[name].ready() for name in enter.reads)
            if _flows(queues, enter.reads, writes):
                walker.entered.append(cycle)
                if together:
                    walker.left.append(cycle)
                moved = True
    return moved or soon


def _since(walker: _Walker, leave: _Iteration) -> int | None:
    """Cycles by which the last entering of a loop until an iteration leaves was late; None: it has not happened."""
    k = max(n for n, one in enumerate(walker.iterations) if one.loop == leave.loop and one.enters <= leave.leaves)
    if k >= len(walker.entered):
        return None
    return walker.entered[k] - walker.iterations[k].enters


def _flows(queues: Mapping[str, _Queue], reads: tuple[str, ...], writes: tuple[str, ...]) -> bool:
    """Read and write if everything is there; otherwise count who waits for what."""
    waits = [queues[name] for name in reads if not queues[name].ready()]
    blocked = [queues[name] for name in writes if queues[name].full()]
    for queue in waits:
        queue.reader_waited += 1
    for queue in blocked:
        queue.writer_blocked += 1
    if waits or blocked:
        return False
    for name in reads:
        queues[name].reading = 1
    for name in writes:
        queues[name].writing = 1
    return True


def _first(walker: _Walker, items: int) -> list[int]:
    found = [-1] * items
    for one, cycle in zip(walker.iterations, walker.entered, strict=False):
        if found[one.item] < 0:
            found[one.item] = cycle
    return found


def _last(walker: _Walker, items: int) -> list[int]:
    found = [-1] * items
    for one, cycle in zip(walker.iterations, walker.entered, strict=False):
        found[one.item] = max(found[one.item], cycle)
    for k, cycle in zip(walker.leaving, walker.left, strict=False):
        item = walker.iterations[k].item
        found[item] = max(found[item], cycle)
    return found


def _held(walker: _Walker) -> list[int]:
    """What an item was late at its last tick, less what the item before was, less its waits for tokens."""
    held, before = [], 0
    for item, tick in enumerate(walker.last):
        entered = zip(walker.iterations, walker.entered, strict=True)
        late = max([at - one.enters for one, at in entered if one.enters <= tick] + [walker.moved(tick, through=True)])
        held.append(late - before - walker.waiting[item])
        before = late
    return held


Event = tuple[str, int]
"""A stage, and the number of one of its iterations."""


def solve(graph: StageGraph, rooms: Mapping[str, int], items: int, *, restart: Mapping[str, int]) -> Walked:
    """The same for ideal pipelines: when each iteration enters, as the longest path to it. Parameters as for `walk`."""
    laid = {stage.name: _laid(stage, items, restart[stage.name]) for stage in graph.stages}
    ends = {fifo.name: _ends(fifo, laid) for fifo in graph.fifos}
    needs: dict[Event, list[tuple[Event, int, str, bool]]] = {
        (name, k): [] for name, walker in laid.items() for k in range(len(walker.iterations))
    }
    for fifo in graph.fifos:
        writes, reads = ends[fifo.name]
        for n, (event, _) in enumerate(reads):
            last = (n // fifo.grain + 1) * fifo.grain - 1 - fifo.initial
            if last >= 0:
                needs[event].append((writes[last][0], writes[last][1] + 1, fifo.name, False))
        for n, (event, lead) in enumerate(writes):
            freed = n + fifo.initial - rooms[fifo.name]
            if freed >= 0:
                needs[event].append((reads[(freed // fifo.grain + 1) * fifo.grain - 1][0], 1 - lead, fifo.name, True))
    times = _longest(laid, needs)
    return _told(graph, laid, ends, needs, times)


def _ends(fifo: Fifo, laid: Mapping[str, _Walker]) -> tuple[list[tuple[Event, int]], list[tuple[Event, int]]]:
    """What writes to a FIFO and what reads from it, in order, with the ticks from entering to that."""
    writes: list[tuple[Event, int]] = []
    reads: list[tuple[Event, int]] = []
    for name, walker in laid.items():
        for k, one in enumerate(walker.iterations):
            if fifo.name in one.writes:
                writes.append(((name, k), one.leaves - one.enters))
            if fifo.name in one.reads:
                reads.append(((name, k), 0))
    return writes, reads


def _longest(
    laid: Mapping[str, _Walker], needs: Mapping[Event, list[tuple[Event, int, str, bool]]]
) -> dict[Event, int]:
    """Cycle of every iteration that does not wait for ever."""
    after: dict[Event, list[Event]] = defaultdict(list)
    missing: dict[Event, int] = {}
    for event, reasons in needs.items():
        name, k = event
        missing[event] = len(reasons) + (k > 0)
        for other, *_ in reasons:
            after[other].append(event)
        if k > 0:
            after[name, k - 1].append(event)
    ready = [event for event, count in missing.items() if count == 0]
    times: dict[Event, int] = {}
    while ready:
        event = ready.pop()
        reasons = needs[event]
        times[event] = max([_free(laid, times, event)] + [times[other] + lag for other, lag, _, _ in reasons])
        for following in after[event]:
            missing[following] -= 1
            if missing[following] == 0:
                ready.append(following)
    return times


def _free(laid: Mapping[str, _Walker], times: Mapping[Event, int], event: Event) -> int:
    """When an iteration could enter if only its stage mattered."""
    name, k = event
    enters = laid[name].iterations[k].enters
    return times[name, k - 1] + enters - laid[name].iterations[k - 1].enters if k > 0 else enters


def _told(
    graph: StageGraph,
    laid: Mapping[str, _Walker],
    ends: Mapping[str, tuple[list[tuple[Event, int]], list[tuple[Event, int]]]],
    needs: Mapping[Event, list[tuple[Event, int, str, bool]]],
    times: Mapping[Event, int],
) -> Walked:
    """Waits, peaks and fills that follow from the times."""
    waiting = {name: [0] * len(walker.last) for name, walker in laid.items()}
    held = {name: [0] * len(walker.last) for name, walker in laid.items()}
    writer_blocked = dict.fromkeys(graph.fifo, 0)
    reader_waited = dict.fromkeys(graph.fifo, 0)
    for (name, k), at in times.items():
        walker, free = laid[name], _free(laid, times, (name, k))
        item, come = walker.iterations[k].item, free
        for other, lag, fifo, room in needs[name, k]:
            wait = times[other] + lag - free
            (writer_blocked if room else reader_waited)[fifo] += max(0, wait)
            come = come if room else max(come, free + wait)
        waiting[name][item] += come - free
        held[name][item] += at - come
        walker.entered.append(at)
    for walker in laid.values():
        walker.entered.sort()
        leaving = [k for k in walker.leaving if k < len(walker.entered)]
        walker.left = [walker.entered[k] + walker.iterations[k].leaves - walker.iterations[k].enters for k in leaving]
    peak, fill = {}, {}
    for queue in graph.fifos:
        writes, reads = ([times[e] + lag for e, lag in side if e in times] for side in ends[queue.name])
        held_at = [queue.initial + sum(w <= t for w in writes) - sum(r <= t for r in reads) for t in writes]
        peak[queue.name] = max([queue.initial, *held_at])
        fill[queue.name] = queue.initial + len(writes) - len(reads)
    count = max(len(walker.last) for walker in laid.values())
    return Walked(
        len(times) < len(needs),
        {name: _first(walker, count) for name, walker in laid.items()},
        {name: _last(walker, count) for name, walker in laid.items()},
        waiting,
        held,
        peak,
        writer_blocked,
        reader_waited,
        fill,
    )
