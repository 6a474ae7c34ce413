"""Which signals of a built Nengo model are fixed linear functions of others within a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Operator, Reset, SparseDotInc
from nengo.builder.signal import Signal
from nengo.builder.transforms import ConvInc, ConvTransposeInc

from neuromorph.interchange.nengo.kernels import Kernel, Matrix, matrix_of, product, summed
from neuromorph.interchange.nengo.transforms import convolution

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Linear:
    """A signal as constant + sum of matrix @ leaf.

    Attributes
    ----------
    terms : mapping of Signal to sparse array or Kernel (size, leaf size)
        Leaves are whole signals, never views.
    constant : array (size,)
    operators : tuple of Operator
        What computes it from its leaves.
    """

    terms: Mapping[Signal, Matrix]
    constant: Array
    operators: tuple[Operator, ...] = ()

    def rows(self, index: npt.NDArray[np.int64]) -> Linear:
        """The part of the signal with these indices."""
        pick = sparse.csr_array(_placing(index, len(self.constant)).T)
        terms = {leaf: product(pick, m) for leaf, m in self.terms.items()}
        return Linear(terms, self.constant[index], self.operators)


@dataclass(frozen=True, eq=False)
class Uses:
    """Who writes and who reads the memory of each signal that is no view.

    Attributes
    ----------
    writers, readers : mapping of Signal to list of Operator
        Writers set, increment or update.
    """

    writers: Mapping[Signal, list[Operator]]
    readers: Mapping[Signal, list[Operator]]

    @classmethod
    def of(cls, operators: Iterable[Operator]) -> Uses:
        """From the operators of a model."""
        writers: dict[Signal, list[Operator]] = defaultdict(list)
        readers: dict[Signal, list[Operator]] = defaultdict(list)
        for op in operators:
            for base in dict.fromkeys(s.base for s in (*op.sets, *op.incs, *op.updates)):
                writers[base].append(op)
            for base in dict.fromkeys(s.base for s in op.reads):
                readers[base].append(op)
        return cls(writers, readers)

    def constant(self, signal: Signal) -> bool:
        """Whether nothing ever writes it."""
        return not self.writers.get(signal.base)


@dataclass(frozen=True, eq=False)
class Expansion:
    """Follows signals back to leaves.

    Attributes
    ----------
    uses : Uses
    is_leaf : callable
        Whether to stop at a signal; besides, one stops at whatever is computed in any other way than by fixed linear
        operators.
    """

    uses: Uses
    is_leaf: Callable[[Signal], bool]
    _known: dict[Signal, Linear] = field(default_factory=dict)

    def of(self, signal: Signal) -> Linear:
        """A signal of one dimension, or a view of one."""
        whole = self._base(signal.base)
        return whole if not signal.is_view else whole.rows(indices(signal))

    def _base(self, base: Signal) -> Linear:
        if base not in self._known:
            self._known[base] = self._expanded(base) or leaf(base)
        return self._known[base]

    def _expanded(self, base: Signal) -> Linear | None:
        if self.is_leaf(base) or base.sparse or base.ndim > 1:
            return None
        if self.uses.constant(base):
            return Linear({}, np.ravel(base.initial_value).astype(np.float64))
        covered = np.zeros(base.size, np.bool_)
        terms: dict[Signal, Matrix] = {}
        constant, operators = np.zeros(base.size), []
        for op in self.uses.writers[base]:
            part = self._written(op)
            if part is None:
                return None
            target = (*op.sets, *op.incs)[0]
            index = indices(target)
            if op.sets:
                covered[index] = True
            if target.is_view:
                part = _times(_placing(index, base.size), part)
            constant += part.constant
            for source, matrix in part.terms.items():
                terms[source] = summed(terms[source], matrix) if source in terms else matrix
            operators += [op, *part.operators]
        if not covered.all():
            return None
        return Linear(terms, constant, tuple(dict.fromkeys(operators)))

    def _written(self, op: Operator) -> Linear | None:
        """What an operator writes to its target, in the order of the target's elements; None if that is not fixed."""
        kind = type(op)
        if kind is Reset and not op.dst.sparse and op.dst.ndim <= 1:
            return Linear({}, np.full(op.dst.size, op.value))
        if kind is Copy and op.dst_slice is None and op.src.ndim <= 1 and op.dst.ndim <= 1:
            source = self.of(op.src)
            index = np.arange(op.src.size)
            picked = index if op.src_slice is None else np.atleast_1d(index[op.src_slice])
            picked = np.broadcast_to(picked, op.dst.size) if len(picked) == 1 else picked
            return source.rows(picked) if len(picked) == op.dst.size else None
        if kind is Copy and op.inc and op.src_slice is None and op.src.ndim == 1 and op.dst.ndim == 1:
            index = np.atleast_1d(np.arange(op.dst.size)[op.dst_slice])
            if len(index) != op.src.size:
                return None
            return _times(_placing(index, op.dst.size), self.of(op.src))
        if kind in (ConvInc, ConvTransposeInc) and self.uses.constant(op.W) and op.X.ndim == op.Y.ndim == 1:
            return _times(Kernel.of(convolution(op.conv, np.asarray(op.W.initial_value, np.float64))), self.of(op.X))
        if kind in (DotInc, SparseDotInc, ElementwiseInc):
            matrix = self._matrix(op)
            return None if matrix is None else _times(matrix, self.of(op.X))
        return None

    def _matrix(self, op: Any) -> Any:
        """The fixed matrix that an operator multiplies X by, (size of Y, size of X); None if it is none."""
        if not self.uses.constant(op.A) or op.X.ndim > 1 or op.Y.ndim > 1:
            return None
        values = op.A.initial_value
        if op.A.sparse:
            return sparse.csr_array(values.allocate() if hasattr(values, "allocate") else values)
        values = np.asarray(values, np.float64)
        if type(op) is ElementwiseInc:
            if values.ndim > 1 or op.X.size != op.Y.size or values.size not in (1, op.Y.size):
                return None
            diagonal = np.broadcast_to(values.ravel(), op.Y.size)
            index = np.arange(op.Y.size)
            return sparse.csr_array((diagonal, (index, index)), (op.Y.size, op.Y.size))
        return sparse.csr_array(values) if values.shape == (op.Y.size, op.X.size) else None


def leaf(signal: Signal) -> Linear:
    """A whole signal as itself."""
    return Linear({signal: _placing(np.arange(signal.size), signal.size)}, np.zeros(signal.size))


def indices(signal: Signal) -> npt.NDArray[np.int64]:
    """Where the elements of a signal of at most one dimension lie in its base."""
    if not signal.is_view:
        return np.arange(signal.size)
    first, stride = int(signal.elemoffset), int(signal.elemstrides[0]) if signal.ndim else 1
    return first + stride * np.arange(signal.size)


def _placing(index: npt.NDArray[np.int64], size: int) -> Any:
    """Puts elements at these places; what meets is added."""
    return sparse.csr_array((np.ones(len(index)), (index, np.arange(len(index)))), (size, len(index)))


def _times(matrix: Matrix, part: Linear) -> Linear:
    terms = {source: product(matrix, m) for source, m in part.terms.items()}
    constant = matrix_of(matrix) @ part.constant if np.any(part.constant) else np.zeros(matrix.shape[0])
    return Linear(terms, constant, part.operators)
