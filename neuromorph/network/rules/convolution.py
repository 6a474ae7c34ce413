"""Convolutions and pooling, whose synapses share a kernel. Shapes are (channels, height, width), row-major."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Connections, Count, Layer, Stream
from neuromorph.network.values import magnitude

if TYPE_CHECKING:
    from neuromorph.network.builders.convolution import Axis, Window

Pair = int | tuple[int, int]
Padding = Pair | Literal["same", "valid"]


def _pair(rule: str, name: str, given: Any, least: int) -> tuple[int, int]:
    pair = tuple(given) if isinstance(given, tuple | list | np.ndarray) else (given, given)
    if len(pair) != 2 or any(not isinstance(n, int | np.integer) or n < least for n in pair):
        raise NetworkError(f"{rule}: {name}={given!r}; give an int of at least {least}, or one for each axis")
    return int(pair[0]), int(pair[1])


def _axes(
    rule: str, sizes: tuple[int, int], taps: tuple[int, int], stride: Any, padding: Any, dilation: Any
) -> tuple[Axis, Axis]:
    """Both axes; "same" pads so that outputs are as many as inputs, one more after than before if odd."""
    from neuromorph.network.builders.convolution import Axis

    strides, dilations = _pair(rule, "stride", stride, 1), _pair(rule, "dilation", dilation, 1)
    if padding == "same":
        if strides != (1, 1):
            raise NetworkError(f"{rule}: padding='same' needs stride 1, got {strides}")
        total = [d * (k - 1) for d, k in zip(dilations, taps, strict=True)]
        around = [(t // 2, t - t // 2) for t in total]
    else:
        around = [(p, p) for p in ((0, 0) if padding == "valid" else _pair(rule, "padding", padding, 0))]
    (before_y, after_y), (before_x, after_x) = around
    return (
        Axis(sizes[0], taps[0], strides[0], dilations[0], before_y, after_y),
        Axis(sizes[1], taps[1], strides[1], dilations[1], before_x, after_x),
    )


def _check_shapes(rule: str, subject: str, window: Window, pre: Layer, post: Layer) -> None:
    y, x = window.y, window.x
    if y.out < 1 or x.out < 1:
        raise NetworkError(
            f"{subject}: the {y.taps} x {x.taps} window of {rule} does not fit into {pre.name} of shape {pre.shape}"
        )
    wanted = (window.out_channels, y.out, x.out)
    if _strip(post.shape) != _strip(wanted):
        raise NetworkError(
            f"{subject}: {rule} makes shape {wanted} of {pre.name}'s {pre.shape}; {post.name} has shape {post.shape}; "
            f"make it {wanted}",
            expected=wanted,
            got=post.shape,
        )


def _strip(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1: (1, 28, 28) is as good as (28, 28)."""
    return tuple(n for n in shape if n != 1)


def _image(rule: str, subject: str, layer: Layer) -> tuple[int, int, int]:
    if len(layer.shape) not in (2, 3):
        raise NetworkError(
            f"{subject}: {rule} needs {layer.name} to have shape (channels, height, width) or (height, width), not "
            f"{layer.shape}",
            got=layer.shape,
        )
    c, h, w = layer.shape if len(layer.shape) == 3 else (1, *layer.shape)
    return c, h, w


