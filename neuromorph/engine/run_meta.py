"""What a trace says about the run that made it: the network, its units and the versions of everything involved."""

from __future__ import annotations

import platform
from functools import cache
from typing import TYPE_CHECKING, Any

from neuromorph.lowering.program import LoweredNetwork

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.trace import Recording, RunMeta


def run_meta(network: Network, lowered: LoweredNetwork, steps: int, first_step: int = 0, **provenance: Any) -> RunMeta:
    """Facts of a run of ``steps`` steps, for a sink.

    Parameters
    ----------
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
        provenance={"versions": versions(), "network": network.text(), "hash": network.hash, **provenance},
        recorded=tuple(population.name for population in lowered.populations if population.record_events),
        first_step=first_step,
    )


def recordings(network: Network, lowered: LoweredNetwork) -> dict[tuple[str, str], Recording]:
    """Unit, scale and interval of every recorded state and named intermediate."""
    from neuromorph.trace import Recording
    from neuromorph.units import si_unit

    result = {}
    for population, made in zip(network.populations, lowered.populations, strict=True):
        slots = {slot.name: (slot.unit, slot.scale) for slot in (made.program.states if made.program else ())}
        named = {name: (si_unit(expr.dim).name, 1.0) for name, expr in population.neuron.named}
        for variable, every in made.record_states:
            unit, scale = slots[variable] if variable in slots else named[variable]
            result[population.name, variable] = Recording(unit, scale, every)
    return result


@cache
def versions() -> dict[str, str]:
    """Versions of what computes."""
    from importlib.metadata import version

    return {"python": platform.python_version()} | {name: version(name) for name in ("neuromorph", "numpy", "numba")}
