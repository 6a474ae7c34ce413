"""Compiled: rows of a convolution, from the overlaps of each axis."""

# mypy: ignore-errors

from __future__ import annotations

from numba import njit


@njit(error_model="numpy")
def fill_rows(
    start, stop, row_ptr, height, width, in_group, out_group, out_height, out_width, y_ptr, y_out, y_tap, x_ptr, x_out,
    x_tap, kernel_height, kernel_width, targets, weight_index, indexed,
):  # fmt: skip
    """Rows ``[start, stop)`` of sources (channel, y, x).

    ``y_out[y_ptr[y]:y_ptr[y + 1]]`` are the output rows that input row y reaches, ascending, ``y_tap`` the kernel rows
    between them; x likewise. ``in_group`` input channels and ``out_group`` output channels make a group.
    """
    for row in range(start, stop):
        channel = row // (height * width)
        y = (row // width) % height
        x = row % width
        group = channel // in_group
        inside = channel % in_group
        at = row_ptr[row]
        for out_channel in range(group * out_group, (group + 1) * out_group):
            kernel = (out_channel * in_group + inside) * kernel_height
            for i in range(y_ptr[y], y_ptr[y + 1]):
                line = (out_channel * out_height + y_out[i]) * out_width
                taps = (kernel + y_tap[i]) * kernel_width
                for j in range(x_ptr[x], x_ptr[x + 1]):
                    targets[at] = line + x_out[j]
                    if indexed:
                        weight_index[at] = taps + x_tap[j]
                    at += 1
