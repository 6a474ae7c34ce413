"""Three grains of one pipeline: the same stages, joined by small FIFOs, by whole tensors, or by each where it serves.

hybrid
    As the design says: small FIFOs wherever an operator can begin with part of a tensor, room for a whole one only
    where it cannot (attention reads K and V once for every token), and FIFOs deep enough not to slow it down.
fine
    Nothing but streams: no FIFO is deeper than a few tokens unless it would deadlock, and then it has the smallest
    depth that does not. What a stage keeps to itself (the K and V that attention reads again) stays, because the
    arithmetic needs it. A FIFO beside a longer way to the same stage still holds what that way holds back: here Q and
    the residual.
coarse
    Operator by operator: the tensor between two operators is handed over when it is complete, through a ping-pong
    buffer of twice its size. One that skips operators waits for as long as they take: a tensor more for each. Inside
    an operator, streams stay.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, progress_for

from .deadlock import DeadlockError
from .graph import Loop, Run, Stage, StageGraph
from .names import alike
from .simulate import simulate
from .timing import RULES, Rules, Timing

STREAM_DEPTH = 2
"""Tokens of the smallest FIFO that lets its writer and its reader work in every cycle."""


# ------------------------------------------------------------------------------------------------------------ fine
def fine(
    graph: StageGraph, depth: int = STREAM_DEPTH, rules: Rules = RULES, *, progress: bool | Progress = False
) -> StageGraph:
    """Streams only: no FIFO deeper than ``depth``, or than the smallest depth that does not deadlock where that would.

    Depths are looked for in the parts of the graph between FIFOs that all data go through, by simulating one item;
    FIFOs whose names differ in numbers only get the same. Where several FIFOs in a row could hold what must be held,
    the one that is deepest in ``graph`` does. No FIFO gets deeper than it is in ``graph`` unless it must. Inputs,
    outputs and delays stay as they are.

    Parameters
    ----------
    graph : StageGraph
    depth : int
        Tokens, at least :data:`STREAM_DEPTH`.
    rules : Rules
        How stages and FIFOs behave: register places of FIFOs hold tokens, too. Pipelines must not be continuous, as
        streams have no room for what such ones hold back of an item until the next one comes.
    progress : bool or Progress
        True: a bar on a terminal.

    Raises
    ------
    MappingError
        A depth that is too small, or continuous pipelines.
    DeadlockError
        No depths help, or ``graph`` itself deadlocks.
    """
    if depth < STREAM_DEPTH:
        raise MappingError(f"fine pipeline of {graph.name!r}: depth {depth}; at least {STREAM_DEPTH}")
    if rules.pipelines == "continuous":
        raise MappingError(
            f"fine pipeline of {graph.name!r}: continuous pipelines hold the end of an item back until the next one "
            "comes, and streams have no room for it; give it rules.emptied()"
        )
    found = {f.name: max(STREAM_DEPTH, min(depth, f.depth)) for f in graph.fifos if f.name in set(_joints(graph))}
    streams = replace(graph, fifos=tuple(replace(f, grain=1) if f.name in found else f for f in graph.fifos))
    known: dict[object, list[int]] = {}
    parts = _parts(streams)
    with progress_for(progress) as shown:
        shown.stage(f"{graph.name}: smallest FIFOs", len(parts))
        for part in parts:
            names, shape = _joints(part), _shape(part)
            if shape not in known:
                depths = _smallest(part, {name: found[name] for name in names}, rules)
                known[shape] = [depths[name] for name in names]
            found |= dict(zip(names, known[shape], strict=True))
            shown.advance()
    return streams.with_depths(found)


def _joints(graph: StageGraph) -> list[str]:
    """FIFOs whose depths may be changed: neither inputs nor outputs nor delays."""
    return [f.name for f in graph.fifos if f.name in graph.writer and f.name in graph.reader and not f.initial]


def _smallest(graph: StageGraph, shallow: Mapping[str, int], rules: Rules) -> dict[str, int]:
    """Depths of the FIFOs of one part: those given, but where that deadlocks."""
    timing = simulate(graph, 1, rules)
    depths = dict(shallow)
    role = {name: those for _, those in alike(depths, str) for name in those}
    raised: list[list[str]] = []
    while (stuck := _stuck(timing, depths)) is not None:
        full = [name for name in stuck.full if name in depths and role[name] not in raised]
        if not full:
            raise stuck
        raised.append(role[max(full, key=lambda name: graph.fifo[name].depth)])
        depths |= {name: graph.tokens(name) for name in raised[-1]}
    for those in raised:
        depths |= dict.fromkeys(those, _least(timing, depths, those))
    return depths


def _least(timing: Timing, depths: Mapping[str, int], names: Sequence[str]) -> int:
    """The smallest depth of those FIFOs that does not deadlock; that which they have does not."""

    def works(depth: int) -> bool:
        return _stuck(timing, {**depths, **dict.fromkeys(names, depth)}) is None

    return STREAM_DEPTH + bisect_left(range(STREAM_DEPTH, max(depths[name] for name in names)), True, key=works)


def _stuck(timing: Timing, depths: Mapping[str, int]) -> DeadlockError | None:
    try:
        timing.retime(depths)
    except DeadlockError as error:
        return error
    return None


def _parts(graph: StageGraph) -> list[StageGraph]:
    """Pieces of the graph between FIFOs that all data go through; those of more than one stage."""
    before = _neighbours(graph)
    readers = {name: len(those) for name, those in _turned(before).items()}
    parts: list[StageGraph] = []
    piece: list[str] = []
    open_ends = 0
    for name in _sorted(graph, before):
        if open_ends == 1 and piece and len(before[name]) == 1:
            parts.append(_piece(graph, piece))
            piece = []
        piece.append(name)
        open_ends += readers[name] - len(before[name])
    parts.append(_piece(graph, piece))
    return [part for part in parts if len(part.stages) > 1]


def _piece(graph: StageGraph, names: Iterable[str]) -> StageGraph:
    """Some stages alone; FIFOs from and to the others become inputs and outputs that hand over token by token."""
    chosen = set(names)
    stages = tuple(stage for stage in graph.stages if stage.name in chosen)
    ends = Counter(name for stage in stages for name in (*stage.inputs, *stage.outputs))
    fifos = tuple(f if ends[f.name] == 2 else replace(f, grain=1) for f in graph.fifos if f.name in ends)
    return StageGraph(f"{graph.name}: {stages[0].name} to {stages[-1].name}", stages, fifos)


def _shape(graph: StageGraph) -> object:
    """What two pieces share whose stages do the same: loops, and which FIFO joins which."""
    number = {fifo.name: k for k, fifo in enumerate(graph.fifos)}
    stages = tuple(
        (stage.loops, tuple(number[name] for name in stage.inputs), tuple(number[name] for name in stage.outputs))
        for stage in graph.stages
    )
    return stages, tuple((fifo.depth, fifo.initial, fifo.grain) for fifo in graph.fifos)


# ---------------------------------------------------------------------------------------------------------- coarse
def one_by_one(graph: StageGraph, rules: Rules = RULES) -> int:
    """When the first item of a coarse pipeline is through, put together from its operators.

    The longest path through them, where each counts from when the tensor of one operator before it is complete to its
    own last token, all other tensors being there already: what it can do with those is done by then. Each operator is
    simulated alone for that; equal ones once.

    Parameters
    ----------
    graph : StageGraph
        As :func:`coarse` gives it.
    rules : Rules
        How stages and FIFOs behave.

    Raises
    ------
    MappingError
        Operators that wait for one another in a circle.
    """
    unit = units(graph)
    members: dict[str, list[str]] = {}
    for stage, name in unit.items():
        members.setdefault(name, []).append(stage)
    known: dict[object, int] = {}
    done: dict[str, int] = {}
    for name, before in operators(graph, unit).items():
        piece = _piece(graph, members[name])
        ends = []
        for one in before:
            late = [f for f in piece.inputs if f in graph.writer and unit[graph.writer[f].name] == one]
            waiting, cycles = _waiting(piece, late)
            shape = _shape(waiting)
            if shape not in known:
                known[shape] = int(simulate(waiting, 1, rules).last_out[0]) - cycles + 1
            ends.append(done[one] + known[shape])
        done[name] = max(ends, default=0) or int(simulate(piece, 1, rules).latency[0]) + 1
    return max(done.values())


def _waiting(graph: StageGraph, late: Iterable[str]) -> tuple[StageGraph, int]:
    """The graph with some inputs that come only when all else has been done, and the cycles before they do."""
    cycles = sum(stage.trips + sum(loop.depth for loop in stage.loops) for stage in graph.stages)
    stages, fifos = list(graph.stages), list(graph.fifos)
    for name in late:
        loops = (Loop((Run(cycles),)), Loop((Run(graph.tokens(name), (0,), (0,)),)))
        stages.append(Stage(f"wait for {name}", "wait", loops, (f"{name} before",), (name,)))
        fifos.append(replace(graph.fifo[name], name=f"{name} before"))
    return StageGraph(graph.name, tuple(stages), tuple(fifos)), cycles


def coarse(graph: StageGraph) -> StageGraph:
    """Operator by operator: whole tensors in ping-pong buffers between operators, streams inside them.

    Operators are those of :func:`units`. A tensor that skips operators gets a tensor of room more for each operator
    that it skips, so that the interval stays that of the slowest operator. The FIFO that held it inside a residual
    connection only passes it on now, and gets :data:`STREAM_DEPTH`. Inputs and outputs of the graph stay as they are,
    and so do delays (``Fifo.initial``).

    Raises
    ------
    MappingError
        Operators that wait for one another in a circle.
    """
    unit = units(graph)
    level: dict[str, int] = {}
    for name, before in operators(graph, unit).items():
        level[name] = max((level[one] + 1 for one in before), default=0)
    passing = _passing(graph)
    fifos = []
    for fifo in graph.fifos:
        writer, reader = graph.writer.get(fifo.name), graph.reader.get(fifo.name)
        if writer is None or reader is None or fifo.initial:
            fifos.append(fifo)
            continue
        tokens, apart = graph.tokens(fifo.name), level[unit[reader.name]] - level[unit[writer.name]]
        if apart:
            fifo = replace(fifo, depth=(apart + 1) * tokens, grain=tokens)
        elif fifo.grain == 1 and fifo.depth >= max(tokens, STREAM_DEPTH) and {writer.name, reader.name} <= passing:
            fifo = replace(fifo, depth=STREAM_DEPTH)
        fifos.append(fifo)
    return replace(graph, fifos=tuple(fifos))


def units(graph: StageGraph) -> dict[str, str]:
    """What a coarse pipeline runs one after the other: the operator that each stage belongs to there, by stage.

    Operators are ``Stage.part_of``; stages that name none are operators of their own. An operator that keeps no
    activations and multiplies nothing only passes tokens on (requantisation, GeLU by table, copies, sums of a residual,
    splits and merges of heads): its stages belong to the last operator that they read from. An operator whose
    stages lie on both sides of another one counts as two.
    """
    unit = {stage.name: stage.part_of or stage.name for stage in graph.stages}
    passing = _passing(graph)
    before = _neighbours(graph)
    level: dict[str, int] = {}
    for name in _sorted(graph, before):
        behind = [one for one in before[name] if one in level]
        if name in passing and behind:
            unit[name] = unit[max(behind, key=lambda one: level[one])]
        level[name] = max((level[one] + (unit[one] != unit[name]) for one in behind), default=0)
    return _convex(unit, _turned(before))


def _passing(graph: StageGraph) -> set[str]:
    """Stages of operators that keep no activations and multiply nothing."""
    working = {
        stage.part_of or stage.name
        for stage in graph.stages
        if stage.products or any(memory.kind == "activations" for memory in stage.memories)
    }
    return {stage.name for stage in graph.stages if (stage.part_of or stage.name) not in working}


def _convex(unit: dict[str, str], after: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The same, but what an operator does with what others made of its own output is an operator of its own."""
    members: dict[str, set[str]] = {}
    for stage, name in unit.items():
        members.setdefault(name, set()).add(stage)
    waiting = deque(members.items())
    while waiting:
        name, own = waiting.popleft()
        late = own & _reached((n for one in own for n in after[one] if n not in own), after)
        if late and late != own:
            again = f"{name}'"
            unit.update(dict.fromkeys(late, again))
            waiting.append((again, late))
    return unit


