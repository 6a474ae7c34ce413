"""Build convolutions and pooling as rows of synapses that share a kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.native import compiled
from neuromorph.network.builders.parallel import blocks, for_each
from neuromorph.network.builders.random import ROW_BLOCKS, row_pointers
from neuromorph.network.rules.rule import Connections, target_dtype

Ints = npt.NDArray[np.int64]

fill_rows = compiled("neuromorph.network.builders.convolution_kernels", "fill_rows")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a convolution: ``taps`` kernel points over ``size`` inputs with zeros before and after."""

    size: int
    taps: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def out(self) -> int:
        """Outputs; 0 or less if the kernel does not fit."""
        return (self.size + self.before + self.after - self.dilation * (self.taps - 1) - 1) // self.stride + 1

    def overlaps(self) -> tuple[Ints, Ints, Ints]:
        """For each input its outputs, ascending, and the tap between: (pointers, outputs, taps)."""
        pointers, outputs, taps = [0], [], []
        for place in range(self.size):
            for tap in reversed(range(self.taps)):
                shifted = place + self.before - tap * self.dilation
                if shifted >= 0 and shifted % self.stride == 0 and shifted // self.stride < self.out:
                    outputs.append(shifted // self.stride)
                    taps.append(tap)
            pointers.append(len(outputs))
        return np.array(pointers, np.int64), np.array(outputs, np.int64), np.array(taps, np.int64)

    def links(self) -> int:
        """Number of (input, output) pairs that touch."""
        return int(self.overlaps()[0][-1])


@dataclass(frozen=True, slots=True)
class Window:
    """A whole convolution: two axes, channels and groups."""

    y: Axis
    x: Axis
    channels: int
    out_channels: int
    groups: int = 1

    @property
    def synapses(self) -> int:
        """Exact number of synapses."""
        return self.channels * (self.out_channels // self.groups) * self.y.links() * self.x.links()


def convolution(window: Window, indexed: bool, threads: int) -> Connections:
    """Rows of ``window``; ``indexed`` adds each synapse's place in the kernel (out, in / groups, height, width)."""
    y, x = window.y, window.x
    y_ptr, y_out, y_tap = y.overlaps()
    x_ptr, x_out, x_tap = x.overlaps()
    in_group, out_group = window.channels // window.groups, window.out_channels // window.groups
    per_channel = np.multiply.outer(np.diff(y_ptr), np.diff(x_ptr)).ravel() * out_group
    row_ptr = row_pointers(np.tile(per_channel, window.channels))
    kernel_size = window.out_channels * in_group * y.taps * x.taps
    n_post = window.out_channels * y.out * x.out
    targets = np.empty(row_ptr[-1], target_dtype(n_post))
    weight_index = np.empty(row_ptr[-1] if indexed else 0, target_dtype(kernel_size))
    for_each(
        lambda a, b: fill_rows(
            a, b, row_ptr, y.size, x.size, in_group, out_group, y.out, x.out, y_ptr, y_out, y_tap, x_ptr, x_out,
            x_tap, y.taps, x.taps, targets, weight_index, indexed,
        ),
        blocks(len(row_ptr) - 1, ROW_BLOCKS),
        threads,
    )  # fmt: skip
    return Connections(row_ptr, targets, weight_index=weight_index if indexed else None)
