"""Compiled: sums at ports, one contribution after another as the engines take them.

Each function adds what the synapses of one term bring to ``sums`` (rows, batch, n_post), row by row, source by source,
synapse by synapse: to ``rows`` rows from ``row[0]`` on, from the rows of ``fired`` and ``values`` (rows, batch, n_pre)
that lie ``ahead`` of them. ``scale`` (1,) multiplies each value. Sums of ints take spikes of value 1.
"""

# mypy: ignore-errors

from __future__ import annotations

from numba import njit


@njit(error_model="numpy")
def add_dense(row, ahead, rows, fired, values, weights, scale, sums):
    """Every source reaches every target; weights (n_pre, n_post)."""
    for to in range(row[0], row[0] + rows):
        for sample in range(fired.shape[1]):
            total = sums[to, sample]
            for source in range(fired.shape[2]):
                if fired[to + ahead, sample, source]:
                    factor = scale[0] * values[to + ahead, sample, source]
                    own = weights[source]
                    for k in range(total.size):
                        total[k] += own[k] * factor


@njit(error_model="numpy")
def add_listed(row, ahead, rows, fired, values, row_ptr, targets, weights, scale, sums):
    """Row of source s is ``row_ptr[s]`` to ``row_ptr[s + 1]`` of targets and weights."""
    for to in range(row[0], row[0] + rows):
        for sample in range(fired.shape[1]):
            total = sums[to, sample]
            for source in range(fired.shape[2]):
                if fired[to + ahead, sample, source]:
                    factor = scale[0] * values[to + ahead, sample, source]
                    for k in range(row_ptr[source], row_ptr[source + 1]):
                        total[targets[k]] += weights[k] * factor


@njit(error_model="numpy")
def add_spikes(row, ahead, rows, fired, row_ptr, targets, weights, sums):
    """As :func:`add_listed` for whole numbers."""
    for to in range(row[0], row[0] + rows):
        for sample in range(fired.shape[1]):
            total = sums[to, sample]
            for source in range(fired.shape[2]):
                if fired[to + ahead, sample, source]:
                    for k in range(row_ptr[source], row_ptr[source + 1]):
                        total[targets[k]] += weights[k]