def _neighbours(graph: StageGraph) -> dict[str, list[str]]:
    """Stages that each stage reads from, delays left out."""
    before: dict[str, list[str]] = {stage.name: [] for stage in graph.stages}
    for fifo in graph.fifos:
        if not fifo.initial and fifo.name in graph.writer and fifo.name in graph.reader:
            before[graph.reader[fifo.name].name].append(graph.writer[fifo.name].name)
    return before


def _turned(before: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, those in before.items():
        for one in those:
            after[one].append(name)
    return after


def _reached(starts: Iterable[str], after: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(starts)
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += after[one]
    return seen


def _sorted(graph: StageGraph, before: Mapping[str, Iterable[str]]) -> list[str]:
    """Names such that each comes after those that it waits for.

    Raises
    ------
    MappingError
        They wait for one another in a circle.
    """
    after = _turned(before)
    missing = {name: len(list(those)) for name, those in before.items()}
    ready = deque(name for name, count in missing.items() if not count)
    found: list[str] = []
    while ready:
        found.append(ready.popleft())
        for reader in after[found[-1]]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    if len(found) < len(missing):
        circle = sorted(set(missing) - set(found))
        raise MappingError(
            f"pipeline {graph.name!r} cannot go operator by operator: {', '.join(circle[:6])} wait for one another; "
            "name the operators (part_of) so that each one's input is complete before it begins",
            name=circle[0],
        )
    return found


def operators(graph: StageGraph, unit: Mapping[str, str]) -> dict[str, set[str]]:
    """Operators from first to last, each with those that it reads from.

    Raises
    ------
    MappingError
        Operators that wait for one another in a circle.
    """
    before: dict[str, set[str]] = {name: set() for name in unit.values()}
    for reader, writers in _neighbours(graph).items():
        before[unit[reader]] |= {unit[one] for one in writers} - {unit[reader]}
    return {name: before[name] for name in _sorted(graph, before)}
