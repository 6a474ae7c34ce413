"""From rules to synapses: builders, compiled, seeded, and the same for any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuromorph.errors import NetworkError
from neuromorph.network.builders.assemble import delays_of, weights_of
from neuromorph.network.builders.parallel import available_threads
from neuromorph.network.forecast import forecast
from neuromorph.network.network import Network
from neuromorph.network.projection import Projection
from neuromorph.network.rules.rule import Stream
from neuromorph.network.synapses import Synapses
from neuromorph.network.values import seconds

if TYPE_CHECKING:
    from neuromorph.progress import Progress
    from neuromorph.units import Quantity

__all__ = ["build", "build_projection"]

SMALL = 1 << 18  # pairs below which starting threads takes longer than they save


def build(
    network: Network,
    dt: Quantity | float,
    *,
    dtype: str = "float32",
    threads: int | None = None,
    allow_memory: bool = False,
    progress: Progress | None = None,
) -> tuple[Synapses, ...]:
    """Make every projection's synapses.

    Parameters
    ----------
    network : Network
    dt : Quantity or float
        The step; seconds if a plain number.
    dtype : {"float32", "float64"}
        Type of the weights of float ports.
    threads : int, optional
        Default: every core this process may use. The result does not depend on it.
    allow_memory : bool
        Try even if the forecast says that the memory will not suffice.
    progress : Progress, optional
        Told of each projection.

    Raises
    ------
    NetworkError
        If a delay does not suit ``dt``, or the forecast exceeds the memory at hand.
    """
    step = seconds(dt)
    if not allow_memory:
        forecast(network, step, dtype).require()
    workers = available_threads() if threads is None else threads
    if workers < 1:
        raise NetworkError(f"network {network.name}: threads={threads}; give an int of at least 1")
    built = []
    if progress is not None:
        progress.stage(f"building {network.name}", len(network.projections))
    for projection in network.projections:
        built.append(build_projection(projection, network.seed, step, dtype, workers))
        if progress is not None:
            progress.advance()
    return tuple(built)


def build_projection(
    projection: Projection, seed: int, dt: float, dtype: str = "float32", threads: int = 1
) -> Synapses:
    """Make one projection's synapses; ``dt`` in seconds. Other arguments as in :func:`build`."""
    pre, post = projection.pre, projection.post
    if projection.synapse is not None:
        dtype = "float64"  # plastic weights are converted to another unit and rounded once, after that
    stream = Stream(seed, projection.index, threads if pre.size * post.size > SMALL else 1)
    made = projection.rule.connect(pre, post, stream)
    arrays: dict[str, Any] = {
        "row_ptr": made.row_ptr,
        "targets": made.targets,
        "weights": weights_of(projection, made, stream, dtype),
        "weight_index": made.weight_index,
        "delays": delays_of(projection, made, stream, dt),
    }
    return Synapses(
        name=projection.name,
        index=projection.index,
        pre=pre.index,
        post=post.index,
        port=projection.port_index,
        n_pre=pre.size,
        n_post=post.size,
        **arrays,
    )
