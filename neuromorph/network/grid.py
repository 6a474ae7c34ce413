"""Weights that lie on a uniform grid already: the codes and the step that they were made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.formats.kept import best_scale, common_steps
from neuromorph.network.synapses import Synapses


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
    """The coarsest grid through zero on which all weights lie, rather one that gives their very bits, or None.

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
    array = np.asarray(weights)
    found = best_scale(array, common_steps(array, np.arange(most + 1)))
    return None if found is None else Grid(*found)


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
