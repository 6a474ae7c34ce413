"""How many items a stage may be ahead of another: the start tokens of dataflow hardware as FIFOs of the graph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from neuromorph.errors import MappingError

from .graph import Fifo, Loop, Run, StageGraph


def with_starts(graph: StageGraph, pairs: Iterable[tuple[str, str]], ahead: int = 2) -> StageGraph:
    """The graph in which a stage begins an item only when a later stage has ended the one that is `ahead` before it.

    High-level synthesis gives processes FIFOs of start tokens, 2 or more deep: the process before fills one as it
    begins an item, and it empties as the reader has taken the item in. So one cannot be further ahead of the other,
    whatever the FIFOs of data would hold. Each token costs both stages a cycle of an item.

    Parameters
    ----------
    graph : StageGraph
    pairs : iterable of (str, str)
        Names of stages: who must not be too far ahead, and of whom.
    ahead : int
        Items, at least 1.

    Raises
    ------
    MappingError
        A stage that the graph does not have, or `ahead` below 1.
    """
    if ahead < 1:
        raise MappingError(f"pipeline {graph.name!r}: stages may be {ahead} items ahead; at least 1")
    stages, fifos = dict(graph.stage), list(graph.fifos)
    for first, later in pairs:
        for name in (first, later):
            if name not in stages:
                raise MappingError(f"pipeline {graph.name!r}: there is no stage {name!r}", name=name)
        told = f"{first} starts before {later}"
        fifos.append(Fifo(told, ahead + 1, 1, initial=ahead))
        begin = stages[first]
        takes = Loop((Run(1, (len(begin.inputs),)),))
        stages[first] = replace(begin, inputs=(*begin.inputs, told), loops=(takes, *begin.loops))
        end = stages[later]
        gives = Loop((Run(1, (), (len(end.outputs),)),))
        stages[later] = replace(end, outputs=(*end.outputs, told), loops=(*end.loops, gives))
    return replace(graph, stages=tuple(stages.values()), fifos=tuple(fifos))
