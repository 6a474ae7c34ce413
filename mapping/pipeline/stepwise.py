"""The definition of a pipeline's timing: every stage, every cycle, in plain Python.

For small cases and as a check: :func:`.simulate.simulate` must give the same numbers. A stage counts *ticks*, cycles in
which it makes progress:

- Iteration k of a loop enters one interval of ticks after iteration k - 1, reads its tokens as it enters, and writes as
  it leaves, ``depth - 1`` ticks later. A loop begins as the interval of the last iteration before it is over, an item
  ``restart`` ticks after that; a loop that writes never begins so early that it would overtake the loop before.
- A tick of entering happens when the tokens are there and what leaves at an earlier tick has left. In the cycle after
  it was written a token can be read; in the cycle after it was read its place is free.
- A ``rigid`` pipeline moves as one: what enters and what leaves at a tick of a loop do so in one cycle, and a loop that
  waits for a token holds what is in flight. Once its last iteration has entered, a loop drains. In an ``ideal``
  pipeline what has entered moves on by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .graph import Stage, StageGraph


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

    def moved(self, tick: int, before: int, *, through: bool) -> int:
        """Cycles by which what left before a tick (or at it) was late; -1: it has not all left.

        Of the iterations up to `before`.
        """
        late = 0
        for at, k in enumerate(self.leaving):
            leaves = self.iterations[k].leaves
            if k >= before or leaves > tick or (leaves == tick and not through):
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
    graph: StageGraph, rooms: Mapping[str, int], items: int, *, restart: Mapping[str, int], ideal: bool = False
) -> Walked:
    """Run `items` items cycle by cycle.

    Parameters
    ----------
    graph : StageGraph
        Without open ends: every FIFO has a writer and a reader.
    rooms : mapping of str to int
        Tokens that each FIFO holds, register places included.
    items : int
    restart : mapping of str to int
        Ticks between items of each stage.
    ideal : bool
        The pipelines move on by themselves.
    """
    queues = {fifo.name: _Queue(rooms[fifo.name], fifo.grain, fifo.initial, peak=fifo.initial) for fifo in graph.fifos}
    walkers = {stage.name: _laid(stage, items, restart[stage.name]) for stage in graph.stages}
    cycle, stuck = 0, False
    while not stuck and any(
        len(w.entered) + len(w.left) < len(w.iterations) + len(w.leaving) for w in walkers.values()
    ):
        outcomes = [_cycle(walker, queues, cycle, ideal) for walker in walkers.values()]
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


def _laid(stage: Stage, items: int, restart: int) -> _Walker:
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
            count += 1
            last = tick - loop.interval
        lasts.append(last)
        tick += restart
    return _Walker(iterations, lasts)


def _cycle(walker: _Walker, queues: Mapping[str, _Queue], cycle: int, ideal: bool) -> bool:
    """Let a stage do what it can in a cycle; False: nothing, and nothing later unless others do something."""
    enter = walker.iterations[len(walker.entered)] if len(walker.entered) < len(walker.iterations) else None
    leave = walker.iterations[walker.leaving[len(walker.left)]] if len(walker.left) < len(walker.leaving) else None
    late = max(0, walker.entered[-1] - walker.iterations[len(walker.entered) - 1].enters) if walker.entered else 0
    left = walker.left[-1] - walker.iterations[walker.leaving[len(walker.left) - 1]].leaves if walker.left else 0
    together = (
        not ideal and enter is not None and leave is not None and enter.loop == leave.loop
    ) and enter.enters == leave.leaves
    moved, soon = False, False

    def leaves() -> bool:
        """The next iteration leaves, or could but for room, or later."""
        nonlocal moved, soon
        since = None if leave is None or together else _since(walker, leave, ideal)
        if leave is None or since is None:
            return False
        due = leave.leaves + max(left, since)
        soon |= cycle < due
        if cycle >= due and _flows(queues, (), leave.writes):
            walker.left.append(cycle)
            moved = True
        return True

    tried = leaves()
    if enter is not None:
        before = walker.moved(enter.enters, len(walker.entered), through=not together)
        if before >= 0:
            due = enter.enters + max(late, before)
            soon |= cycle < due
            if cycle >= due:
                writes = leave.writes if together and leave is not None else ()
                missing = any(not queues[name].ready() for name in enter.reads)
                walker.waiting[enter.item] += missing
                if _flows(queues, enter.reads, writes):
                    walker.entered.append(cycle)
                    if together:
                        walker.left.append(cycle)
                    moved = True
    if not tried:
        leaves()  # it may have entered just now, if its depth is 1
    return moved or soon


def _since(walker: _Walker, leave: _Iteration, ideal: bool) -> int | None:
    """Cycles by which the entering that an iteration waits for was late; None: it has not happened."""
    if ideal:
        k = walker.leaving[len(walker.left)]
    else:
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
        late = max(
            [at - one.enters for one, at in entered if one.enters <= tick]
            + [walker.moved(tick, len(walker.iterations), through=True)]
        )
        held.append(late - before - walker.waiting[item])
        before = late
    return held
