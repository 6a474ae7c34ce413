"""Gains of WTM2101's layers, and the code that a spike drives its row with.

A layer has one gain, a power of two; a code at its output stands for ``gain`` level units. Inputs that are spikes can
be driven with any code c, which makes a step of the output ``gain / c`` units of a weight: the coarse choice of gains
becomes a fine one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

from ..converters.histogram import Histograms
from ..converters.ranges import Ranges
from .wtm2101 import Limits

if TYPE_CHECKING:
    from neuromorph.network.synapses import Synapses

    from ..plan.plan import Plan

_MODULE = "neuromorph.mapping.crossbar.machine.wtm2101_kernels"

_HIGHEST = 127  # codes are symmetric enough: -128 is one more


@dataclass(frozen=True, eq=False)
class Gains:
    """Choices for layers.

    Attributes
    ----------
    gain : int64 (n,)
    code : int64 (n,)
        What inputs of 1 are driven with.
    mse : float64 (n,)
        Mean squared error of the sums seen, in units of sums for code 1.
    """

    gain: npt.NDArray[np.int64]
    code: npt.NDArray[np.int64]
    mse: npt.NDArray[np.float64]


def choose_gains(seen: Histograms, limits: Limits, *, spikes: npt.ArrayLike = False) -> Gains:
    """The gain of each layer that errs least on the sums that were seen, and for spikes the code as well.

    Parameters
    ----------
    seen : Histograms
        Sums in level units for inputs as they are driven (spikes: with code 1).
    limits : Limits
    spikes : bool or bool (n,)
        Whether the code may be chosen too, because all inputs are spikes.
    """
    free = np.broadcast_to(np.asarray(spikes, np.bool_), (len(seen),))
    gains = np.array(limits.gains, np.int64)
    found = np.zeros((len(seen), 3))
    for chosen, codes in ((free, np.arange(limits.input, 0, -1)), (~free, np.ones(1, np.int64))):
        where = np.flatnonzero(chosen)
        out = np.zeros((len(where), 3))
        compiled(_MODULE, "best_gains")(
            seen.bins, np.ascontiguousarray(seen.counts[where]).ravel(), np.ascontiguousarray(seen.sums[where]).ravel(),
            gains, codes.astype(np.int64), out,
        )  # fmt: skip
        found[where] = out
    number = np.maximum(seen.number, 1)
    return Gains(found[:, 0].astype(np.int64), found[:, 1].astype(np.int64), found[:, 2] / number)


def covering_gain(largest: float, limits: Limits, *, spikes: bool = False) -> tuple[int, int]:
    """The finest gain that clips nothing, and the code of an input of 1: the finest that is possible with it.

    Parameters
    ----------
    largest : float
        Largest magnitude of a sum, level units (spikes: driven with code 1).
    limits : Limits
    spikes : bool
        Whether the code may be chosen, from 1 to the largest input code.

    Returns
    -------
    gain, code : int
        The largest gain and code 1 if no gain is large enough.
    """
    if largest == 0:
        return limits.gains[0], limits.input if spikes else 1
    fits = []
    for gain in limits.gains:
        most = int(_HIGHEST * gain / largest)  # the largest code that clips nothing
        code = min(limits.input, most) if spikes else min(1, most)
        if code:
            fits.append((gain / code, gain, code))
    if not fits:
        return limits.gains[-1], 1
    _, gain, code = min(fits)
    return gain, code


def gain_ranges(plan: Plan, gains: Mapping[str, int], codes: Mapping[str, int] | None = None) -> Ranges:
    """Ranges of a chip whose gains are known already, as those of a network that was trained with them.

    Parameters
    ----------
    plan : Plan
        Of ``Crossbar("wtm2101").map(network, dt)``.
    gains : mapping of matrix name to int
    codes : mapping of matrix name to int, optional
        What inputs of 1 are driven with; default: 1, for inputs that are codes themselves.

    Raises
    ------
    MappingError
        If names are not those of the plan's matrices, or a number is below 1.
    """
    names = tuple(matrix.name for matrix in plan.matrices)
    given = dict.fromkeys(names, 1) | dict(codes or {})
    for what, values in (("gains", gains), ("codes", given)):
        if set(values) != set(names) or min(values.values(), default=1) < 1:
            raise MappingError(
                f"{what} of network {plan.network}: expected whole numbers of at least 1 for {', '.join(names)}; got "
                f"{', '.join(f'{name}: {value}' for name, value in values.items())}",
                expected=names,
            )
    matrix = plan.blocks.matrix.astype(np.int64)
    gain = np.array([float(gains[name]) for name in names])[matrix, None] * np.ones(plan.machine.slices)
    scale = 1.0 / np.array([float(given[name]) for name in names])
    none = np.zeros_like(gain)
    return Ranges(
        plan.network, plan.machine.name, "given gains", "matrix", names, scale, matrix, -128.0 * gain, gain, none, none,
        none,
    )  # fmt: skip


def kept_whole(synapses: Synapses, most: int) -> Synapses:
    """Float weights that are whole numbers up to ``most`` as ints, so that cells hold those very numbers.

    What a network of whole numbers computes depends on them: its gains are meant for its weights as they are.
    """
    w = synapses.weights
    if synapses.weight_scale is not None or w.dtype.kind != "f" or not w.size or not np.array_equal(w, np.rint(w)):
        return synapses
    if float(np.abs(w).max()) > most:
        return synapses
    return replace(synapses, weights=w.astype(np.int16), weight_scale=1.0)
