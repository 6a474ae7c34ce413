"""Rows that are active together into the same groups of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .activity import Events, row_rates
from .plan import Matrix

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]


def row_ranks(
    matrices: Sequence[Matrix],
    names: Sequence[str],
    rate: Sequence[Float64],
    events: Events | None,
    height: int,
    seed: int,
) -> list[Int32]:
    """Place of every row in the order in which groups of rows are filled, int32 (rows,) for each matrix."""
    return [by_rate(row_rates(matrix, rate[matrix.index])) for matrix in matrices]


def by_rate(rate: Float64) -> Int32:
    """Busiest rows first.

    For independent neurons this is the best order of all: the number of silent groups is the sum over groups of
    exp(sum of log(1 - rate)), a convex function of sums that sorted groups spread furthest.
    """
    rank = np.empty(len(rate), np.int32)
    rank[np.argsort(-rate, kind="stable")] = np.arange(len(rate), dtype=np.int32)
    return rank
