"""From a lowered network to compiled kernels."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from neuromorph.language.expr import Type
from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation
from neuromorph.network.synapses import Synapses
from neuromorph.progress import Progress, Silent

from .cache import Kernel, compile_kernel
from .codegen import print_step
from .kernels import DeliveryKind, kind_of, print_delivery
from .layout import Layout, layout_of
from .plastic.compile import compile_plastic
from .schedule import Compiled, fixed_kernel


def compile_network(lowered: LoweredNetwork, progress: Progress | None = None) -> Compiled:
    """Print and compile a kernel for each population and each kind of projection; kernels of equal text are shared."""
    progress = progress or Silent()
    projections = tuple(_as_arrays(synapses) for synapses in lowered.projections)
    layouts, steps = [], []
    for population in lowered.populations:
        layout, kernel = compile_step(population, progress)
        layouts.append(layout)
        steps.append(kernel)
    for name in ("drive", "record_events", "record_state"):
        progress.stage(f"compiling engine kernel {name}")
        fixed_kernel(name)
    compiled = Compiled(
        populations=lowered.populations,
        layouts=tuple(layouts),
        steps=tuple(steps),
        projections=projections,
        deliveries=(),
        dtype=lowered.dtype,
        seed=lowered.seed,
        plastic=tuple(compile_plastic(each, lowered.populations, progress) for each in lowered.plastic),
    )
    deliveries = tuple(compile_delivery(compiled, synapses, progress) for synapses in projections)
    return replace(compiled, deliveries=deliveries)


def _as_arrays(synapses: Synapses) -> Synapses:
    """The same synapses as arrays whose elements follow one another: kernels read them by address."""
    return replace(
        synapses,
        row_ptr=None if synapses.row_ptr is None else np.asarray(synapses.row_ptr, order="C"),
        targets=None if synapses.targets is None else np.asarray(synapses.targets, order="C"),
        weights=np.asarray(synapses.weights, order="C"),
        weight_index=None if synapses.weight_index is None else np.asarray(synapses.weight_index, order="C"),
        delays=np.asarray(synapses.delays, order="C"),
    )


def compile_step(population: LoweredPopulation, progress: Progress, lanes: int = 1) -> tuple[Layout | None, Kernel]:
    """Layout and kernel of a population; a source has no layout and replays its events.

    ``lanes`` elements of the population belong to each neuron.
    """
    if population.program is None:
        return None, fixed_kernel("replay")
    recorded = (*(name for name, _ in population.record_states), *population.seen)
    layout = layout_of(population.program, population.size, recorded, lanes)
    return layout, compile_kernel(print_step(population.program, layout), f"population {population.name}", progress)


def compile_delivery(compiled: Compiled, synapses: Synapses, progress: Progress) -> Kernel:
    """Kernel of a projection."""
    kind = delivery_kind(compiled, synapses)
    return compile_kernel(_delivery_source(kind), f"delivery: {kind}", progress)


_delivery_source = lru_cache(maxsize=None)(print_delivery)


def delivery_kind(compiled: Compiled, synapses: Synapses) -> DeliveryKind:
    """What decides the code of a projection's delivery."""
    program = compiled.populations[synapses.post].program
    assert program is not None
    sums = compiled.dtype if program.ports[synapses.port].type == Type.FLOAT else "int64"
    return kind_of(synapses, compiled.dtype if compiled.graded(synapses.pre) else "", sums)


def with_populations(compiled: Compiled, changed: dict[int, LoweredPopulation], progress: Progress) -> Compiled:
    """The same network with other populations at some places; projections stay, unless their kind changes."""
    populations, layouts, steps = list(compiled.populations), list(compiled.layouts), list(compiled.steps)
    for k, population in changed.items():
        populations[k] = population
        layouts[k], steps[k] = compile_step(population, progress)
    return replace(compiled, populations=tuple(populations), layouts=tuple(layouts), steps=tuple(steps))
