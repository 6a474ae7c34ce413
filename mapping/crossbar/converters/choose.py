"""Ranges from histograms: cover all that was seen, leave out a share, or err least; and what each choice costs.

Too wide a range wastes codes, too narrow a one clips; at a given number of bits this choice decides the accuracy of an
array more than its cells do. All ranges have a code for 0, so that a column without current reads as exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

from .converters import AdcRange, adc_range
from .histogram import Histograms, decibels

_MODULE = "neuromorph.mapping.crossbar.converters.histogram_kernels"
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

Method = Literal["max", "percentile", "mse"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Ranges of converters; code c stands for ``lo + c * step``.

    Attributes
    ----------
    lo, step : float64 (n,)
    top : int
        Largest code.
    """

    lo: _Floats
    step: _Floats
    top: int

    @property
    def adcs(self) -> tuple[AdcRange, ...]:
        """One for each, as :func:`.array.tiles` takes them."""
        pairs = zip(self.lo.tolist(), self.step.tolist(), strict=True)
        return tuple(AdcRange(lo, step, self.top) for lo, step in pairs)


@dataclass(frozen=True, eq=False)
class Quality:
    """What converters make of the values in histograms; each bin's mean stands for its values.

    Attributes
    ----------
    number, saturated : int64 (n,)
        Values seen, zeros included, and those of them beyond the range.
    mse, variance : float64 (n,)
        Mean squared error of all values, and their variance; 0 without any value.
    """

    number: _Ints
    saturated: _Ints
    mse: _Floats
    variance: _Floats

    @property
    def csnr_db(self) -> _Floats:
        """Compute signal-to-noise ratio: :func:`decibels` of variance over error."""
        return decibels(self.variance, self.mse)


def check_method(method: str) -> None:
    """Refuse what is no method.

    Raises
    ------
    MappingError
    """
    if method not in get_args(Method):
        raise MappingError(f"calibration: no method {method!r}; there are {', '.join(get_args(Method))}")


def choose_ranges(
    seen: Histograms,
    bits: int,
    method: Method = "mse",
    *,
    share: float = 0.001,
    whole: bool | None = None,
    symmetric: bool = False,
) -> Chosen:
    """A range for each histogram.

    Parameters
    ----------
    seen : Histograms
    bits : int
        Of the converters.
    method : {"max", "percentile", "mse"}
        "max": all values fit. "percentile": all but a share of those that are not 0. "mse": the smallest mean squared
        error, which is also the largest compute signal-to-noise ratio; a search over both ends (never worse than
        "max").
    share : float
        What "percentile" leaves out, half of it on each side.
    whole : bool, optional
        Values are whole numbers, as sums of ideal cells are: steps below 1 would resolve nothing more. Default: where
        all that were seen are.
    symmetric : bool
        The same range on both sides of 0, and the middle code stands for 0: signed inputs.

    Returns
    -------
    Chosen
        Where nothing but 0 was seen, a step of 1.

    Raises
    ------
    MappingError
        For an unknown method, a share that is none, or values of both signs and 1 bit.
    """
    check_method(method)
    if not 0.0 <= share < 1.0:
        raise MappingError(f"calibration: share is {share!r}; it is a share of the values, at least 0 and below 1")
    if isinstance(bits, bool) or not 1 <= bits <= 24:
        raise MappingError(f"calibration: bits is {bits!r}; it must be a whole number from 1 to 24", bits=bits)
    top = 2**bits - 1 if not symmetric else 2**bits - 2
    both = (seen.low < 0.0) & (seen.high > 0.0)
    if top < 2 and (symmetric or both.any()):
        raise MappingError(
            f"calibration: values of both signs need three codes, one of them for 0; {bits} bit is too little",
            bits=bits,
        )
    low, high = (seen.low, seen.high) if method != "percentile" else seen.between(share)
    exact = seen.whole if whole is None else np.full(len(seen), whole)
    lo, step = _covering(low, high, bits, exact, symmetric)
    if method == "mse":
        found = np.zeros((len(seen), 3))
        compiled(_MODULE, "search_all")(
            seen.bins, seen.counts.ravel(), seen.sums.ravel(), seen.state.ravel(), top, np.where(exact, 1.0, 0.0),
            int(symmetric), found,
        )  # fmt: skip
        better = (found[:, 2] < _judged(seen, lo, step, top)[:, 0]) & (found[:, 0] > 0.0)
        step = np.where(better, found[:, 0], step)
        lo = np.where(better, -found[:, 1] * found[:, 0], lo)
    return Chosen(lo, step, top)


