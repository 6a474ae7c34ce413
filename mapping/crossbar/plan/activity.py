"""How often rows are driven, in which order they stand, and how many blocks stay silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .matrix import Matrix
from .plan import Blocks

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Rates = Mapping[str, float | npt.NDArray[Any]]
Events = Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]


def line_rates(matrix: Matrix, names: Sequence[str], rates: Rates | None, steps: int, events: Events | None) -> Float64:
    """Probability that each line of a matrix sends an event in a step, float64 (lines,).

    Parameters
    ----------
    names : sequence of str
        Of the populations.
    rates : mapping of population name to events a step (scalar or by neuron), optional
        Of populations that are not in ``events``; 1 for those that are in neither.
    steps : int
        Of the run that gave ``events``.
    events : mapping of population name to (steps, neurons), optional
    """
    found = np.ones(matrix.lines)
    for k, source in enumerate(matrix.sources):
        inside = slice(int(matrix.source_first[k]), int(matrix.source_first[k + 1]))
        size, name = inside.stop - inside.start, names[source]
        if events is not None and name in events:
            _, neurons = events[name]
            found[inside] = np.bincount(neurons, minlength=size)[:size] / max(steps, 1)
        elif rates is not None and name in rates:
            found[inside] = rates[name]
    return np.minimum(found, 1.0)


def check_activity(rates: Rates | None, events: Events | None, names: Sequence[str], sizes: Sequence[int]) -> int:
    """The number of steps that events span, 0 without any.

    Raises
    ------
    MappingError
        No such population, rates that are none, or steps and neurons that do not match.
    """
    for what, given in (("rates", rates), ("events", events)):
        strange = [name for name in given or () if name not in names]
        if strange:
            raise MappingError(
                f"{what} of population {strange[0]!r}: the network has {', '.join(names)}", population=strange[0]
            )
    for name, given_rate in (rates or {}).items():
        rate, size = np.asarray(given_rate, np.float64), sizes[names.index(name)]
        if rate.shape not in ((), (size,)) or not (np.isfinite(rate) & (rate >= 0)).all():
            raise MappingError(
                f"rates of population {name}: one number of at least 0, or one for each of {size} neurons, is "
                f"expected; found an array of shape {rate.shape}"
                + (f" from {rate.min():g} to {rate.max():g}" if rate.size else ""),
                population=name,
            )
    last = 0
    for name, (steps, neurons) in (events or {}).items():
        size = sizes[names.index(name)]
        if np.shape(steps) != np.shape(neurons) or np.ndim(steps) != 1:
            raise MappingError(
                f"events of population {name}: give a step and a neuron for each, found arrays of shapes "
                f"{np.shape(steps)} and {np.shape(neurons)}",
                population=name,
            )
        if len(steps) and (np.min(steps) < 0 or np.min(neurons) < 0 or np.max(neurons) >= size):
            raise MappingError(
                f"events of population {name}: steps from {np.min(steps)} and neurons from {np.min(neurons)} to "
                f"{np.max(neurons)} found; steps begin at 0, and there are {size} neurons",
                population=name,
            )
        last = max(last, int(np.max(steps, initial=-1)) + 1)
    return last


def row_rates(matrix: Matrix, rate: Float64) -> Float64:
    """Probability that each row is driven in a pass, float64 (rows,): the mean over passes where there are several."""
    if matrix.entry_ptr is None or matrix.entry_row is None:
        return rate
    weights = np.repeat(rate, np.diff(matrix.entry_ptr))
    return np.bincount(matrix.entry_row, weights, matrix.rows) / matrix.passes


def silent_share(
    blocks: Blocks,
    matrices: Sequence[Matrix],
    names: Sequence[str],
    rate: Sequence[Float64],
    steps: int = 0,
    events: Events | None = None,
) -> float:
    """Share of the blocks that no active row reaches in a step (in each of its passes): those need not be read.

    Counted in the events where those of all sources of a matrix are given; else expected of independent neurons of the
    given rates. Copies of a block share its passes and count once.
    """
    silent = total = 0.0
    for matrix in matrices:
        those = np.flatnonzero((blocks.matrix == matrix.index) & (blocks.replica == 0))
        if not len(those):
            continue
        if events is not None and steps and all(names[source] in events for source in matrix.sources):
            share = 1.0 - _touched(blocks, those, matrix, names, events) / (steps * len(those) * matrix.passes)
        else:
            share = float(_silences(blocks, those, row_rates(matrix, rate[matrix.index])).mean())
        silent += share * len(those) * matrix.passes
        total += len(those) * matrix.passes
    return silent / total if total else 0.0


def block_activity(blocks: Blocks, matrices: Sequence[Matrix], rate: Sequence[Float64]) -> Float64:
    """Reads expected of each block in a step: its passes, weighted by the chance that a row is driven."""
    found = np.zeros(len(blocks))
    for matrix in matrices:
        those = np.flatnonzero(blocks.matrix == matrix.index)
        if len(those):
            copies = int(blocks.replica[those].max()) + 1
            found[those] = (1.0 - _silences(blocks, those, row_rates(matrix, rate[matrix.index]))) * (
                matrix.passes / copies
            )
    return found


def _silences(blocks: Blocks, those: npt.NDArray[Any], rate: Float64) -> Float64:
    """Chance that no row of each block is driven, neurons independent."""
    from ._plan_kernels import sums_of_lists

    with np.errstate(divide="ignore"):
        quiet = np.log1p(-rate)
    lists, inverse = np.unique(blocks.row_list[those], return_inverse=True)
    found: Float64 = np.exp(sums_of_lists(quiet, lists, blocks.list_ptr, blocks.listed))
    return found[inverse.ravel()]


def _touched(blocks: Blocks, those: npt.NDArray[Any], matrix: Matrix, names: Sequence[str], events: Events) -> int:
    """Times that a block was reached by an event, each step and pass once."""
    from ._plan_kernels import count_touched, transpose_rows

    step, line = lines_of_events(matrix, names, events)
    row_ptr, block, _ = transpose_rows(
        matrix.rows, those.astype(np.int32), blocks.row_list, blocks.list_ptr, blocks.listed
    )
    entry_ptr, entry_row, entry_pass = entries(matrix)
    order = np.argsort(step, kind="stable")
    return int(
        count_touched(
            step[order], line[order], entry_ptr, entry_row, entry_pass, row_ptr, block - int(those[0]),
            int(those[-1] - those[0]) + 1, matrix.passes,
        )
    )  # fmt: skip


def lines_of_events(matrix: Matrix, names: Sequence[str], events: Events) -> tuple[Int64, Int64]:
    """Step and line of every event of a matrix's sources, by source."""
    step, line = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for k, source in enumerate(matrix.sources):
        if names[source] in events:
            when, neurons = events[names[source]]
            step.append(np.asarray(when, np.int64))
            line.append(np.asarray(neurons, np.int64) + int(matrix.source_first[k]))
    return np.concatenate(step), np.concatenate(line)


def entries(matrix: Matrix) -> tuple[Int64, Int32, Int32]:
    """The entries of a matrix, also where lines are rows."""
    if matrix.entry_ptr is not None and matrix.entry_row is not None and matrix.entry_pass is not None:
        return matrix.entry_ptr, matrix.entry_row, matrix.entry_pass
    n = matrix.lines
    return np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), np.zeros(n, np.int32)
