"""Convolutions among linear operators: one stays a convolution while it is picked from, placed and scaled.

A matrix is here a SciPy sparse array or a `Kernel`, (size of the target, size of the source).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse

from neuromorph.interchange.nengo.transforms import Shared

Array = npt.NDArray[np.float64]
Matrix: TypeAlias = "Any | Kernel"
"""A SciPy sparse array or a `Kernel`."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """Synapses with a shared kernel, and a factor for each target.

    Attributes
    ----------
    shared : Shared
    gain : array (targets,)
        0 where no synapse arrives.
    """

    shared: Shared
    gain: Array

    @classmethod
    def of(cls, shared: Shared) -> Kernel:
        """A convolution as it is."""
        return cls(shared, np.bincount(shared.post, minlength=shared.shape[0]).astype(np.bool_).astype(np.float64))

    @property
    def shape(self) -> tuple[int, int]:
        """Targets, sources."""
        return self.shared.shape

    @property
    def nnz(self) -> int:
        """Number of synapses."""
        return len(self.shared.pre)

    def matrix(self) -> Any:
        """The same as a sparse array."""
        return sparse.csr_array(sparse.diags_array(self.gain) @ self.shared.matrix())

    def even(self) -> Shared | None:
        """The synapses alone if all targets have the same factor, which the kernel then takes; else None."""
        found = np.unique(self.gain[self.shared.post])
        return self.shared * float(found[0]) if len(found) == 1 else None


def matrix_of(term: Matrix) -> Any:
    """As a sparse array."""
    return term.matrix() if isinstance(term, Kernel) else term


def product(left: Matrix, right: Matrix) -> Matrix:
    """Left after right; a kernel stays shared between matrices that have at most one number in a row and a column."""
    made: Matrix | None = None
    if isinstance(right, Kernel) and not isinstance(left, Kernel):
        made = _after(left, right)
    elif isinstance(left, Kernel) and not isinstance(right, Kernel):
        made = _before(left, right)
    return matrix_of(left) @ matrix_of(right) if made is None else made


def summed(one: Matrix, other: Matrix) -> Any:
    """The sum, which shares nothing."""
    return matrix_of(one) + matrix_of(other)


def places(matrix: Any) -> tuple[Any, Any, Array] | None:
    """Rows, columns and factors of a matrix with at most one number in each row and column; None for another."""
    coo = matrix.tocoo()
    keep = coo.data != 0
    row, col, data = coo.row[keep], coo.col[keep], coo.data[keep]
    if len(np.unique(row)) < len(row) or len(np.unique(col)) < len(col):
        return None
    return row, col, data


def _after(matrix: Any, kernel: Kernel) -> Kernel | None:
    """Targets elsewhere."""
    found = places(matrix)
    if found is None:
        return None
    row, col, data = found
    to = np.full(matrix.shape[1], -1, np.int64)
    to[col] = row
    gain = np.zeros(matrix.shape[0])
    gain[row] = data * kernel.gain[col]
    return Kernel(_kept(kernel.shared, kernel.shared.pre, to[kernel.shared.post], (matrix.shape[0], -1)), gain)


def _before(kernel: Kernel, matrix: Any) -> Kernel | None:
    """Sources elsewhere."""
    found = places(matrix)
    if found is None or len(np.unique(found[2])) > 1:
        return None
    row, col, data = found
    source = np.full(matrix.shape[0], -1, np.int64)
    source[row] = col
    shared = _kept(kernel.shared, source[kernel.shared.pre], kernel.shared.post, (-1, matrix.shape[1]))
    used = np.bincount(shared.post, minlength=shared.shape[0]) > 0
    return Kernel(shared * float(data[0] if len(data) else 1.0), np.where(used, kernel.gain, 0.0))


def _kept(shared: Shared, pre: Any, post: Any, shape: tuple[int, int]) -> Shared:
    """Synapses with other ends, without those that have lost one; -1 keeps a size."""
    keep = (pre >= 0) & (post >= 0)
    sizes = shape[0] if shape[0] >= 0 else shared.shape[0], shape[1] if shape[1] >= 0 else shared.shape[1]
    return replace(shared, shape=sizes, pre=pre[keep], post=post[keep], place=shared.place[keep])
