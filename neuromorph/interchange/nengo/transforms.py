"""Nengo's transforms as weights of projections: matrices, full or sparse, and convolutions that share a kernel.

Weights of a path are an array, a SciPy sparse array or `Shared`, each (size of the target, size of the source).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse

from neuromorph.errors import NetworkError
from neuromorph.network import Dense, Sparse
from neuromorph.network.rules.rule import Connections, Count, Layer, Rule, Stream, target_dtype

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Shared:
    """Synapses that take their weights from one kernel; a connection rule.

    Attributes
    ----------
    shape : (int, int)
        Size of the target, size of the source.
    pre, post, place : int arrays (synapses,)
        Source, target and place in the kernel of each synapse.
    weights : array
        The kernel.
    """

    shape: tuple[int, int]
    pre: Array
    post: Array
    place: Array
    weights: Array

    @property
    def kernel_size(self) -> int:
        """Number of shared weights."""
        return int(self.weights.size)

    def __mul__(self, factor: float) -> Shared:
        """The same synapses with a kernel so many times as large."""
        return replace(self, weights=self.weights * factor)

    def within(self, shape: tuple[int, int], target: int, source: int) -> Shared:
        """The same synapses in a larger matrix of this shape, from the given row and column on."""
        return replace(self, shape=shape, pre=self.pre + source, post=self.post + target)

    def matrix(self) -> Any:
        """The same as a sparse array."""
        return scipy.sparse.csr_array((self.weights.ravel()[self.place], (self.post, self.pre)), shape=self.shape)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Sizes must agree."""
        if (post.size, pre.size) != self.shape:
            raise NetworkError(
                f"{subject}: the convolution goes from {self.shape[1]} to {self.shape[0]} neurons, {pre.name} has "
                f"{pre.size} and {post.name} {post.size}",
                expected=self.shape,
                got=(post.size, pre.size),
            )

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return Count(len(self.pre), transient=24 * len(self.pre))

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Rows with an index into the kernel."""
        from neuromorph.network.builders.sparse import from_pairs

        row_ptr, targets, order = from_pairs(self.pre, self.post, pre.size, post.size)
        index = self.place[order].astype(target_dtype(self.kernel_size))
        return Connections(row_ptr, targets, weights=self.weights.reshape(-1), weight_index=index)


Weights: TypeAlias = "Array | scipy.sparse.csr_array | Shared"


def transform_weights(transform: Any, built: Any, size: int) -> Weights:
    """What a built connection multiplies by.

    Parameters
    ----------
    transform : nengo.transforms.Transform
    built : array, sparse matrix, number or None
        Its weights as Nengo drew them, ``model.params[connection].weights``; None is the identity.
    size : int
        Of what it multiplies; a number or a vector stands for a diagonal.
    """
    if type(transform).__name__ in ("Convolution", "ConvolutionTranspose"):
        return convolution(transform, np.asarray(built, np.float64))
    if hasattr(built, "allocate") or scipy.sparse.issparse(built):
        return scipy.sparse.csr_array(built.allocate() if hasattr(built, "allocate") else built)
    values = np.ones(()) if built is None else np.asarray(built, np.float64)
    if values.ndim == 2:
        return values
    return scipy.sparse.csr_array(scipy.sparse.diags_array(np.broadcast_to(values, size).astype(np.float64)))


def convolution(transform: Any, kernel: Array) -> Shared:
    """A convolution or its transpose, of any number of dimensions, strides, groups and either layout of channels.

    Parameters
    ----------
    transform : nengo.Convolution or nengo.ConvolutionTranspose
    kernel : array (\\*kernel size, input channels / groups, output channels)
    """
    transposed = type(transform).__name__ == "ConvolutionTranspose"
    near, far = transform.input_shape, transform.output_shape
    axes = zip(near.spatial_shape, far.spatial_shape, transform.kernel_size, transform.strides, strict=True)
    same = transform.padding == "same"
    meeting = []
    for here, there, taps, stride in axes:
        if transposed:
            large, small, tap = _overlap(here, there, taps, stride, _before_transposed(same, here, there, taps, stride))
            meeting.append((small, large, tap))
        else:
            meeting.append(_overlap(there, here, taps, stride, _before(same, here, there, taps, stride)))
    source = _places([t[0] for t in meeting], near.spatial_shape)
    target = _places([t[1] for t in meeting], far.spatial_shape)
    tap = _places([t[2] for t in meeting], transform.kernel_size)
    per_group, filters = kernel.shape[-2], kernel.shape[-1]
    groups = near.n_channels // per_group
    ci, co = np.meshgrid(np.arange(near.n_channels), np.arange(filters), indexing="ij")
    joined = ci // per_group == co // (filters // groups)
    ci, co = ci[joined], co[joined]
    pre = _flat(source[:, None], ci, near, transform.channels_last)
    post = _flat(target[:, None], co, far, transform.channels_last)
    place = (tap[:, None] * per_group + ci % per_group) * filters + co
    return Shared((far.size, near.size), pre.ravel(), post.ravel(), place.ravel(), kernel)


def _before(same: bool, size: int, out: int, taps: int, stride: int) -> int:
    """Zeros before an axis."""
    return max((out - 1) * stride + taps - size, 0) // 2 if same else 0


def _before_transposed(same: bool, size: int, out: int, taps: int, stride: int) -> int:
    """The same for a transposed convolution, from ``size`` to ``out``."""
    if not same:
        return 0
    padded = min(max(out + taps - 1 - ((size - 1) * stride + 1), 0), 2 * (taps - 1))
    return taps - 1 - (padded + 1) // 2


def _overlap(small: int, large: int, taps: int, stride: int, before: int) -> tuple[Array, Array, Array]:
    """Places on the larger axis, on the smaller and in the kernel that meet: large = small * stride + tap - before."""
    o, tap = np.meshgrid(np.arange(small), np.arange(taps), indexing="ij")
    place = o * stride + tap - before
    inside = (place >= 0) & (place < large)
    return place[inside], o[inside], tap[inside]


def _places(axes: Sequence[Array], shape: Sequence[int]) -> Array:
    """Every combination of places along axes as one number, row-major."""
    flat = np.zeros(1, np.int64)
    for places, size in zip(axes, shape, strict=True):
        flat = (flat[:, None] * size + places).ravel()
    return flat


def _flat(place: Array, channel: Array, shape: Any, channels_last: bool) -> Array:
    if channels_last:
        return np.asarray(place * shape.n_channels + channel)
    return np.asarray(channel * int(np.prod(shape.spatial_shape)) + place)


def plain(weights: Weights) -> Any:
    """An array or sparse array, for arithmetic."""
    return weights.matrix() if isinstance(weights, Shared) else weights


def times(later: Weights, earlier: Weights) -> Weights:
    """One after the other; the identity leaves a shared kernel shared."""
    if _identity(later):
        return earlier
    if _identity(earlier):
        return later
    both: Weights = plain(later) @ plain(earlier)
    return both


def _identity(weights: Weights) -> bool:
    if not isinstance(weights, scipy.sparse.csr_array) or weights.shape[0] != weights.shape[1]:
        return False
    ordered = np.array_equal(weights.indices, np.arange(weights.shape[0]))
    return bool(ordered and weights.nnz == weights.shape[0] and (weights.data == 1).all())


def eye(size: int) -> Any:
    """The identity."""
    return scipy.sparse.csr_array(scipy.sparse.eye_array(size))


def picked(part: Any, size: int) -> Any:
    """The part of a vector that a slice picks, as a sparse array (length of the part, size)."""
    index = np.atleast_1d(np.arange(size)[part])
    return scipy.sparse.csr_array((np.ones(len(index)), (np.arange(len(index)), index)), shape=(len(index), size))


def placed(part: Any, size: int) -> Any:
    """Where a slice puts a vector in a longer one, as a sparse array (size, length of the vector)."""
    return scipy.sparse.csr_array(picked(part, size).T)


def rule_of(weights: Weights) -> Rule:
    """The connection rule of weights: shared, full, or sparse where at most half of all pairs are connected."""
    if isinstance(weights, Shared):
        return weights
    if not isinstance(weights, np.ndarray):
        coo = weights.tocoo()
        if coo.nnz <= 0.5 * coo.shape[0] * coo.shape[1]:
            keep = coo.data != 0
            return Sparse((coo.col[keep].astype(np.int64), coo.row[keep].astype(np.int64), coo.data[keep]))
        weights = weights.toarray()
    transposed = np.ascontiguousarray(weights.T)
    if np.count_nonzero(transposed) > 0.5 * transposed.size:
        return Dense(transposed)
    return Sparse((*np.nonzero(transposed), transposed[np.nonzero(transposed)]))
