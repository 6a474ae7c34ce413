"""Weights and delays of built connections: scalars stay scalars, distributions are drawn synapse by synapse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language.expr import Type
from neuromorph.native import compiled
from neuromorph.network.builders.parallel import blocks, for_each
from neuromorph.network.builders.random import ROW_BLOCKS
from neuromorph.network.conduction import DistanceDelay
from neuromorph.network.distributions import Distribution
from neuromorph.network.keys import uniforms
from neuromorph.network.projection import Projection
from neuromorph.network.rules.rule import Connections, Stream
from neuromorph.network.values import delay_steps, magnitude

Array = npt.NDArray[Any]

CHUNK = 1 << 18  # synapses drawn or converted at a time; a multiple of 4

gather_pairs = compiled("neuromorph.network.builders.sparse_kernels", "gather_pairs")


def int_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """How ints of this type are kept: as they are up to 32 bits, unsigned ones a size wider, wider ones as int32."""
    kept = {"b1": "i1", "i1": "i1", "u1": "i2", "i2": "i2", "u2": "i4"}
    return np.dtype(kept.get(f"{dtype.kind}{dtype.itemsize}", "i4"))


def stored_dtype(projection: Projection, dtype: str) -> np.dtype[Any]:
    """Type of a projection's weights in memory; ``dtype`` is that of float ports."""
    if projection.port_spec.type is not Type.INT:
        return np.dtype(dtype)
    own = getattr(projection.rule, "weights", None)
    given = own if own is not None else projection.weight
    value = None if isinstance(given, Distribution) or given is None else np.asarray(magnitude(given))
    if value is None or value.ndim == 0 or (own is not None and projection.weight is not None):
        return np.dtype(np.int32)
    return int_dtype(value.dtype)


def convert(values: Array, factor: Any, dtype: np.dtype[Any]) -> Array:
    """``values * factor`` in ``dtype``, chunk by chunk; not copied if there is nothing to do."""
    values = np.asarray(values, order="C")  # one weight for all keeps its shape ()
    if factor is None and values.dtype == dtype:
        view = values.view()
        view.flags.writeable = False  # it may be the user's
        return view
    scale = 1 if factor is None else magnitude(factor)
    flat = values.reshape(-1)
    out = np.empty(flat.shape, dtype)
    for start in range(0, flat.size, CHUNK):
        out[start : start + CHUNK] = flat[start : start + CHUNK] * scale
    return out.reshape(values.shape)


def draw(distribution: Distribution, count: int, key: int, dtype: np.dtype[Any], threads: int) -> Array:
    """``count`` samples; number k depends on the key and k alone."""
    out = np.empty(count, dtype)

    def work(start: int, stop: int) -> None:
        out[start:stop] = distribution.quantile(uniforms(key, start, stop - start))

    for_each(work, [(k, min(k + CHUNK, count)) for k in range(0, count, CHUNK)], threads)
    return out


def by_pair(table: Array, made: Connections, n_pre: int, n_post: int, dtype: np.dtype[Any], threads: int) -> Array:
    """``table[source, target]`` of every synapse, for a table that broadcasts to (n_pre, n_post)."""
    full = np.broadcast_to(table, (n_pre, n_post))
    if made.row_ptr is None:
        return np.ascontiguousarray(full, dtype).reshape(-1)
    two = np.ascontiguousarray(table.reshape((1,) * (2 - table.ndim) + table.shape))
    steps = int(two.shape[0] > 1), int(two.shape[1] > 1)
    out = np.empty(made.row_ptr[-1], dtype)
    for_each(
        lambda a, b: gather_pairs(a, b, made.row_ptr, made.targets, two, steps[0], steps[1], out),
        blocks(n_pre, ROW_BLOCKS),
        threads,
    )
    return out


def count_of(made: Connections, n_pre: int, n_post: int) -> int:
    """Number of synapses."""
    return n_pre * n_post if made.row_ptr is None else int(made.row_ptr[-1])


def weights_of(projection: Projection, made: Connections, stream: Stream, dtype: str) -> Array:
    """A projection's weights as they are stored, in SI units."""
    kept = stored_dtype(projection, dtype)
    if made.weights is not None:
        return convert(made.weights, projection.weight, kept)
    given = 1 if projection.weight is None else projection.weight
    n_pre, n_post = projection.pre.size, projection.post.size
    if isinstance(given, Distribution):
        return draw(given, count_of(made, n_pre, n_post), stream.key("weight"), kept, stream.threads)
    value = np.asarray(magnitude(given))
    return value.astype(kept) if value.ndim == 0 else by_pair(value, made, n_pre, n_post, kept, stream.threads)


def delays_of(projection: Projection, made: Connections, stream: Stream, dt: float) -> Array:
    """A projection's delays in steps, one for all where they agree."""
    subject = f"projection {projection.name}"
    if made.delays is not None:
        return delay_steps(subject, np.asarray(made.delays), dt)
    given = 1 if projection.delay is None else projection.delay
    n_pre, n_post = projection.pre.size, projection.post.size
    if isinstance(given, Distribution | DistanceDelay):
        out = np.empty(count_of(made, n_pre, n_post), own_width(projection, dt))
        key = stream.key("delay")

        def work(start: int, stop: int) -> None:
            if isinstance(given, Distribution):
                numbers = given.quantile(uniforms(key, start, stop - start))
                # whole-number distributions are steps already
                drawn: Array = numbers.astype(np.int64) if given.dim.is_none else numbers
            else:
                pairs = sources_and_targets(made, n_post, start, stop)
                drawn = given.seconds(projection.pre, projection.post, projection.rule, *pairs)
            out[start:stop] = delay_steps(subject, drawn, dt, drawn=True)

        for_each(work, [(k, min(k + CHUNK, len(out))) for k in range(0, len(out), CHUNK)], stream.threads)
        return out
    table = delay_steps(subject, np.asarray(magnitude(given)), dt)
    return table if table.ndim == 0 else by_pair(table, made, n_pre, n_post, table.dtype, stream.threads)


def sources_and_targets(made: Connections, n_post: int, start: int, stop: int) -> tuple[Array, Array]:
    """Ends of synapses ``start`` to ``stop``."""
    synapses = np.arange(start, stop)
    if made.row_ptr is None or made.targets is None:
        return np.divmod(synapses, n_post)
    return np.searchsorted(made.row_ptr, synapses, side="right") - 1, made.targets[start:stop]


def own_width(projection: Projection, dt: float) -> np.dtype[Any]:
    """Type of delays of which every synapse has its own: uint8 if none can exceed 255 steps, else uint16."""
    given = projection.delay
    if isinstance(given, DistanceDelay):
        high = given.longest(projection.pre, projection.post) / dt
    else:
        high = given.bounds[1] if given.dim.is_none else given.bounds[1] / dt
    return np.dtype(np.uint8 if high < 255.5 else np.uint16)
