"""NIR's nodes without a state: what each does to a signal, as a connection rule."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.file import MOST_ELEMENTS, Node
from neuromorph.network.rules import AvgPool2D, Conv1D, Conv2D, Dense, OneToOne, Rule, Sparse, Stream, SumPool2D
from neuromorph.network.rules.rule import Layer

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

#: The node types that are linear and keep nothing from step to step, but for a delay.
LINEAR = ("Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay", "Identity")


@dataclass(frozen=True)
class Grid:
    """A layer of which only the shape is known: what rules may know of a population."""

    name: str
    shape: Shape
    positions_in_metres: bool = False

    @property
    def size(self) -> int:
        """Number of neurons."""
        return prod(self.shape)

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """Place of each in the shape."""
        return np.stack(np.unravel_index(np.arange(self.size), self.shape), axis=1).astype(np.float64)


@dataclass(frozen=True)
class Link:
    """A rule between two shapes: one factor of a product of linear maps."""

    rule: Rule
    before: Shape
    after: Shape

    @property
    def stored(self) -> int:
        """Number of weights that the rule keeps: those of a kernel once."""
        if isinstance(self.rule, Conv1D | Conv2D):
            return self.rule.kernel_size
        if isinstance(self.rule, SumPool2D | AvgPool2D):
            return 1
        return round(self.rule.count(Grid("input", self.before), Grid("output", self.after)).mean)

    def matrix(self) -> Any:
        """The map as a sparse SciPy matrix (before, after), in float64."""
        from scipy.sparse import csr_array

        pre, post = Grid("input", self.before), Grid("output", self.after)
        made = self.rule.connect(pre, post, Stream(0, 0))
        weights = np.ones(()) if made.weights is None else np.asarray(made.weights, np.float64)
        if made.row_ptr is None or made.targets is None:
            return csr_array(np.broadcast_to(weights, (pre.size * post.size,)).reshape(pre.size, post.size))
        if made.weight_index is not None:
            weights = weights[made.weight_index]
        values = np.broadcast_to(weights, made.targets.shape).copy()
        return csr_array((values, made.targets.astype(np.int64), made.row_ptr), shape=(pre.size, post.size))


@dataclass(frozen=True)
class Effect:
    """What a node does to a signal.

    Attributes
    ----------
    shape : tuple of int
        Of what leaves the node.
    link : Link or None
        The linear map; None: as it came, in row-major order.
    factor : float
        Multiplies the map.
    delay : int or int array (n,)
        Steps; an array has one for each element.
    bias : float64 array (n,) or None
        Added at the end.
    """

    shape: Shape
    link: Link | None = None
    factor: float = 1.0
    delay: int | npt.NDArray[np.int64] = 0
    bias: npt.NDArray[np.float64] | None = None


def effect(node: Node, shape: Shape, dt: float) -> Effect:
    """What ``node``, of a type in :data:`LINEAR`, does to a signal of this shape.

    Parameters
    ----------
    node : Node
    shape : tuple of int
    dt : float
        A step, in the file's unit of time.

    Raises
    ------
    NetworkError
        If it cannot take this shape or has values that make no sense.
    """
    kind = node.type
    if kind in ("Affine", "Linear"):
        return _matrix(node, shape)
    if kind in ("Conv1d", "Conv2d"):
        return _convolution(node, shape)
    if kind in ("SumPool2d", "AvgPool2d"):
        make = SumPool2D if kind == "SumPool2d" else AvgPool2D
        pool = make(_pair(node, "kernel_size"), _pair(node, "stride"), _pair(node, "padding"))
        return _windowed(node, pool, shape)
    if kind == "Flatten":
        return Effect(_flattened(node, shape))
    if kind == "Scale":
        return _scaled(node, shape)
    if kind == "Delay":
        counted = np.rint(_elements(node, "delay", shape) / dt)
        if counted.min() < 0 or counted.max() >= 2**31:
            raise NetworkError(
                f"{node}: its delays are from {counted.min():g} to {counted.max():g} steps, expected 0 to 2^31 - 1"
            )
        steps = counted.astype(np.int64)
        return Effect(shape, delay=int(steps[0]) if (steps == steps[0]).all() else steps)
    return Effect(shape)


def _matrix(node: Node, shape: Shape) -> Effect:
    weight = node.numbers("weight")
    if weight.ndim < 2:
        raise NetworkError(f"{node}: weight has shape {weight.shape}, expected (outputs, {prod(shape)} inputs)")
    blocks, (outputs, inputs) = weight.shape[:-2], weight.shape[-2:]
    if prod(blocks) * inputs != prod(shape):
        expected = (*blocks, "outputs", f"{prod(shape) // max(1, prod(blocks))} inputs")
        raise NetworkError(f"{node}: weight has shape {weight.shape}, expected ({', '.join(map(str, expected))})")
    after = (*blocks, outputs)
    bias = _elements(node, "bias", after) if node.type == "Affine" else None
    if not blocks:
        return Effect(after, Link(Dense(weight.T), (inputs,), after), bias=bias)
    block, row, column = np.indices((prod(blocks), inputs, outputs)).reshape(3, -1)  # a matrix for each, side by side
    each = weight.reshape(-1, outputs, inputs).transpose(0, 2, 1).ravel()
    rule = Sparse((block * inputs + row, block * outputs + column, each))
    return Effect(after, Link(rule, (*blocks, inputs), after), bias=bias)


def _scaled(node: Node, shape: Shape) -> Effect:
    scale = _elements(node, "scale", shape)
    if (scale == scale[0]).all():
        return Effect(shape, factor=float(scale[0]))
    each = np.arange(len(scale))
    return Effect(shape, Link(Sparse((each, each, scale)), shape, shape))


def _convolution(node: Node, shape: Shape) -> Effect:
    weight, axes = node.numbers("weight"), 1 if node.type == "Conv1d" else 2
    if weight.ndim != 2 + axes:
        raise NetworkError(f"{node}: weight has shape {weight.shape}, expected {2 + axes} axes")
    groups = _number(node, "groups")
    if len(shape) == 1 and node.values.get("input_shape") is not None:
        inner = node.lengths("input_shape")
        shape = (weight.shape[1] * groups, *inner)
    if len(shape) == axes:  # no axis of channels: there is one
        shape = (1, *shape)
    rule: Rule
    if axes == 1:
        padding = _pair(node, "padding")
        around: Any = padding if isinstance(padding, str) else _number(node, "padding")
        rule = Conv1D(weight, _number(node, "stride"), around, _number(node, "dilation"), groups)
    else:
        rule = Conv2D(weight, _pair(node, "stride"), _pair(node, "padding"), _pair(node, "dilation"), groups)
    made = _windowed(node, rule, shape)
    if node.values.get("bias") is None:
        return made
    channels = _elements(node, "bias", (weight.shape[0],))
    return Effect(made.shape, made.link, bias=np.repeat(channels, prod(made.shape[1:])))


def _windowed(node: Node, rule: Rule, shape: Shape) -> Effect:
    """The effect of a convolution or of pooling, whose output shape follows from the input's."""
    after = output_shape(rule, shape)
    if after is None:
        raise NetworkError(f"{node} cannot take a signal of shape {shape}; expected (channels, height, width)")
    if prod(after) > MOST_ELEMENTS:
        raise NetworkError(f"{node}: what leaves it has shape {after}, more than {MOST_ELEMENTS:,} elements")
    link = Link(rule, shape, after)
    rule.check(Grid("its input", shape), Grid("its output", after), str(node))
    return Effect(after, link)


