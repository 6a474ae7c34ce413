"""What a trace says about the run that made it: the network, its units and the versions of everything involved."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import LoweredNetwork

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.trace import Recording, RunMeta


def run_meta(
    network: Network,
    lowered: LoweredNetwork,
    steps: int,
    first_step: int = 0,
    *,
    about: Mapping[str, Any] | None = None,
    **provenance: Any,
) -> RunMeta:
    """Facts of a run of ``steps`` steps, for a sink.

    Parameters
    ----------
    about : mapping, optional
        :func:`description` of the network when it was compiled; default: of what it is now.
    **provenance
        What the target adds, such as its own description.
    """
    from neuromorph.trace import RunMeta

    return RunMeta(
        network=network.name,
        dt=lowered.dt,
        steps=steps,
        seed=network.seed,
        populations={population.name: population.size for population in lowered.populations},
        states=recordings(network, lowered),
        provenance={"versions": versions(), **(about or description(network)), **provenance},
        recorded=tuple(population.name for population in lowered.populations if population.record_events),
        first_step=first_step,
        ids=_recorded_synapses(lowered),
    )


_described: WeakKeyDictionary[Network, tuple[tuple[Any, ...], dict[str, str]]] = WeakKeyDictionary()


def description(network: Network) -> dict[str, str]:
    """Text of a network and its hash; remembered, since arrays have to be digested for it."""
    parts = (network.populations, network.projections, network.recordings, network.synapse_recordings)
    known = _described.get(network)
    if known is None or any(a is not b for a, b in zip(known[0], parts, strict=True)):
        known = _described[network] = (parts, {"network": network.text(), "hash": network.hash})
    return known[1]


def recordings(network: Network, lowered: LoweredNetwork) -> dict[tuple[str, str], Recording]:
    """Unit, scale and interval of every recorded state and named intermediate."""
    from neuromorph.trace import Recording
    from neuromorph.units import si_unit

    result = {}
    for population, made in zip(network.populations, lowered.populations, strict=False):  # it may have grown since
        slots = {slot.name: (slot.unit, slot.scale) for slot in (made.program.states if made.program else ())}
        named = {name: (si_unit(expr.dim).name, 1.0) for name, expr in population.neuron.named}
        for variable, every in made.record_states:
            unit, scale = slots[variable] if variable in slots else named[variable]
            result[population.name, variable] = Recording(unit, scale, every)
    for plastic in lowered.plastic:
        for record in plastic.records:
            slot = plastic.program.states[record.state]
            unit, scale = slot.unit, slot.scale
            if record.state == plastic.program.weight:  # in the unit of the port, as it often is already
                spec = network.projections[plastic.index].port_spec.unit
                unit, scale = spec.name, spec.scale / plastic.scale
            result[plastic.name, slot.name] = Recording(unit, scale, record.every)
    return result


def _recorded_synapses(lowered: LoweredNetwork) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Which synapses or neurons are recorded of each state of a projection."""
    return {(p.name, p.program.states[r.state].name): r.indices for p in lowered.plastic for r in p.records}


@cache
def versions() -> dict[str, str]:
    """Versions of what computes."""
    from importlib.metadata import version

    return {"python": platform.python_version()} | {name: version(name) for name in ("neuromorph", "numpy", "numba")}
