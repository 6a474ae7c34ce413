"""Which synapses the events of each path of a plastic projection reach, and after how many steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.lowering.plastic import Group, Path, PlasticProjection
from neuromorph.network.conduction import DistanceDelay
from neuromorph.network.distributions import Distribution
from neuromorph.network.values import delay_steps, magnitude

if TYPE_CHECKING:
    from neuromorph.network.projection import Projection


def has_one_delay(given: Any) -> bool:
    """Whether all synapses have the same delay."""
    if isinstance(given, Distribution | DistanceDelay):
        return False
    numbers = np.asarray(magnitude(1 if given is None else given))
    return bool(numbers.size == 0 or np.all(numbers == numbers.flat[0]))


def routes(projection: Projection, made: PlasticProjection, dt: float) -> tuple[tuple[Group, ...], ...]:
    """The groups of each path of a projection that is built but for them.

    Parameters
    ----------
    dt : float
        Seconds.

    Raises
    ------
    NetworkError
        A delay that is no number of steps, or delays that are not one for each synapse.
    """
    return tuple(_route(projection, made, path, dt) for path in made.program.paths)


def _route(projection: Projection, made: PlasticProjection, path: Path, dt: float) -> tuple[Group, ...]:
    late, given = made.program.late, projection.delays.get(path.name)
    if path.name == "on_pre" or (given is None and path.end == "pre"):
        return tuple(Group(rows.delay - late, rows.row_ptr) for rows in made.rows)
    subject = f"projection {projection.name}: delay of {path.name}"
    steps = np.asarray(1 if given is None else delay_steps(subject, np.asarray(magnitude(given)), dt), np.int64)
    if steps.ndim == 0:
        lag = int(steps) - 1 if late else 0
        if path.end == "post":
            return (Group(lag),)
        return tuple(Group(lag, rows.row_ptr) for rows in made.rows)
    if steps.shape != (made.count,):
        raise NetworkError(
            f"{subject}: {steps.size} values; give one, or one for each of its {made.count} synapses in their order",
            expected=made.count,
            got=steps.size,
        )
    delays = np.unique(steps)[::-1]
    return tuple(_listed(made, path, int(delay) - 1, np.flatnonzero(steps == delay)) for delay in delays)


def _listed(made: PlasticProjection, path: Path, lag: int, members: npt.NDArray[np.int64]) -> Group:
    """Some synapses by the neuron at the path's end; those of one source by their targets."""
    sources, targets = made.sources()[members], made.targets[members].astype(np.int64)
    ends, size = (sources, made.n_pre) if path.end == "pre" else (targets, made.n_post)
    order = np.lexsort((targets, ends))
    counts = np.bincount(ends, minlength=size)
    return Group(lag, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), members[order])
