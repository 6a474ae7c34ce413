"""Cycles of plastic synapses on a PE, from the operations of their equations: a model, for none are published.

An event that acts costs the operations of its neuron's equations, and for each synapse that it visits as much as a
synaptic event of a synapse that does not change, plus the operations, loads and stores of the synapse's equations. What
moves by itself costs its operations and a loop in every step, for every synapse or neuron of the PE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.engine.plastic.codegen import reads_sources
from neuromorph.engine.plastic.kernel import needed_ops
from neuromorph.lowering.plastic import Path, PlasticProjection, Update
from neuromorph.lowering.program import LoweredNetwork

from ...constants import Constants
from ..costs import cycles_of

if TYPE_CHECKING:
    from ..image import Image
    from ..map import Mapping
    from .spread import Spread

Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PathCosts:
    """Cycles of a path's event.

    Attributes
    ----------
    applied : bool
        Its synapses are synaptic events of the projection, which are charged as such; ``visit`` comes on top.
    visit : int
        For each synapse that it visits.
    event : int
        For the neuron at the path's end.
    """

    applied: bool
    visit: int
    event: int


@dataclass(frozen=True)
class PlasticWork:
    """Cycles of all plastic projections of a mapped network.

    Attributes
    ----------
    cycles : int64 (parts,)
        In every step.
    returned : int64 (parts,)
        At the events of the targets, if all of them fire.
    counter_cycles : int64 (counters,)
        Of what is counted while it runs: for each projection and path, synapses visited and events.
    """

    cycles: Int64
    returned: Int64
    counter_cycles: Int64


def plastic_work(mapped: Mapping, image: Image, spreads: Sequence[Spread]) -> PlasticWork:
    """What plastic projections cost that are spread over the parts."""
    constants = mapped.machine.constants
    cycles, returned = np.zeros(mapped.parts, np.int64), np.zeros(mapped.parts, np.int64)
    each: list[int] = []
    for plastic, spread in zip(mapped.lowered.plastic, spreads, strict=True):
        synapses = np.diff(image.rows[plastic.index].image_begin)
        sources = np.bincount(spread.part[spread.part >= 0], minlength=mapped.parts)
        targets = image.slices[plastic.post].held
        cycles += step_cycles(plastic, synapses, sources, targets, constants)
        for path in plastic.program.paths:
            costs = path_costs(plastic, path, constants)
            each += [costs.visit, costs.event]
            if path.end == "post":
                returned += synapses * costs.visit + targets * costs.event
    return PlasticWork(cycles, returned, np.array(each, np.int64))


def source_cycles(plastic: PlasticProjection, constants: Constants) -> tuple[int, int]:
    """What an event of a source costs on all its paths, besides synaptic events: for each synapse, and for itself."""
    costs = [path_costs(plastic, path, constants) for path in plastic.program.paths if path.end == "pre"]
    return sum(each.visit for each in costs), sum(each.event for each in costs)


def target_work(lowered: LoweredNetwork, constants: Constants, rates: Sequence[Floats]) -> Floats:
    """Cycles that plastic synapses are expected to take in a step for each neuron, float64 (n,).

    Synaptic events excepted, and what belongs to sources, whose PEs are not known yet.

    Parameters
    ----------
    rates : sequence of arrays (size,)
        Expected events a step, by population.
    """
    work = [np.zeros(population.size) for population in lowered.populations]
    for plastic in lowered.plastic:
        incoming = np.bincount(plastic.targets, minlength=plastic.n_post)
        visit, _ = source_cycles(plastic, constants)
        work[plastic.post] += step_cycles(
            plastic, incoming, np.zeros_like(incoming), np.ones_like(incoming), constants
        ) + visit * np.bincount(plastic.targets, rates[plastic.pre][plastic.sources()], plastic.n_post)
        for path in plastic.program.paths:
            if path.end == "post":
                costs = path_costs(plastic, path, constants)
                work[plastic.post] += rates[plastic.post] * (incoming * costs.visit + costs.event)
    return np.concatenate([np.zeros(0), *work])


def path_costs(plastic: PlasticProjection, path: Path, constants: Constants) -> PathCosts:
    """What an event of a path costs besides receiving it."""
    applied = path.name == "on_pre" and visits(path)
    update = path.updates.get("synapse")
    visit = 0 if applied or not visits(path) else constants.count("cycles.synaptic_event")
    if update is not None:
        visit += _update_cycles(update, constants)
        if path.end == "post":  # its number in the target's list, and its source
            visit += constants.count("cycles.load") * (1 + reads_sources(plastic.program))
    own = path.updates.get(path.end)
    return PathCosts(applied, visit, 0 if own is None else _update_cycles(own, constants))


def visits(path: Path) -> bool:
    """Whether events of a path visit synapses at all."""
    return path.delivers or "synapse" in path.updates


def step_cycles(
    plastic: PlasticProjection, synapses: Int64, sources: Int64, targets: Int64, constants: Constants
) -> Int64:
    """Cycles that each part spends in every step, int64 (parts,).

    Parameters
    ----------
    synapses, sources, targets : int64 (parts,)
        That the part holds of the projection.
    """
    total = np.zeros(len(synapses), np.int64)
    advance = plastic.program.advance
    for place, count in (("synapse", synapses), ("pre", sources), ("post", targets)):
        update = advance.get(place)  # type: ignore[call-overload]
        if update is not None:
            total += count * (_update_cycles(update, constants) + constants.count("cycles.neuron"))
    if plastic.program.every is not None:
        total += synapses * (_update_cycles(plastic.program.every, constants) + constants.count("cycles.neuron"))
    return total


def _update_cycles(update: Update, constants: Constants) -> int:
    """Operations, loads and stores of an update once, and what its outputs add to the sums."""
    each = sum(cycles_of(update.program, needed_ops(update), constants, port=("load",)).values())
    add = sum(constants.count(f"cycles.{name}") for name in ("load", "float_add", "store"))
    return each + len(update.changed) * constants.count("cycles.store") + len(update.program.observables) * add
