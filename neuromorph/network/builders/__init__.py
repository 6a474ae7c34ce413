"""From rules to synapses: builders, compiled, seeded, and the same for any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.network.builders.assemble import delays_of, weights_of
from neuromorph.network.builders.parallel import available_threads
from neuromorph.network.forecast import each_has_own, forecast
from neuromorph.network.network import Network
from neuromorph.network.projection import Projection
from neuromorph.network.rules.convolution import AvgPool2D, Conv1D, Conv2D, SumPool2D
from neuromorph.network.rules.rule import Connections, Stream
from neuromorph.network.synapses import Synapses
from neuromorph.network.values import magnitude, seconds

if TYPE_CHECKING:
    from neuromorph.network.builders.convolution import Window
    from neuromorph.progress import Progress
    from neuromorph.units import Quantity

__all__ = ["build", "build_each", "build_projection"]

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
    return tuple(build_each(network, step, dtype=dtype, threads=threads, progress=progress))


def build_each(
    network: Network,
    dt: float,
    *,
    dtype: str = "float32",
    threads: int | None = None,
    geometry: bool = False,
    progress: Progress | None = None,
) -> Iterator[Synapses]:
    """Make projection after projection, so that one may be gone before the next is made; see :func:`build`.

    Parameters
    ----------
    geometry : bool
        Leave convolutions and pooling unlisted, as :attr:`Synapses.geometry`.
    """
    workers = available_threads() if threads is None else threads
    if workers < 1:
        raise NetworkError(f"network {network.name}: threads={threads}; give an int of at least 1")
    if progress is not None:
        progress.stage(f"building {network.name}", len(network.projections))
    for projection in network.projections:
        yield build_projection(projection, network.seed, dt, dtype, workers, geometry=geometry)
        if progress is not None:
            progress.advance()


def window_of(projection: Projection) -> Window | None:
    """The geometry that decides a projection's synapses, if nothing else is each synapse's own."""
    rule = projection.rule
    own = (projection.delay,) if hasattr(rule, "weights") else (projection.delay, projection.weight)
    if not isinstance(rule, Conv1D | Conv2D | SumPool2D | AvgPool2D) or any(map(each_has_own, own)):
        return None
    return rule.window(projection.pre)


def build_projection(
    projection: Projection,
    seed: int,
    dt: float,
    dtype: str = "float32",
    threads: int = 1,
    *,
    geometry: bool = False,
) -> Synapses:
    """Make one projection's synapses; ``dt`` in seconds. Other arguments as in :func:`build_each`."""
    pre, post = projection.pre, projection.post
    if projection.synapse is not None:
        dtype = "float64"  # plastic weights are converted to another unit and rounded once, after that
    stream = Stream(seed, projection.index, threads if pre.size * post.size > SMALL else 1)
    window = window_of(projection) if geometry and projection.synapse is None else None
    if window is None:
        made = projection.rule.connect(pre, post, stream)
    else:
        given = getattr(projection.rule, "weights", None)
        kernel = None if given is None else np.asarray(magnitude(given))
        made = Connections(None, None, weights=kernel if kernel is None or kernel.ndim == 0 else kernel.reshape(-1))
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
        geometry=window,
        **arrays,
    )