def _covering(
    low: _Floats, high: _Floats, bits: int, whole: npt.NDArray[np.bool_], symmetric: bool
) -> tuple[_Floats, _Floats]:
    if symmetric:
        middle = 2 ** (bits - 1) - 1
        step = np.maximum(-low, high) / middle
        step = np.where(step == 0.0, 1.0, np.where(whole, np.maximum(step, 1.0), step))
        return -middle * step, step
    lo, step = np.zeros(len(low)), np.ones(len(low))
    for k in np.flatnonzero((low < 0.0) | (high > 0.0)):
        lo[k], step[k], _ = adc_range(float(low[k]), float(high[k]), bits, bool(whole[k]))
    return lo, step


def _judged(seen: Histograms, lo: _Floats, step: _Floats, top: int) -> _Floats:
    out = np.zeros((len(seen), 4))
    compiled(_MODULE, "judge_all")(
        seen.bins, seen.counts.ravel(), seen.sums.ravel(), seen.state.ravel(),
        np.ascontiguousarray(lo, np.float64), np.ascontiguousarray(step, np.float64), top, out,
    )  # fmt: skip
    return out


def judge(seen: Histograms, chosen: Chosen) -> Quality:
    """How well ranges suit what was seen, be it what they were chosen from or another run's."""
    error, beyond, total, squares = _judged(seen, chosen.lo, chosen.step, chosen.top).T
    number = seen.number
    some = np.maximum(number, 1)
    variance = np.maximum(squares / some - (total / some) ** 2, 0.0)
    return Quality(number, beyond.astype(np.int64), error / some, variance)


def share_steps(
    seen: Histograms, chosen: Chosen, digit: npt.ArrayLike, owner: npt.ArrayLike, combine: npt.ArrayLike
) -> Chosen:
    """Ranges of bit slices whose steps are powers of two of one another, as shifting and adding their codes needs.

    The codes of a weight's slices are added after a shift each only if the slices' steps differ by powers of two. For
    every owner (a matrix or a block) the mantissa that its slices share is searched, and for each slice the exponent,
    with the smallest squared error of the weighted sum.

    Parameters
    ----------
    seen : Histograms
    chosen : Chosen
        Ranges of each slice by itself, which the search begins at; the code of 0 stays.
    digit, owner : int64 (n,)
        Slice and owner of each histogram.
    combine : float64 (digits,)
        Weight of each slice in the sum, a power of two.
    """
    digits, owners = np.asarray(digit, np.int64), np.asarray(owner, np.int64)
    weight = np.asarray(combine, np.float64)[digits] ** 2
    zero = np.rint(-chosen.lo / chosen.step)
    best_error = np.full(len(seen), np.inf)
    best_step = chosen.step.copy()
    count = int(owners.max()) + 1 if len(owners) else 0
    best_owner = np.full(count, np.inf)
    for mantissa in 2.0 ** (np.arange(16) / 16.0):
        steps, errors = chosen.step.copy(), np.full(len(seen), np.inf)
        base = mantissa * 2.0 ** np.floor(np.log2(chosen.step / mantissa))
        for shift in range(-1, 3):
            step = base * 2.0**shift
            error = _judged(seen, -zero * step, step, chosen.top)[:, 0]
            better = error < errors
            steps[better], errors[better] = step[better], error[better]
        total = np.bincount(owners, errors * weight, minlength=count)
        won = (total < best_owner)[owners]
        best_step[won], best_error[won] = steps[won], errors[won]
        best_owner = np.minimum(best_owner, total)
    return Chosen(-zero * best_step, best_step, chosen.top)
