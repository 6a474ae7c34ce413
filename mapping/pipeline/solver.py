"""Integer programs: scipy's, kept from printing."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE = b"transformNewIntegerFeasibleSolution"
"""What HiGHS prints when it repairs a solution, whatever its options say (HiGHS.jl, issues 312 and 318)."""

_ONE = Lock()


@dataclass(frozen=True)
class Rows:
    """Linear rows, ``low <= values @ x <= high``, of a matrix that is given by its entries.

    Attributes
    ----------
    at, columns : NDArray[np.int64]
        (entries,) row and column.
    values : NDArray[np.float64]
        (entries,)
    low, high : NDArray[np.float64]
        (rows,)
    """

    at: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def solve(
    costs: NDArray[np.float64],
    whole: NDArray[np.bool_],
    most: NDArray[np.float64],
    rows: Sequence[Rows],
    gap: float,
) -> NDArray[np.float64] | None:
    """The cheapest ``x`` from 0 to ``most`` that keeps all rows, to within a share ``gap`` of its cost.

    Parameters
    ----------
    costs, most : NDArray[np.float64]
        (variables,)
    whole : NDArray[np.bool_]
        (variables,) which are whole numbers.
    rows : sequence of Rows
    gap : float

    Returns
    -------
    NDArray[np.float64] or None
        (variables,) None if nothing was found within :data:`NODES` nodes.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    matrices = [csr_array((each.values, (each.at, each.columns)), (len(each.low), len(costs))) for each in rows]
    with quiet():
        solved = milp(
            costs,
            integrality=whole.astype(np.int64),
            bounds=Bounds(0, most),
            constraints=[
                LinearConstraint(matrix, each.low, each.high) for matrix, each in zip(matrices, rows, strict=True)
            ],
            options={"mip_rel_gap": gap, "presolve": False, "node_limit": NODES},
        )
    found: NDArray[np.float64] | None = solved.x
    return found


NODES = 20_000
"""Nodes of a search, after which the best that was found is taken."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what HiGHS prints off the standard output of the process.

    HiGHS writes with C's ``printf`` to file descriptor 1, so for as long as this lasts the descriptor leads to a
    temporary file, of which afterwards everything but HiGHS's lines is written where it belongs: what other threads
    print meanwhile comes late, but comes. Only one thread at a time gets here. A process that another thread starts
    meanwhile keeps the temporary file as its output. Where there is no such descriptor, or no C library to flush,
    nothing is done.
    """
    with _ONE:
        try:
            flush: Any = ctypes.CDLL(None).fflush
            flush(None)
            kept = os.dup(1)
        except (OSError, TypeError, AttributeError):
            yield
            return
        try:
            with tempfile.TemporaryFile() as caught:
                os.dup2(caught.fileno(), 1)
                try:
                    yield
                finally:
                    flush(None)
                    os.dup2(kept, 1)
                    caught.seek(0)
                    for line in caught:
                        if NOISE not in line:
                            os.write(1, line)
        finally:
            os.close(kept)
