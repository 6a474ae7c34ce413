"""Built projections: the synapses themselves, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from neuromorph.network.builders.convolution import Window


@dataclass(frozen=True)
class Synapses:
    """One projection, built: rows of synapses by source neuron. Arrays that a rule was given are read-only.

    The sum at a port is taken in one order everywhere: by step of sending, then projection index, then source index,
    then position in the row. Engines add contributions one by one in that order.

    Attributes
    ----------
    name : str
    index : int
        Position among the network's projections.
    pre, post : int
        Population indices.
    port : int
        Position among the post program's ports.
    n_pre, n_post : int
    row_ptr : int64 (n_pre + 1,) or None
        Row of source s is ``[row_ptr[s], row_ptr[s + 1])``; None: dense, every source reaches every target in order.
    targets : uint16 or uint32 (synapses,) or None
        Ascending within a row (multapses allowed). None for dense.
    weights : array
        Shape () (one weight for all), (synapses,), (n_pre * n_post,) row-major for dense, or (kernel size,) when
        ``weight_index`` is set. float32, float64, int8, int16 or int32, in SI units of the port; a float weight
        meets a float port, an int weight an int port.
    weight_index : uint16 or uint32 (synapses,) or None
        Index into ``weights`` of each synapse: convolutions and pooling, whose weights are shared.
    delays : uint8 or uint16 array
        Steps, at least 1; shape () or (synapses,).
    weight_scale : float or None
        For quantised float weights: ``weights`` are ints, and a contribution is ``weight * (weight_scale * value)``,
        each product rounded to the program's float type.
    stored : {"int4", "spark"} or None
        How a chip stores these ints where that takes fewer bits than their type; see
        :mod:`neuromorph.network.quantise`. None: in their type.
    geometry : Window or None
        A convolution or pooling that is not listed: ``row_ptr``, ``targets`` and ``weight_index`` are None, ``delays``
        has shape () and ``weights`` is the kernel or one number. Built only where it is asked for; see
        :meth:`expanded`.
    """

    name: str
    index: int
    pre: int
    post: int
    port: int
    n_pre: int
    n_post: int
    row_ptr: npt.NDArray[np.int64] | None
    targets: npt.NDArray[Any] | None
    weights: npt.NDArray[Any]
    weight_index: npt.NDArray[Any] | None
    delays: npt.NDArray[Any]
    weight_scale: float | None = None
    stored: str | None = None
    geometry: Window | None = None

    @property
    def count(self) -> int:
        """Number of synapses."""
        if self.geometry is not None:
            return self.geometry.synapses
        return self.n_pre * self.n_post if self.row_ptr is None else int(self.row_ptr[-1])

    @property
    def min_delay(self) -> int:
        """Shortest delay in steps (1 if there is no synapse)."""
        return int(self.delays.min()) if self.delays.size else 1

    @property
    def max_delay(self) -> int:
        """Longest delay in steps (1 if there is no synapse)."""
        return int(self.delays.max()) if self.delays.size else 1

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        arrays = (self.row_ptr, self.targets, self.weights, self.weight_index, self.delays)
        return sum(a.nbytes for a in arrays if a is not None)

    def expanded(self) -> Synapses:
        """The same synapses with the rows of their geometry listed, as every consumer understands them."""
        if self.geometry is None:
            return self
        from neuromorph.network.builders.convolution import convolution

        made = convolution(self.geometry, self.weights.ndim > 0, 1)
        return replace(self, row_ptr=made.row_ptr, targets=made.targets, weight_index=made.weight_index, geometry=None)
