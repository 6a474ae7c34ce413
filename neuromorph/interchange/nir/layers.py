"""A projection as the chain of NIR's linear nodes that does the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.linear import Shape, output_shape
from neuromorph.network.builders import build_projection, window_of
from neuromorph.network.forecast import available_memory, each_has_own, size
from neuromorph.network.projection import Projection
from neuromorph.network.rules import AvgPool2D, Conv1D, Conv2D, Dense, OneToOne, SumPool2D
from neuromorph.network.values import delay_steps, magnitude

Array = npt.NDArray[Any]

#: Different delays that one projection may have, unless they are those of its sources or of its targets.
MOST_DELAYS = 64


@dataclass(frozen=True)
class Layer:
    """One linear node to be: its type and its values by NIR's names."""

    type: str
    values: dict[str, Any]

    @property
    def carries(self) -> bool:
        """Whether it computes anything, rather than only delaying or reshaping."""
        return self.type not in ("Delay", "Flatten")


Chain = tuple[Layer, ...]


@dataclass(frozen=True)
class Clock:
    """How steps become delays.

    Attributes
    ----------
    undelayed : int
        Steps that the connection takes in the network if it has no delay in the graph.
    late : bool
        Whether a delay of one step goes without saying.
    dt, unit : float
        A step and the file's unit of time, in seconds.
    least : int
        Steps that it takes at least beyond ``undelayed``.
    """

    undelayed: int
    late: bool
    dt: float
    unit: float
    least: int = 0

    def layer(self, steps: Array, shape: Shape) -> Chain:
        """A delay node, or nothing if there is no delay."""
        own = np.array(np.broadcast_to(np.asarray(steps, np.int64).ravel() - self.undelayed, (prod(shape),)))
        if own.min() < self.least:
            raise NetworkError(
                f"it takes {int(np.min(steps))} steps, and in the graph at least {self.undelayed + self.least}"
            )
        if self.late:
            own[own == 1] = 0
        return (Layer("Delay", {"delay": (own * (self.dt / self.unit)).reshape(shape)}),) if own.any() else ()


def windowed_shapes(projection: Projection) -> tuple[Shape, Shape] | None:
    """Shapes that a convolution or pooling takes and makes; None for other projections."""
    window = window_of(projection)
    if window is None:
        return None
    if isinstance(projection.rule, Conv1D):
        return (window.channels, window.x.size), (window.out_channels, window.x.out)
    return (window.channels, window.y.size, window.x.size), (window.out_channels, window.y.out, window.x.out)


def chains(
    projection: Projection,
    gain: npt.NDArray[np.float64],
    before: Shape,
    after: Shape,
    clock: Clock,
    seed: int,
) -> list[Chain]:
    """What lies between the nodes of two populations, side by side if delays ask for several.

    Parameters
    ----------
    projection : Projection
    gain : float64 array, shape () or (1,) or (n_post,)
        Multiplies what arrives at each target.
    before, after : tuple of int
        Shapes of the nodes.
    clock : Clock
    seed : int
        Of the network, for weights that are drawn.

    Raises
    ------
    NetworkError
        If the synapses change, or the matrix would not fit into memory.
    """
    if projection.synapse is not None:
        raise NetworkError(
            f"its synapses ({projection.synapse.name}) change while the network runs; in NIR they do not"
        )
    shapes = windowed_shapes(projection)
    if shapes is not None:
        return [_windowed(projection, gain, shapes, before, after, clock)]
    return _matrices(projection, gain, before, after, clock, seed)


def _flatten(shape: Shape) -> Chain:
    values = {"start_dim": 0, "end_dim": -1, "input_type": np.array(shape)}
    return (Layer("Flatten", values),) if len(shape) > 1 else ()


