"""From a lowered plastic projection to compiled kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredPopulation
from neuromorph.native import Kernel, compile_kernel
from neuromorph.progress import Progress

from .codegen import print_plastic, reads_sources
from .kernel import PlasticKind


@dataclass(frozen=True)
class CompiledPlastic:
    """A plastic projection and its kernels: those that it has of :func:`.codegen.print_plastic`."""

    lowered: PlasticProjection
    kind: PlasticKind
    kernels: Mapping[str, Kernel]


@cache
def plastic_kernel(name: str) -> Kernel:
    """One of the kernels that do not depend on the model."""
    source = Path(__file__).with_name("fixed.py").read_text()
    return compile_kernel(source, f"plastic kernel {name}", name=name)


def compile_plastic(
    lowered: PlasticProjection,
    populations: Sequence[LoweredPopulation],
    progress: Progress | None = None,
) -> CompiledPlastic:
    """Print and compile the kernels of a plastic projection.

    Parameters
    ----------
    populations : sequence of LoweredPopulation
        Of the network.
    """
    kind = kind_of(lowered, populations)
    if lowered.records:
        plastic_kernel("record_picked")  # now, and not in the run
    kernels = {
        name: compile_kernel(source, f"{name} of {lowered.model}", progress)
        for name, source in print_plastic(lowered.program, kind).items()
    }
    return CompiledPlastic(lowered, kind, kernels)


def kind_of(lowered: PlasticProjection, populations: Sequence[LoweredPopulation]) -> PlasticKind:
    """What decides the code of a plastic projection."""
    program = lowered.program
    source = ""
    if reads_sources(program):
        source = "uint16" if lowered.n_pre <= 1 << 16 else "uint32"
    ends = tuple(
        "one" if v.end == "third" and populations[v.population].size == 1 and lowered.n_post != 1 else v.end
        for v in lowered.views
    )
    paths = tuple(zip(program.paths, lowered.routes, strict=True))
    return PlasticKind(
        dtype=next(u.program.dtype for u in program.updates()) if program.updates() else str(lowered.initial[0].dtype),
        targets=str(lowered.targets.dtype),
        column=str(np.dtype(np.uint32 if lowered.count < 1 << 32 else np.uint64)),
        source=source,
        graded=populations[lowered.pre].graded,
        scaled=lowered.scale != 1.0,
        ends=ends,
        listed=tuple(path.end == "pre" and any(g.index is not None for g in groups) for path, groups in paths),
        apart=any(rows.index is not None for rows in lowered.rows),
    )
