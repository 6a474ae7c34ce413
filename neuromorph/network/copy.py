"""A network again, with other neurons or sources in some of its populations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neuromorph.network.network import Network
from neuromorph.network.population import Population


def with_neurons(network: Network, neurons: Mapping[str, Any]) -> Network:
    """The same network, names, connections and recordings, with other neurons in the populations named.

    Parameters
    ----------
    network : Network
    neurons : mapping of str to Neuron, EventSource, Live or Lookup
        With the ports and, for sources, the size of what they replace.

    Raises
    ------
    NetworkError
        There is no population of a name.
    """
    for name in neurons:
        network[name]
    made = Network(network.seed, network.name)
    made.populations = tuple(replace(p, neuron=neurons.get(p.name, p.neuron)) for p in network.populations)

    def same(population: Population) -> Population:
        return made.populations[population.index]

    made.projections = tuple(
        replace(
            j,
            pre=same(j.pre),
            post=same(j.post),
            third=None if j.third is None else same(j.third),
            events={path: same(population) for path, population in j.events.items()},
        )
        for j in network.projections
    )
    made.readings = tuple(replace(r, pre=same(r.pre), post=same(r.post)) for r in network.readings)
    made.recordings, made.synapse_recordings = network.recordings, network.synapse_recordings
    return made