def _windowed(
    projection: Projection,
    gain: npt.NDArray[np.float64],
    shapes: tuple[Shape, Shape],
    before: Shape,
    after: Shape,
    clock: Clock,
) -> Chain:
    rule = projection.rule
    taken, made = shapes
    factor = np.asarray(1.0 if projection.weight is None else magnitude(projection.weight), np.float64)
    uniform = gain.size == 1 or bool((gain == gain.flat[0]).all())
    factor = factor * gain.flat[0] if uniform else factor
    layers: list[Layer] = []
    if isinstance(rule, Conv1D | Conv2D):
        kernel = np.asarray(magnitude(rule.kernel))
        kernel = kernel if factor == 1 else kernel * factor
        if isinstance(rule, Conv2D):
            layers += _convolutions(replace(rule, kernel=kernel), taken)
        else:
            layers.append(_convolution(rule, kernel, taken))
        factor = np.ones(())
    elif isinstance(rule, SumPool2D | AvgPool2D):
        stride = rule.size if rule.stride is None else rule.stride
        values = {"kernel_size": _two(rule.size), "stride": _two(stride), "padding": _two(rule.padding)}
        layers.append(Layer(type(rule).__name__.replace("D", "d"), values))
    each = np.broadcast_to(factor if uniform else factor * gain, (prod(made),))
    if not (each == 1).all():
        layers.append(Layer("Scale", {"scale": np.array(each).reshape(made)}))
    flat = _flatten(made) if len(after) == 1 and len(made) > 1 else ()
    return (*clock.layer(_steps(projection, clock.dt), before), *layers, *flat)


def _steps(projection: Projection, dt: float) -> Array:
    """Steps of a projection all of whose synapses have the same delay."""
    given = np.asarray(1 if projection.delay is None else magnitude(projection.delay))
    return delay_steps(f"projection {projection.name}", given, dt)


def _convolution(rule: Conv1D | Conv2D, kernel: Array, taken: Shape) -> Layer:
    inner: Any = taken[1:] if isinstance(rule, Conv2D) else taken[1]
    values: dict[str, Any] = {"input_shape": inner, "weight": kernel}
    for name in ("stride", "padding", "dilation"):
        given = getattr(rule, name)
        pair = isinstance(rule, Conv2D) and not isinstance(given, str)
        values[name] = tuple(int(n) for n in _two(given)) if pair else given
    values |= {"groups": int(rule.groups), "bias": np.zeros(len(kernel))}
    return Layer(type(rule).__name__.replace("D", "d"), values)


