"""Weights that lie on a uniform grid already: the codes and the step that they were made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.synapses import Synapses

_LOOKED_AT = 1 << 14
_TOLERANCE = 1e-5  # of a step: some roundings to float32, far from what numbers not on a grid would be


@dataclass(frozen=True)
class Grid:
    """Numbers ``codes * scale``.

    Attributes
    ----------
    codes : int32 array
        Of the numbers' shape.
    scale : float
    exact : bool
        ``codes * scale`` in the numbers' own type has their very bits; otherwise they differ by roundings.
    """

    codes: npt.NDArray[np.int32]
    scale: float
    exact: bool


def uniform_grid(weights: npt.NDArray[Any], most: int) -> Grid | None:
    """The coarsest grid through zero on which all weights lie, or None.

    A network that was trained in few bits (:mod:`neuromorph.train`: ``Integers``, ``LSQ``, ``TQT``, ``PACT``,
    ``Asymmetric``) gives its weights as floats. This finds the whole numbers behind them, so that a target which stores
    such numbers need not round again, by a scale of its own.

    Parameters
    ----------
    weights : array of float
        Of any shape.
    most : int
        Largest size of a code, such as 15 for differential pairs of 4-bit cells.

    Returns
    -------
    Grid or None
        None if they are on no grid with codes so small. If all are zero the scale is 1.
    """
    flat = np.asarray(weights).reshape(-1)
    for part in (flat[:_LOOKED_AT], flat):
        sizes = np.unique(np.abs(part))
        if len(sizes) > 4 * most or not np.isfinite(sizes).all():  # roundings may make some of one
            return None
    sizes = sizes[sizes > 0].astype(np.float64)
    if not len(sizes):
        return Grid(np.zeros(np.shape(weights), np.int32), 1.0, True)
    # a few of the weights rule out nearly every grid, when codes go far; twice the tolerance leaves room for rounding
    tried = np.arange(1, most + 1)
    few = sizes[np.linspace(0, len(sizes) - 1, 16).astype(np.int64)] / sizes[-1]
    steps = np.multiply.outer(tried, few)
    for largest in tried[np.abs(steps - np.rint(steps)).max(axis=1) <= 2 * _TOLERANCE].tolist():
        scale = sizes[-1] / largest
        codes = np.rint(sizes / scale)
        if codes[0] >= 1 and np.abs(sizes / scale - codes).max() <= _TOLERANCE:
            return _found(np.asarray(weights), scale)
    return None


def on_grid(synapses: Synapses, most: int) -> Synapses:
    """Float weights that lie on a grid as whole numbers up to ``most`` and their scale; any others as they are.

    The numbers fill the range as far as whole multiples of theirs do: codes up to 7 are doubled where 15 is the most.
    One weight for all synapses is left alone, as are weights that are quantised already.
    """
    if synapses.weight_scale is not None or synapses.weights.dtype.kind != "f" or not synapses.weights.ndim:
        return synapses
    grid = uniform_grid(synapses.weights, most)
    largest = 0 if grid is None else int(np.abs(grid.codes).max(initial=0))
    if grid is None or largest < 2:
        return synapses
    wider = most // largest
    kept = np.int8 if most < 1 << 7 else np.int16 if most < 1 << 15 else np.int32
    return replace(synapses, weights=(grid.codes * wider).astype(kept), weight_scale=grid.scale / wider)


def _found(weights: npt.NDArray[Any], scale: float) -> Grid:
    """Codes, and of the scales that differ by roundings one that gives the weights' bits, if there is one."""
    kind = weights.dtype.type
    codes = np.rint(weights.astype(np.float64) / scale).astype(np.int32)
    below = np.nextafter(kind(scale), kind(0))
    for candidate in (kind(scale), below, np.nextafter(below, kind(0)), np.nextafter(kind(scale), kind(np.inf))):
        if np.array_equal(codes.astype(kind) * candidate, weights):
            return Grid(codes, float(candidate), True)
    return Grid(codes, float(scale), False)
