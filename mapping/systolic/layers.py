"""Layers as an array of multipliers sees them: matrix products, and the shapes of convolutions behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from neuromorph.errors import MappingError

SecondOperand = Literal["weights", "activations"]


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a convolution whose windows the rows of a product are.

    Attributes
    ----------
    channels : int
        Input channels of one group.
    height, width : int
        Of the input image, without padding.
    kernel, stride, padding : (int, int)
        Vertical and horizontal.
    """

    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def out_height(self) -> int:
        """Rows of the output image."""
        return (self.height + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of the output image."""
        return (self.width + 2 * self.padding[1] - self.kernel[1]) // self.stride[1] + 1


@dataclass(frozen=True, slots=True)
class Layer:
    """``repeats`` products (rows x depth) @ (depth x columns), side by side; made by :func:`conv` or :func:`gemm`.

    Attributes
    ----------
    name : str
        Unique within a network.
    rows : int
        Outputs of one column: positions of the output image, or tokens, of all samples of the batch.
    depth : int
        Products that are summed into one output.
    columns : int
        Output channels.
    inputs : int
        Different values of the first operand over all repeats; a convolution's windows overlap, so that there are
        fewer than ``rows * depth * repeats``.
    repeats : int
        Products of this shape on different operands: groups of a convolution, heads of an attention.
    second : {"weights", "activations"}
        What the second operand is: weights, read once for the whole batch, or activations (attention), which are
        different for each sample.
    window : Window, optional
        The convolution, where there is one.
    """

    name: str
    rows: int
    depth: int
    columns: int
    inputs: int
    repeats: int = 1
    second: SecondOperand = "weights"
    window: Window | None = None

    def __post_init__(self) -> None:
        for field in ("rows", "depth", "columns", "inputs", "repeats"):
            _check_whole(self.name, field, getattr(self, field))
        if self.second not in get_args(SecondOperand):
            raise MappingError(
                f"layer {self.name}: its second operand is {self.second!r}; it can be 'weights' or 'activations'",
                layer=self.name,
            )

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.rows * self.depth * self.columns * self.repeats

    @property
    def seconds(self) -> int:
        """Different values of the second operand (weights), over all repeats."""
        return self.depth * self.columns * self.repeats

    @property
    def outputs(self) -> int:
        """Output values, over all repeats."""
        return self.rows * self.columns * self.repeats

    def batched(self, samples: int) -> Layer:
        """This layer over so many samples at once: weights are shared by them, activations are not.

        Raises
        ------
        MappingError
            If ``samples`` is below 1.
        """
        if samples < 1:
            raise MappingError(f"layer {self.name}: a batch of {samples} samples; it takes at least 1", layer=self.name)
        if self.second == "activations":
            return replace(self, repeats=self.repeats * samples, inputs=self.inputs * samples)
        return replace(self, rows=self.rows * samples, inputs=self.inputs * samples)


def gemm(
    name: str, rows: int, depth: int, columns: int, *, repeats: int = 1, second: SecondOperand = "weights"
) -> Layer:
    """A matrix product: a fully connected layer of ``rows`` samples or tokens, or one of attention's two products."""
    for field, value in (("rows", rows), ("depth", depth), ("repeats", repeats)):
        _check_whole(name, field, value)
    return Layer(name, rows, depth, columns, rows * depth * repeats, repeats, second)


def conv(
    name: str,
    channels: int,
    size: int | tuple[int, int],
    filters: int,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
) -> Layer:
    """A convolution of one image, as the product of its windows with its filters.

    Parameters
    ----------
    name : str
    channels : int
        Of the input, over all groups.
    size : int or (int, int)
        Height and width of the input, without padding.
    filters : int
        Output channels, over all groups.
    kernel, stride, padding : int or (int, int)
    groups : int

    Raises
    ------
    MappingError
        If channels or filters are no multiple of the groups, or no window fits.
    """
    for field, value in (("channels", channels), ("filters", filters), ("groups", groups)):
        _check_whole(name, field, value)
    if channels % groups or filters % groups:
        raise MappingError(
            f"layer {name}: {channels} channels and {filters} filters in {groups} groups; both must be multiples of it",
            layer=name,
        )
    height, width = _pair(name, "size", size)
    strides, paddings = _pair(name, "stride", stride), _pair(name, "padding", padding, least=0)
    window = Window(channels // groups, height, width, _pair(name, "kernel", kernel), strides, paddings)
    if window.out_height < 1 or window.out_width < 1:
        raise MappingError(
            f"layer {name}: a window of {window.kernel} does not fit into {height} x {width} with a padding of "
            f"{window.padding}",
            layer=name,
        )
    depth = window.channels * window.kernel[0] * window.kernel[1]
    rows = window.out_height * window.out_width
    return Layer(name, rows, depth, filters // groups, channels * height * width, groups, "weights", window)


def batched(layers: Iterable[Layer], samples: int) -> tuple[Layer, ...]:
    """Every layer over so many samples at once; see :meth:`Layer.batched`."""
    return tuple(layer.batched(samples) for layer in layers)


def _pair(name: str, field: str, value: int | tuple[int, int], least: int = 1) -> tuple[int, int]:
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise MappingError(f"layer {name}: {field} is {value!r}; it must be one number or two", layer=name, value=value)
    for number in pair:
        _check_whole(name, field, number, least)
    return pair


def _check_whole(name: str, field: str, value: object, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise MappingError(
            f"layer {name}: {field} is {value!r}; it must be a whole number of at least {least}",
            layer=name,
            field=field,
            value=value,
        )
