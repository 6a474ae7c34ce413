"""What a network will take on the CPU: its projections as they are built, and then as they are stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neuromorph.language.expr import Type
from neuromorph.network.builders import window_of
from neuromorph.network.forecast import Forecast, ProjectionForecast, forecast

from .choice import BIT_DENSITY
from .frame import lanes_of
from .lists import BLOCK

if TYPE_CHECKING:
    from neuromorph.network.network import Network
    from neuromorph.network.projection import Projection


def stored_forecast(network: Network, dt: float, dtype: str) -> Forecast:
    """Forecast of a network on the CPU; ``dt`` in seconds.

    A projection is built, then brought into its storage form; what it took while it was built counts as transient.
    """
    plain = forecast(network, dt, dtype)
    pairs = zip(network.projections, plain.projections, strict=True)
    return replace(plain, projections=tuple(_stored(described, each, dtype) for described, each in pairs))


def _stored(projection: Projection, plain: ProjectionForecast, dtype: str) -> ProjectionForecast:
    n_pre, n_post, count = projection.pre.size, projection.post.size, plain.count
    if projection.synapse is not None or count.dense:
        return plain
    window = window_of(projection)
    if window is not None:
        places = 24 * sum(axis.size for axis in (window.y, window.x))
        kernel = plain.fixed_bytes - 8 * (n_pre + 1)
        return replace(
            plain, count=replace(count, transient=kernel), target_bytes=0, weight_bytes=0, fixed_bytes=kernel + places
        )
    rows = 8 * (n_pre + 1)
    shared = plain.fixed_bytes - rows
    lanes = lanes_of("int64" if projection.port_spec.type is Type.INT else dtype)
    one = plain.weight_bytes == plain.delay_bytes == 0
    if one and count.mean >= BIT_DENSITY[lanes] * n_pre * n_post:
        bits = n_pre * -(-n_post // 64) * 8
        listed = count.high * plain.target_bytes + rows
        return replace(
            plain,
            count=replace(count, transient=count.transient + listed),
            target_bytes=0,
            fixed_bytes=shared + bits,
        )
    blocks = -(-n_post // BLOCK)
    if 4 * (blocks - 1) * n_pre >= 2 * count.mean:
        blocks = 1
    width = 2 if blocks > 1 else plain.target_bytes
    more = rows + count.high * (plain.target_bytes - width)
    return replace(
        plain,
        count=replace(count, transient=count.transient + more),
        target_bytes=width,
        fixed_bytes=shared + 4 * (blocks * n_pre + 1),
    )
