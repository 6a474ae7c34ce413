"""What was learned, as a network again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuromorph.language.neuron import Neuron
from neuromorph.network.builders import build_projection
from neuromorph.network.network import Network
from neuromorph.network.population import Population
from neuromorph.network.projection import Projection
from neuromorph.network.rules import Conv1D, Conv2D, Dense, Sparse
from neuromorph.network.sources import Lookup
from neuromorph.train.modules.parameters import PopulationValues
from neuromorph.train.modules.sources import SourceRows
from neuromorph.train.modules.weights import ProjectionWeights
from neuromorph.train.recipes.pruning import kept
from neuromorph.units import Quantity, metre


def returned(
    network: Network,
    dt: float,
    values: Sequence[PopulationValues | SourceRows],
    weights: Sequence[ProjectionWeights],
) -> Network:
    """A network equal to `network` but with the values that its module has now."""
    made = Network(network.seed, network.name)
    for population, own in zip(network.populations, values, strict=True):
        made.population(
            _model(population, own),
            population.shape,
            population.name,
            _positions(population),
            population.record_events,
        )
    for projection, module in zip(network.projections, weights, strict=True):
        rule, weight, delay = _connected(projection, module, network.seed, dt)
        post = made.populations[projection.post.index].port(projection.port)
        made.project(made.populations[projection.pre.index], post, rule, weight, delay, projection.name)
    made.recordings = network.recordings
    return made


def _positions(population: Population) -> Any:
    placed = population.coordinates
    return placed * metre if placed is not None and population.positions_in_metres else placed


def _model(population: Population, own: PopulationValues | SourceRows) -> Any:
    if isinstance(own, SourceRows):
        if not isinstance(population.neuron, Lookup):
            return population.neuron
        return replace(population.neuron, table=own.table.detach().cpu().numpy())
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    given = {}
    units = {p.name: p.unit for p in neuron.params} | {s.name: s.unit for s in neuron.states}
    for name, value in own.given().items():
        unit = units[name]
        given[name] = Quantity(value.detach().double().cpu().numpy(), unit.dim, unit)
    return neuron(**given)


def _connected(projection: Projection, module: ProjectionWeights, seed: int, dt: float) -> tuple[Any, Any, Any]:
    """Rule, weight and delay of a projection."""
    if "weight" in module._buffers:
        return projection.rule, projection.weight, projection.delay
    unit = projection.port_spec.unit
    array = module.effective().detach().cpu().numpy()
    learned: Any = array if unit.dim.is_none else Quantity(array.astype(np.float64), unit.dim, unit)
    rule = projection.rule
    if array.ndim == 0 and getattr(rule, "weights", None) is None:
        return rule, float(array) if unit.dim.is_none else learned, projection.delay
    if isinstance(rule, Conv2D | Conv1D):
        return replace(rule, kernel=learned), None, projection.delay
    mask = kept(module)
    if module.dense and array.ndim == 2 and mask is None:
        return Dense(learned), None, projection.delay
    synapses = build_projection(projection, seed, dt)
    if synapses.row_ptr is None or synapses.targets is None:
        sources, targets = (each.ravel() for each in np.indices((synapses.n_pre, synapses.n_post)))
    else:
        sources = np.repeat(np.arange(synapses.n_pre), np.diff(synapses.row_ptr))
        targets = synapses.targets.astype(np.int64)
    delays = np.broadcast_to(synapses.delays, sources.shape).astype(np.int64)
    each = np.broadcast_to(array.ravel() if array.ndim else array, sources.shape)
    if mask is not None and mask.ndim:
        # what was pruned is no synapse any more
        stays = mask.cpu().numpy().ravel()
        sources, targets, delays, each = (column[stays] for column in (sources, targets, delays, each))
    values: Any = each if unit.dim.is_none else Quantity(each.astype(np.float64), unit.dim, unit)
    return Sparse((sources, targets, values, delays)), None, None
