"""Storage as geometry: convolutions and pooling whose synapses are found from the shape, not stored.

An event of input channel c at (y, x) reaches, in each output channel of its group, a patch of the plane: along each
axis a few outputs at equal distances, with kernel points at equal distances. So an axis takes three numbers for each
place. The kernel is kept by input channel, mirrored along both axes, so that weights lie in the order of their use.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import address
from neuromorph.network.builders.convolution import Axis, Window
from neuromorph.network.synapses import Synapses

from .frame import HEAD, Traffic, amount, each_event, factor, kernel_text, scale_bits

Array = npt.NDArray[Any]

TABLES = tuple(f"{axis}_{what}" for axis in "yx" for what in ("out", "tap", "number"))
SIZES = ("height", "width", "in_group", "out_group", "out_channels", "out_height", "out_width", "taps_y", "taps_x")
FIELDS = ("lo", "hi", *TABLES, *SIZES, "y_step", "y_tap_step", "weights", "delays", "scale")


@dataclass(frozen=True, eq=False)
class Places:
    """One axis: for each input place the first output, the mirrored kernel point between, and how many follow.

    Attributes
    ----------
    out, tap, number : int64 (places,)
    step, tap_step : int
        From one output to the next, and from one kernel point to the next.
    """

    out: npt.NDArray[np.int64]
    tap: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    step: int
    tap_step: int

    @classmethod
    def of(cls, axis: Axis) -> Places:
        """The places of an axis of a convolution."""
        pointers, outputs, taps = axis.overlaps()
        first, number = pointers[:-1], np.diff(pointers)
        some = number > 0
        out, tap = np.zeros_like(first), np.zeros_like(first)
        out[some], tap[some] = outputs[first[some]], axis.taps - 1 - taps[first[some]]
        common = gcd(axis.stride, axis.dilation)
        return cls(out, tap, number, axis.dilation // common, axis.stride // common)


@dataclass(frozen=True, eq=False)
class Geometry:
    """One convolution or pooling.

    Attributes
    ----------
    window : Window
    y, x : Places
    weights : array
        (in channels / groups, out channels, height, width), mirrored, flat; or ().
    delays : array ()
    scale : float or None
        Of quantised weights.
    """

    window: Window
    y: Places
    x: Places
    weights: Array
    delays: Array
    scale: float | None

    def arrays(self) -> dict[str, int]:
        """Bytes of each array."""
        places = sum(a.nbytes for axis in (self.y, self.x) for a in (axis.out, axis.tap, axis.number))
        return {"kernel": self.weights.nbytes, "places": places, "delays": self.delays.nbytes}

    def __str__(self) -> str:
        weights = f"{'kernel of' if self.weights.ndim else 'one'} {self.weights.dtype} weights"
        return f"geometry, {weights}{', scaled' * (self.scale is not None)}, one delay"

    @property
    def channels_first(self) -> bool:
        """Whether a patch is done channel by channel, not line by line.

        Lines of neighbouring channels that lie a multiple of 4,096 bytes apart look alike to a processor that compares
        the low bits of addresses: reads of one would wait for writes to the other.
        """
        return self.window.y.out * self.window.x.out % 1024 == 0

    def items(self, head: dict[str, int], traffic: Traffic, lo: int, hi: int) -> list[npt.NDArray[np.int64]]:
        """Items that deliver to targets ``[lo, hi)``; ``head`` holds the fields of :data:`~.frame.HEAD`."""
        window = self.window
        tables = [address(a) for axis in (self.y, self.x) for a in (axis.out, axis.tap, axis.number)]
        sizes = (
            window.y.size, window.x.size, window.channels // window.groups, window.out_channels // window.groups,
            window.out_channels, window.y.out, window.x.out, window.y.taps, window.x.taps,
        )  # fmt: skip
        return [
            make_item(
                (*HEAD, *FIELDS),
                **head,
                lo=lo,
                hi=hi,
                **dict(zip(TABLES, tables, strict=True)),
                **dict(zip(SIZES, sizes, strict=True)),
                y_step=self.y.step,
                y_tap_step=self.y.tap_step,
                weights=address(self.weights),
                delays=address(self.delays),
                scale=scale_bits(self.scale),
            )
        ]

    def source(self, traffic: Traffic) -> str:
        """The kernel."""
        scaled, own, most = self.scale is not None, self.weights.ndim > 0, int(self.x.number.max(initial=0))
        times = factor(traffic, scaled, "first + j") if own else ""
        if own:
            weight = f"np.{traffic.sums}(weights[tap + np.uint64({self.x.tap_step}) * q]){' * times' * bool(times)}"
        else:
            weight = "contribution"
        target = f"target + np.uint64({self.x.step}) * q"
        add = f"ring[base + {target}] += {weight}"
        unsigned = ("lo", "hi", *SIZES, "y_step", "y_tap_step")
        event = [
            "s = np.uint64(fired[first + j])",
            *([f"times = {times}"] if times else []),
            *([] if own else [f"contribution = {amount('w', traffic, scaled, 'first + j')}"]),
            "channel = s // (height * width)",
            "at_y = (s // width) % height",
            "at_x = s % width",
            "group = channel // in_group",
            "kernel = (channel - group * in_group) * out_channels",
            "number = np.uint64(x_number[at_x])",
            f"span = np.uint64({self.x.step}) * (number - ONE)",
            "begin, end = max(group * out_group, lo // plane), min((group + ONE) * out_group, last)",
            *(_by_channel(most, target, add) if self.channels_first else _by_line(most, target, add)),
        ]
        body = [
            *(f"{name} = np.uint64({name})" for name in unsigned),
            "plane, points = out_height * out_width, taps_y * taps_x",
            "last = (hi + plane - ONE) // plane",
            "base = np.uint64(((step + np.int64(delays[Z])) & ring_mask) * row + port)",
            *([] if own else [f"w = np.{traffic.sums}(weights[Z])"]),
            *each_event(event),
        ]
        arrays = dict.fromkeys(TABLES, "int64")
        arrays |= {"weights": str(self.weights.dtype), "delays": str(self.delays.dtype)}
        return kernel_text(str(self), FIELDS, traffic, arrays, body)

    def rows(self) -> dict[str, Array | None]:
        """The same connections as the arrays of plain :class:`~neuromorph.network.synapses.Synapses`."""
        from neuromorph.network.builders.convolution import convolution

        made = convolution(self.window, self.weights.ndim > 0, 1)
        weights = self.weights
        if weights.ndim:
            weights = _mirrored(weights.reshape(_kernel_shape(self.window)).swapaxes(0, 1)).reshape(-1)
        return {
            "row_ptr": made.row_ptr,
            "targets": made.targets,
            "weights": weights,
            "weight_index": made.weight_index,
            "delays": self.delays,
        }


_LINE = (
    "line = (np.uint64(y_out[at_y]) + i * y_step) * out_width + np.uint64(x_out[at_x])",
    "point = (np.uint64(y_tap[at_y]) + i * y_tap_step) * taps_x + np.uint64(x_tap[at_x])",
)
_PLACE = "target, tap = out * plane + line, (kernel + out) * points + point"


def _by_channel(most: int, target: str, add: str) -> list[str]:
    """Lines that do the patch of each output channel before the next."""
    return [
        "for out in range(begin, end):",
        "    for i in range(np.uint64(y_number[at_y])):",
        *("        " + line for line in (*_LINE, _PLACE)),
        f"        if number == np.uint64({most}) and target >= lo and target + span < hi:",
        f"            for q in range(np.uint64({most})):",
        f"                {add}",
        "        else:",
        "            for q in range(number):",
        f"                if lo <= {target} < hi:",
        f"                    {add}",
    ]


def _by_line(most: int, target: str, add: str) -> list[str]:
    """Lines that do one line of the patch in all output channels before the next."""
    return [
        "for i in range(np.uint64(y_number[at_y])):",
        *("    " + line for line in _LINE),
        "    inside = begin * plane + line >= lo and (end - ONE) * plane + line + span < hi",
        f"    if number == np.uint64({most}) and inside:",
        "        for out in range(begin, end):",
        f"            {_PLACE}",
        f"            for q in range(np.uint64({most})):",
        f"                {add}",
        "    else:",
        "        for out in range(begin, end):",
        f"            {_PLACE}",
        "            for q in range(number):",
        f"                if lo <= {target} < hi:",
        f"                    {add}",
    ]


def _kernel_shape(window: Window) -> tuple[int, int, int, int]:
    return window.channels // window.groups, window.out_channels, window.y.taps, window.x.taps


def _mirrored(kernel: Array) -> Array:
    return np.ascontiguousarray(kernel[:, :, ::-1, ::-1])


def make_geometry(synapses: Synapses) -> Geometry:
    """Store a convolution or pooling with one delay by its geometry."""
    window = synapses.geometry
    assert window is not None
    weights, delays = np.asarray(synapses.weights, order="C"), np.asarray(synapses.delays)
    if weights.ndim:
        inputs, outputs, *taps = _kernel_shape(window)
        weights = _mirrored(weights.reshape(outputs, inputs, *taps).swapaxes(0, 1)).reshape(-1)
    return Geometry(window, Places.of(window.y), Places.of(window.x), weights, delays, synapses.weight_scale)
