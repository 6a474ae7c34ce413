"""From a lowered network to compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neuromorph.language.expr import Type
from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
from neuromorph.native import Kernel, compile_kernel
from neuromorph.network.synapses import Synapses
from neuromorph.progress import Progress, Silent

from .codegen import print_step
from .delivery import Stored, Traffic, store
from .layout import Layout, layout_of
from .plastic.compile import compile_plastic
from .replay import kernel_name
from .schedule import Compiled, fixed_kernel


def compile_network(
    lowered: LoweredNetwork, progress: Progress | None = None, stored: Sequence[Stored] | None = None
) -> Compiled:
    """Print and compile a kernel for each population and each kind of projection; kernels of equal text are shared.

    Parameters
    ----------
    stored : sequence of Stored, optional
        The projections, if they were stored while they were built; default: those of ``lowered``, which it keeps.
    """
    progress = progress or Silent()
    if stored is None:
        given = lowered.projections
        stored = [store(each, traffic_of(lowered.populations, lowered.dtype, each)) for each in given]
    layouts, steps = [], []
    for population in lowered.populations:
        layout, kernel = compile_step(population, progress)
        layouts.append(layout)
        steps.append(kernel)
    needed = {
        "drive": True,
        "record_events": any(population.record_events for population in lowered.populations),
        "record_state": any(population.record_states for population in lowered.populations),
    }
    for name in (name for name, used in needed.items() if used):
        progress.stage(f"compiling engine kernel {name}")
        fixed_kernel(name)
    deliveries = tuple(
        compile_kernel(each.form.source(each.traffic), f"delivery: {each.form}", progress) for each in stored
    )
    return Compiled(
        populations=lowered.populations,
        layouts=tuple(layouts),
        steps=tuple(steps),
        projections=tuple(stored),
        deliveries=deliveries,
        dtype=lowered.dtype,
        seed=lowered.seed,
        plastic=tuple(compile_plastic(each, lowered.populations, progress) for each in lowered.plastic),
        readings=lowered.readings,
    )


def compile_step(population: LoweredPopulation, progress: Progress, lanes: int = 1) -> tuple[Layout | None, Kernel]:
    """Layout and kernel of a population; a source has no layout, and replays its events or takes them from another.

    ``lanes`` elements of the population belong to each neuron.
    """
    if population.replay is not None:
        return None, fixed_kernel(kernel_name(population.replay))
    if population.follows is not None:
        return None, fixed_kernel("follow")
    assert population.program is not None  # one of the three is always there
    recorded = (*(name for name, _ in population.record_states), *population.seen)
    layout = layout_of(population.program, population.size, recorded, lanes)
    return layout, compile_kernel(print_step(population.program, layout), f"population {population.name}", progress)


def traffic_of(populations: Sequence[LoweredPopulation], dtype: str, synapses: Synapses) -> Traffic:
    """What passes through a projection: values of the source's events, sums of the target's port."""
    program = populations[synapses.post].program
    assert program is not None
    sums = dtype if program.ports[synapses.port].type == Type.FLOAT else "int64"
    return Traffic(dtype if populations[synapses.pre].graded else "", sums)


def with_populations(compiled: Compiled, changed: dict[int, LoweredPopulation], progress: Progress) -> Compiled:
    """The same network with other populations at some places; projections stay, unless their kind changes."""
    populations, layouts, steps = list(compiled.populations), list(compiled.layouts), list(compiled.steps)
    for k, population in changed.items():
        populations[k] = population
        layouts[k], steps[k] = compile_step(population, progress)
    return replace(compiled, populations=tuple(populations), layouts=tuple(layouts), steps=tuple(steps))


def with_plastic(compiled: Compiled, number: int, lowered: PlasticProjection) -> Compiled:
    """The same network with other values in a plastic projection, whose kernels stay."""
    made = replace(compiled.plastic[number], lowered=lowered)
    return replace(compiled, plastic=(*compiled.plastic[:number], made, *compiled.plastic[number + 1 :]))