def output_shape(rule: Rule, shape: Shape) -> Shape | None:
    """Shape that a convolution or pooling makes of ``shape``; None for other rules and shapes."""
    plane: Conv2D | SumPool2D
    if isinstance(rule, Conv1D) and len(shape) == 2:
        same = isinstance(rule.padding, str)
        kernel = np.asarray(rule.kernel)[:, :, None, :]
        padding: Any = rule.padding if same else (0, rule.padding)
        plane = Conv2D(kernel, (1, rule.stride), padding, (1, rule.dilation), rule.groups)
        window = plane.window(Grid("input", (shape[0], 1, shape[1])))
        return window.out_channels, window.x.out
    if isinstance(rule, AvgPool2D):
        rule = SumPool2D(rule.size, rule.stride, rule.padding)
    if isinstance(rule, Conv2D | SumPool2D) and len(shape) == 3:
        window = rule.window(Grid("input", shape))
        return window.out_channels, window.y.out, window.x.out
    return None


def _flattened(node: Node, shape: Shape) -> Shape:
    axes = len(shape)
    start, end = _number(node, "start_dim", 1), _number(node, "end_dim", -1)
    start, end = (n + axes if n < 0 else n for n in (start, end))
    if not 0 <= start <= end < axes:  # the file counts the axis of a batch, or the signal is flat already
        return (prod(shape),)
    return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