def _convolutions(rule: Conv2D, taken: Shape) -> list[Layer]:
    """The convolution; behind pooling, if it is one of pooled inputs: then its kernel repeats each weight."""
    kernel = np.asarray(rule.kernel)
    if isinstance(rule.padding, str) or tuple(_two(rule.dilation)) != (1, 1):
        return [_convolution(rule, kernel, taken)]
    axes = zip(kernel.shape[2:], _two(rule.stride), _two(rule.padding), strict=True)
    rows, columns = (gcd(int(taps), int(stride), int(pad)) for taps, stride, pad in axes)
    block = rows, columns
    small = kernel[:, :, :: block[0], :: block[1]]
    same = prod(block) > 1 and np.array_equal(np.kron(small, np.ones((1, 1, *block), kernel.dtype)), kernel)
    pool = SumPool2D(block)
    pooled = output_shape(pool, taken) if same else None
    if pooled is None:
        return [_convolution(rule, kernel, taken)]
    stride, padding = (_two(given) // block for given in (rule.stride, rule.padding))
    inner = Conv2D(small, (int(stride[0]), int(stride[1])), (int(padding[0]), int(padding[1])), 1, rule.groups)
    covered = all(n == m * b for n, m, b in zip(taken[1:], pooled[1:], block, strict=True))
    if output_shape(inner, pooled) != output_shape(rule, taken) or not (covered or not np.any(_two(rule.padding))):
        return [_convolution(rule, kernel, taken)]
    values = {"kernel_size": np.array(block), "stride": np.array(block), "padding": np.zeros(2, np.int64)}
    return [Layer("SumPool2d", values), _convolution(inner, small, pooled)]


def _two(given: Any) -> npt.NDArray[np.int64]:
    return np.array(np.broadcast_to(np.asarray(given, np.int64), (2,)))


def _scaled(factors: Array, delays: Array, before: Shape, after: Shape, clock: Clock) -> Chain:
    """One to one."""
    flat = _flatten(before) if len(after) == 1 else ()
    shape = after if flat or before == after else before
    scaled = () if (factors == 1).all() else (Layer("Scale", {"scale": factors.reshape(shape)}),)
    return (*clock.layer(delays, before), *flat, *scaled)


def _matrices(
    projection: Projection, gain: npt.NDArray[np.float64], before: Shape, after: Shape, clock: Clock, seed: int
) -> list[Chain]:
    pre, post = projection.pre.size, projection.post.size
    need, alone = 3 * 8 * pre * post, isinstance(projection.rule, OneToOne)
    if need > available_memory() and not alone:
        raise NetworkError(
            f"NIR has no sparse weights: as a matrix of {pre:,} x {post:,} it takes {size(need)} to write, and "
            f"{size(available_memory())} are free"
        )
    rule, flat = projection.rule, _flatten(before)
    plain = projection.delay is None or (
        np.ndim(magnitude(projection.delay)) == 0 and not each_has_own(projection.delay)
    )
    if isinstance(rule, Dense) and projection.weight is None and np.all(gain == 1) and plain:
        weight = np.asarray(magnitude(rule.weights)).T
        return [(*clock.layer(_steps(projection, clock.dt), before), *flat, Layer("Linear", {"weight": weight}))]
    built = build_projection(projection, seed, clock.dt, "float64").expanded()
    if built.row_ptr is None or built.targets is None:
        sources, targets = np.repeat(np.arange(pre), post), np.tile(np.arange(post), pre)
    else:
        sources, targets = np.repeat(np.arange(pre), np.diff(built.row_ptr)), built.targets.astype(np.int64)
    weights = built.weights if built.weight_index is None else built.weights[built.weight_index]
    weights = np.broadcast_to(weights, targets.shape)
    delays = np.broadcast_to(built.delays, targets.shape).astype(np.int64)
    if pre == post == len(targets) and (sources == targets).all() and (targets == np.arange(post)).all():
        return [_scaled(weights * gain, delays, before, after, clock)]

    def layer(chosen: Any) -> Layer:
        matrix = np.zeros((post, pre))
        np.add.at(matrix, (targets[chosen], sources[chosen]), weights[chosen])
        return Layer("Linear", {"weight": matrix * np.broadcast_to(gain, (post,))[:, None]})

    every = slice(None)
    for ends, n, first in ((sources, pre, True), (targets, post, False)):
        own = np.full(n, delays[0] if delays.size else max(1, clock.undelayed), np.int64)
        own[ends] = delays
        if (own[ends] == delays).all():
            late = clock.layer(own, before if first else (post,))
            return [(*late, *flat, layer(every)) if first else (*flat, layer(every), *late)]
    different = np.unique(delays)
    if len(different) > MOST_DELAYS:
        raise NetworkError(
            f"its synapses have {len(different)} different delays; NIR delays nodes, not synapses, so that each delay "
            f"takes a matrix of its own, and at most {MOST_DELAYS} are written"
        )
    return [(*clock.layer(np.array(d), before), *flat, layer(delays == d)) for d in different]


def with_bias(options: list[Chain], bias: npt.NDArray[np.float64]) -> list[Chain] | None:
    """The same chains with a constant added to what they bring, once; None if none of them can."""
    for k, chain in enumerate(options):
        carrying = [place for place, layer in enumerate(chain) if layer.carries]
        if not carrying:
            continue
        place = carrying[-1]
        made = _biased(chain[place], bias)
        if made is not None:
            changed = (*chain[:place], made, *chain[place + 1 :])
            return [*options[:k], changed, *options[k + 1 :]]
    return None


def _biased(layer: Layer, bias: npt.NDArray[np.float64]) -> Layer | None:
    values = layer.values
    if layer.type == "Linear":
        return Layer("Affine", {"weight": values["weight"], "bias": bias})
    if layer.type in ("Conv1d", "Conv2d"):
        channels = bias.reshape(len(values["weight"]), -1)
        same = bool((channels == channels[:, :1]).all())
        return Layer(layer.type, {**values, "bias": channels[:, 0]}) if same else None
    if layer.type == "Scale" and values["scale"].ndim == 1:
        return Layer("Affine", {"weight": np.diag(values["scale"]), "bias": bias})
    return None