@dataclass(frozen=True, eq=False)
class Conv2D:
    """Two-dimensional cross-correlation, as deep-learning frameworks have it.

    ``out[o, y, x] = sum over i, m, n of kernel[o, i, m, n] * in[i, y * stride + m * dilation - padding, ...]``.

    Attributes
    ----------
    kernel : array or Quantity (out channels, in channels / groups, height, width)
    stride, dilation : int or (int, int)
    padding : int, (int, int), "valid" or "same"
        Zeros around the input.
    groups : int
        Channels are cut into so many groups that do not see each other.
    """

    kernel: Any
    stride: Pair = 1
    padding: Padding = 0
    dilation: Pair = 1
    groups: int = 1

    def __post_init__(self) -> None:
        shape = np.shape(magnitude(self.kernel))
        if len(shape) != 4 or 0 in shape:
            raise NetworkError(
                f"Conv2D: kernel has shape {shape}; give (out channels, in channels / groups, height, width)"
            )
        if not isinstance(self.groups, int | np.integer) or self.groups < 1 or shape[0] % self.groups:
            raise NetworkError(f"Conv2D: groups={self.groups!r} does not divide {shape[0]} output channels")
        _axes("Conv2D", (1, 1), (1, 1), self.stride, self.padding, self.dilation)

    @property
    def weights(self) -> Any:
        """The kernel."""
        return self.kernel

    @property
    def kernel_size(self) -> int:
        """Number of shared weights."""
        return int(np.size(magnitude(self.kernel)))

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Channels and shapes must agree."""
        channels, _, _ = _image("Conv2D", subject, pre)
        per_group = np.shape(magnitude(self.kernel))[1]
        if channels != per_group * self.groups:
            raise NetworkError(
                f"{subject}: the kernel of Conv2D takes {per_group} channels in {self.groups} groups, {pre.name} has "
                f"{channels} (shape {pre.shape})",
                expected=per_group * self.groups,
                got=channels,
            )
        _check_shapes("Conv2D", subject, self.window(pre), pre, post)

    def window(self, pre: Layer) -> Window:
        """Both axes and the channels."""
        from neuromorph.network.builders.convolution import Window

        channels, height, width = _image("Conv2D", "Conv2D", pre)
        out_channels, _, *taps = np.shape(magnitude(self.kernel))
        y, x = _axes("Conv2D", (height, width), (taps[0], taps[1]), self.stride, self.padding, self.dilation)
        return Window(y, x, channels, out_channels, int(self.groups))

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact; the border has fewer."""
        return Count(self.window(pre).synapses)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows with an index into the kernel."""
        from dataclasses import replace

        from neuromorph.network.builders.convolution import convolution

        made = convolution(self.window(pre), True, stream.threads)
        return replace(made, weights=np.asarray(magnitude(self.kernel)).reshape(-1))


@dataclass(frozen=True, eq=False)
class Conv1D:
    """One-dimensional cross-correlation over populations of shape (channels, length) or (length,).

    Attributes
    ----------
    kernel : array or Quantity (out channels, in channels / groups, length)
    stride, dilation : int
    padding : int, "valid" or "same"
    groups : int
    """

    kernel: Any
    stride: int = 1
    padding: int | Literal["same", "valid"] = 0
    dilation: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        shape = np.shape(magnitude(self.kernel))
        if len(shape) != 3 or 0 in shape:
            raise NetworkError(f"Conv1D: kernel has shape {shape}; give (out channels, in channels / groups, length)")
        self._plane()

    def _plane(self) -> Conv2D:
        """The same as a convolution of height 1."""
        kernel = np.asarray(magnitude(self.kernel))[:, :, None, :]
        padding: Any = self.padding if isinstance(self.padding, str) else (0, self.padding)
        return Conv2D(kernel, (1, self.stride), padding, (1, self.dilation), self.groups)

    @property
    def weights(self) -> Any:
        """The kernel."""
        return self.kernel

    @property
    def kernel_size(self) -> int:
        """Number of shared weights."""
        return int(np.size(magnitude(self.kernel)))

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Channels and lengths must agree."""
        if len(pre.shape) > 2:
            raise NetworkError(
                f"{subject}: Conv1D needs {pre.name} to have shape (channels, length) or (length,), not {pre.shape}"
            )
        self._plane().check(_Line(pre), post, subject)

    def window(self, pre: Layer) -> Window:
        """Both axes, the first of length 1, and the channels."""
        return self._plane().window(_Line(pre))

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return self._plane().count(_Line(pre), post)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows with an index into the kernel."""
        return self._plane().connect(_Line(pre), post, stream)


class _Line:
    """A layer of shape (channels, length) seen as (channels, 1, length)."""

    def __init__(self, layer: Layer) -> None:
        channels, length = layer.shape if len(layer.shape) == 2 else (1, layer.shape[0])
        self.name, self.size, self.shape = layer.name, layer.size, (channels, 1, length)
        self.positions, self.positions_in_metres = layer.positions, layer.positions_in_metres


@dataclass(frozen=True, slots=True)
class SumPool2D:
    """Sum over windows of each channel; the projection's ``weight`` scales it.

    Attributes
    ----------
    size : int or (int, int)
        Window.
    stride : int or (int, int), optional
        Default: the window, so that windows do not overlap.
    padding : int or (int, int)
    """

    size: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        self._taps()
        _axes("pooling", (1, 1), (1, 1), self._step(), self.padding, 1)

    def _taps(self) -> tuple[int, int]:
        return _pair("pooling", "size", self.size, 1)

    def _step(self) -> Pair:
        return self.size if self.stride is None else self.stride

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Shapes must agree."""
        _image("pooling", subject, pre)
        _check_shapes("pooling", subject, self.window(pre), pre, post)

    def window(self, pre: Layer) -> Window:
        """Both axes; each channel is a group."""
        from neuromorph.network.builders.convolution import Window

        channels, height, width = _image("pooling", "pooling", pre)
        y, x = _axes("pooling", (height, width), self._taps(), self._step(), self.padding, 1)
        return Window(y, x, channels, channels, channels)

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact; inputs that no window covers have no synapse."""
        return Count(self.window(pre).synapses)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows of one weight."""
        from neuromorph.network.builders.convolution import convolution

        return convolution(self.window(pre), False, stream.threads)


@dataclass(frozen=True, slots=True)
class AvgPool2D:
    """Mean over windows of each channel, zeros of the padding included; the projection's ``weight`` scales it.

    Attributes
    ----------
    size, stride, padding
        As in :class:`SumPool2D`.
    """

    size: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        self._sum()

    def _sum(self) -> SumPool2D:
        return SumPool2D(self.size, self.stride, self.padding)

    @property
    def weights(self) -> float:
        """One over the window's size."""
        height, width = _pair("pooling", "size", self.size, 1)
        return 1 / (height * width)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Shapes must agree."""
        self._sum().check(pre, post, subject)

    def window(self, pre: Layer) -> Window:
        """Both axes; each channel is a group."""
        return self._sum().window(pre)

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return self._sum().count(pre, post)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows of one weight."""
        from dataclasses import replace

        return replace(self._sum().connect(pre, post, stream), weights=np.asarray(self.weights))
