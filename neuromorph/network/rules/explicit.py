"""Connections given as data: a full matrix, or a list of synapses in any sparse form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Connections, Count, Layer, Stream
from neuromorph.network.values import magnitude

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Dense:
    """A weight for every pair; zeros are synapses like any other.

    The array is not copied; float32, int8, int16 and int32 stay as they are.

    Attributes
    ----------
    weights : array or Quantity (n_pre, n_post)
    """

    weights: Any

    def __post_init__(self) -> None:
        if np.ndim(magnitude(self.weights)) != 2:
            raise NetworkError(
                f"Dense: weights have shape {np.shape(magnitude(self.weights))}; give a matrix (n_pre, n_post)",
                shape=np.shape(magnitude(self.weights)),
            )

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Shape (n_pre, n_post)."""
        _check_matrix("Dense", np.shape(magnitude(self.weights)), pre, post, subject)

    def count(self, pre: Layer, post: Layer) -> Count:
        """All pairs."""
        return Count(pre.size * post.size, dense=True)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Dense rows."""
        return Connections(None, None, weights=np.asarray(magnitude(self.weights)).reshape(-1))


def _check_matrix(rule: str, shape: tuple[int, ...], pre: Layer, post: Layer, subject: str) -> None:
    if shape != (pre.size, post.size):
        hint = "; transpose it" if shape == (post.size, pre.size) else ""
        raise NetworkError(
            f"{subject}: {rule} has shape {shape}, expected (n_pre, n_post) = ({pre.size}, {post.size}){hint}",
            shape=shape,
            expected=(pre.size, post.size),
        )


@dataclass(frozen=True, eq=False)
class Sparse:
    """Synapses one by one; a pair that stands twice is two synapses.

    Attributes
    ----------
    synapses
        One of: a SciPy sparse matrix or array of any format, shape (n_pre, n_post), whose stored entries, zeros
        included, are the synapses; a tuple of columns ``(pre, post)``, ``(pre, post, weight)`` or
        ``(pre, post, weight, delay)``; a list of such rows. Weights and delays may be quantities; without weights the
        projection's ``weight`` holds.
    """

    synapses: Any
    pre: Array | None = field(init=False, repr=False)
    post: Array | None = field(init=False, repr=False)
    weights: Any = field(init=False, repr=False)
    delays: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        columns: Sequence[Any]
        given = self.synapses
        if hasattr(given, "tocoo"):
            columns = (None, None, given.data if given.format in ("csr", "csc", "coo") else given.tocoo().data, None)
        elif isinstance(given, tuple):
            columns = given
        elif isinstance(given, list):
            columns = _columns(given)
        else:
            raise NetworkError(
                f"Sparse: cannot read a {type(given).__name__}; give a SciPy sparse matrix, a tuple of arrays "
                "(pre, post[, weight[, delay]]) or a list of rows (pre, post[, weight[, delay]])"
            )
        if not 2 <= len(columns) <= 4:
            raise NetworkError(f"Sparse: {len(columns)} columns; give pre, post and perhaps weight and delay")
        pre, post, weights, delays = (*columns, None, None)[:4]
        if pre is not None:
            pre, post = _indices("pre", pre), _indices("post", post)
            lengths = {len(pre), len(post)}
            lengths |= {np.size(magnitude(c)) for c in (weights, delays) if c is not None and np.ndim(magnitude(c))}
            if len(lengths) > 1:
                raise NetworkError(f"Sparse: columns have different lengths {sorted(lengths)}", lengths=lengths)
        for name, value in zip(("pre", "post", "weights", "delays"), (pre, post, weights, delays), strict=True):
            object.__setattr__(self, name, value)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Matrix shape (n_pre, n_post), or indices within the populations."""
        if self.pre is None or self.post is None:
            _check_matrix("Sparse", tuple(self.synapses.shape), pre, post, subject)
            return
        for side, indices, layer in (("source", self.pre, pre), ("target", self.post, post)):
            if len(indices) and not (indices.min() >= 0 and indices.max() < layer.size):
                wrong = int(indices.min() if indices.min() < 0 else indices.max())
                raise NetworkError(
                    f"{subject}: Sparse names {side} {wrong}; {layer.name} has neurons 0 to {layer.size - 1}",
                    index=wrong,
                    size=layer.size,
                )

    def count(self, pre: Layer, post: Layer) -> Count:
        """Stored entries."""
        entries = self.synapses.nnz if self.pre is None else len(self.pre)
        return Count(int(entries), transient=16 * int(entries))

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows, ascending; equal pairs keep the order in which they were given."""
        from neuromorph.network.builders.sparse import from_pairs, from_rows

        weights = None if self.weights is None else np.asarray(magnitude(self.weights))
        delays = None if self.delays is None else np.asarray(magnitude(self.delays))
        order: Array | None
        if self.pre is not None and self.post is not None:
            row_ptr, targets, order = from_pairs(self.pre, self.post, pre.size, post.size)
        elif self.synapses.format == "csr":
            row_ptr, targets, order = from_rows(self.synapses.indptr, self.synapses.indices, post.size)
        elif self.synapses.format == "csc":
            sources = self.synapses.indices
            columns = np.repeat(np.arange(post.size, dtype=np.uint32), np.diff(self.synapses.indptr))
            row_ptr, targets, order = from_pairs(sources, columns, pre.size, post.size)
        else:
            coo = self.synapses.tocoo()
            row_ptr, targets, order = from_pairs(coo.row, coo.col, pre.size, post.size)
        if order is not None:
            weights = weights[order] if weights is not None and weights.ndim else weights
            delays = delays[order] if delays is not None and delays.ndim else delays
        return Connections(row_ptr, targets, weights=weights, delays=delays)


def _indices(name: str, column: Any) -> Array:
    array = np.asarray(column)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NetworkError(f"Sparse: {name} has type {array.dtype} and shape {array.shape}; give a list of ints")
    return array if array.size else array.astype(np.int64)


def _columns(rows: list[Any]) -> tuple[Any, ...]:
    """Columns of a list of rows; quantities keep their unit."""
    from neuromorph.network.values import stack

    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise NetworkError(f"Sparse: rows have different lengths {sorted(widths)}", lengths=widths)
    width = widths.pop() if widths else 2
    pre, post = ([row[k] for row in rows] for k in (0, 1)) if width >= 2 else ([], [])
    return (pre, post, *(stack([row[k] for row in rows]) for k in range(2, width)))