def _elements(node: Node, name: str, shape: Shape) -> npt.NDArray[np.float64]:
    """A value for each element, shape (n,); one value alone stands for all."""
    given, size = node.numbers(name).astype(np.float64), prod(shape)
    if given.size != 1 and given.size != size:
        raise NetworkError(f"{node}: {name} has shape {given.shape}, expected {shape}")
    return np.broadcast_to(given.ravel(), (size,))


def _number(node: Node, name: str, default: int | None = None) -> int:
    if default is not None and node.values.get(name) is None:
        return default
    given = node.array(name)
    if given.size != 1 or given.dtype.kind not in "iu":
        raise NetworkError(f"{node}: {name} is {given!r}, expected an int")
    return int(given.reshape(()))


def _pair(node: Node, name: str) -> Any:
    """One int or two; padding may also be a word."""
    given = node.array(name)
    if name == "padding" and str(given) in ("same", "valid"):
        return str(given)
    if given.size not in (1, 2) or given.dtype.kind not in "iu":
        raise NetworkError(f"{node}: {name} is {given!r}, expected an int or two")
    numbers = [int(n) for n in given.ravel()]
    return (numbers[0], numbers[-1])


def product(links: tuple[Link, ...], pre: Layer, post: Layer) -> Rule:
    """One rule from ``pre`` to ``post`` for several maps in a row.

    A map alone keeps its rule, so that a kernel stays shared; so does pooling before a convolution. Several, or one
    that sees other shapes than the populations have, become a matrix.
    """
    links = merged(links)
    if not links:
        return OneToOne()
    if len(links) == 1:
        try:
            links[0].rule.check(pre, post, "")
        except NetworkError:
            return Sparse(links[0].matrix().tocsr())
        return links[0].rule
    total = links[0].matrix()
    for link in links[1:]:
        total = total @ link.matrix()
    dense = total.nnz > 0.5 * total.shape[0] * total.shape[1]
    return Dense(total.toarray()) if dense else Sparse(total.tocsr())


def expands(links: tuple[Link, ...]) -> bool:
    """Whether the product of these maps, as a matrix, may hold more weights than the maps themselves."""
    links = merged(links)
    return len(links) > 1 and prod(links[0].before) * prod(links[-1].after) > sum(link.stored for link in links)


def merged(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Pooling followed by a convolution, as one convolution whose kernel has each weight once for a pooled input.

    It holds where pooling windows neither overlap nor leave out inputs that the convolution's padding would meet.
    """
    done: list[Link] = []
    for link in links:
        before = done[-1] if done else None
        if before is not None and isinstance(before.rule, SumPool2D | AvgPool2D) and isinstance(link.rule, Conv2D):
            joined = _pooled_convolution(before, before.rule, link, link.rule)
            if joined is not None:
                done[-1] = joined
                continue
        done.append(link)
    return tuple(done)


def _pooled_convolution(first: Link, pool: SumPool2D | AvgPool2D, second: Link, conv: Conv2D) -> Link | None:
    size, pads = _two(pool.size), conv.padding
    stride = size if pool.stride is None else _two(pool.stride)
    around = (0, 0) if pads == "valid" else None if pads == "same" else _two(pads)
    exact = stride == size and _two(pool.padding) == (0, 0) and _two(conv.dilation) == (1, 1)
    if around is None or not exact or first.after != second.before:
        return None
    covered = all(n == out * s for n, out, s in zip(first.before[1:], first.after[1:], size, strict=True))
    if around != (0, 0) and not covered:
        return None
    share = 1.0 if isinstance(pool, SumPool2D) else pool.weights
    kernel = np.kron(np.asarray(conv.kernel), np.full((1, 1, *size), share, np.asarray(conv.kernel).dtype))
    steps = _two(conv.stride)
    rule = Conv2D(
        kernel,
        (steps[0] * size[0], steps[1] * size[1]),
        (around[0] * size[0], around[1] * size[1]),
        1,
        conv.groups,
    )
    return Link(rule, first.before, second.after)


def _two(given: Any) -> tuple[int, int]:
    pair = tuple(given) if isinstance(given, tuple | list) else (given, given)
    return int(pair[0]), int(pair[1])
