"""Statistics of events.

Every function takes a trace, a population, and optionally which neurons (``ids``) and which stretch of time
(``start <= time < stop``). Times, widths and windows are in ms, or quantities; rates come in Hz. Where the stretch is
cut into bins, a rest that does not fill one is left out. A statistic that a neuron has too few events for is nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError

from .sink import Array
from .trace import Trace, in_ms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def counts(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Ints:
    """Events of each neuron, int64 (n,), in the order of ``ids`` (default: of the population)."""
    rows = _Rows(trace, population, ids)
    total = np.zeros(rows.n, np.int64)
    for part in trace.stream(population, ids, start, stop):
        total += np.bincount(rows.of(part.ids), minlength=rows.n)
    return total


def rates(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Floats:
    """Mean rate of each neuron in Hz, (n,)."""
    low, high = _window(trace, start, stop)
    number = counts(trace, population, ids=ids, start=start, stop=stop)
    return np.asarray(number / ((high - low) / 1e3), np.float64)


def binned(
    trace: Trace, population: Any, bin: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Ints:
    """Events of each neuron in each bin, int64 (bins, n)."""
    rows = _Rows(trace, population, ids)
    low, width, bins = _bins(trace, bin, start, stop)
    total = np.zeros(bins * rows.n, np.int64)
    for part in trace.stream(population, ids, start, stop):
        number = _bin_of(part.times, low, width)
        inside = number < bins
        np.add.at(total, number[inside] * rows.n + rows.of(part.ids[inside]), 1)
    return total.reshape(bins, rows.n)


def population_rate(
    trace: Trace, population: Any, bin: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> tuple[Floats, Floats]:
    """Mean rate per neuron in each bin: (start of each bin in ms, rate in Hz)."""
    rows = _Rows(trace, population, ids)
    low, width, bins = _bins(trace, bin, start, stop)
    total = np.zeros(bins, np.int64)
    for part in trace.stream(population, ids, start, stop):
        number = _bin_of(part.times, low, width)
        total += np.bincount(number[number < bins], minlength=bins)
    return _edges(low, width, bins), total / (max(rows.n, 1) * width / 1e3)


@dataclass(frozen=True)
class Intervals:
    """Times between successive events of each neuron, ordered by neuron, then by time.

    Attributes
    ----------
    rows : int64 (intervals,)
        Position of the neuron among those asked for.
    lengths : float64 (intervals,)
        ms.
    n : int
        Neurons asked for.
    """

    rows: Ints
    lengths: Floats
    n: int

    def mean(self, values: Floats, rows: Ints) -> Floats:
        """Mean of ``values`` by neuron; nan where there is none."""
        number = np.bincount(rows, minlength=self.n)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.bincount(rows, values, self.n) / number, np.float64)

    def cv(self) -> Floats:
        """Coefficient of variation by neuron; see :func:`cv`."""
        mean = self.mean(self.lengths, self.rows)
        deviation = np.sqrt(self.mean((self.lengths - mean[self.rows]) ** 2, self.rows))
        enough = np.bincount(self.rows, minlength=self.n) >= 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(enough, deviation / mean, np.nan)

    def pairs(self) -> tuple[Floats, Floats, Ints]:
        """Successive intervals of one neuron: (first, second, row)."""
        same = self.rows[1:] == self.rows[:-1]
        return self.lengths[:-1][same], self.lengths[1:][same], self.rows[1:][same]


def isi(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Intervals:
    """Inter-spike intervals of each neuron."""
    rows = _Rows(trace, population, ids)
    events = trace.events(population, ids, start, stop)
    row = rows.of(events.ids)
    order = np.argsort(row, kind="stable")
    row, times = row[order], events.times[order]
    same = row[1:] == row[:-1]
    return Intervals(row[1:][same], np.diff(times)[same], rows.n)


def cv(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Floats:
    """Coefficient of variation of each neuron's intervals, (n,): 0 if regular, about 1 for a Poisson process.

    Standard deviation (of the sample, ddof 0) over mean; needs two intervals.
    """
    return isi(trace, population, ids=ids, start=start, stop=stop).cv()


def cv2(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Floats:
    """Local variation CV2 of each neuron, (n,): mean of ``2 |I' - I| / (I' + I)`` over successive intervals.

    Holt, Softky, Koch and Douglas, Journal of Neurophysiology 75, 1806 (1996). Slow changes of rate do not raise it.
    """
    gaps = isi(trace, population, ids=ids, start=start, stop=stop)
    first, second, row = gaps.pairs()
    return gaps.mean(2 * np.abs(second - first) / (second + first), row)


def lv(
    trace: Trace, population: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Floats:
    """Local variation Lv of each neuron, (n,): mean of ``3 (I' - I)^2 / (I' + I)^2`` over successive intervals.

    Shinomoto, Shima and Tanji, Neural Computation 15, 2823 (2003).
    """
    gaps = isi(trace, population, ids=ids, start=start, stop=stop)
    first, second, row = gaps.pairs()
    return gaps.mean(3 * ((second - first) / (second + first)) ** 2, row)


def fano_factor(
    trace: Trace,
    population: Any,
    window: Any,
    *,
    ids: npt.ArrayLike | None = None,
    start: Any = None,
    stop: Any = None,
) -> Floats:
    """Fano factor of each neuron, (n,): variance over mean of its counts in successive windows (ddof 0)."""
    number = binned(trace, population, window, ids=ids, start=start, stop=stop)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(number.var(axis=0) / number.mean(axis=0), np.float64)


def correlation(
    trace: Trace, population: Any, bin: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> Floats:
    """Pearson correlation of the binned counts of every pair of neurons, (n, n).

    A neuron whose count never changes has nan in its row and column. Takes ``8 n^2`` bytes: choose ``ids``.
    """
    number = binned(trace, population, bin, ids=ids, start=start, stop=stop).astype(np.float64)
    number -= number.mean(axis=0)
    covariance = number.T @ number
    size = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(covariance / np.outer(size, size), np.float64)


def psth(
    trace: Trace,
    population: Any,
    triggers: npt.ArrayLike,
    bin: Any,
    *,
    before: Any = 0.0,
    after: Any,
    ids: npt.ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Peri-stimulus time histogram: mean rate per neuron around each of several moments.

    Parameters
    ----------
    triggers : array
        The moments, ms. Each counts in full, also near the ends of the trace.
    bin, before, after : float (ms) or Quantity
        Width of a bin, and how far it goes before and after each moment.

    Returns
    -------
    (start of each bin relative to the trigger in ms, rate in Hz)
    """
    width, reach, until = in_ms(bin), in_ms(before), in_ms(after)
    moments = np.sort(np.asarray(triggers, np.float64).ravel())
    bins = _whole((reach + until) / width, "before + after")
    total = np.zeros(bins, np.int64)
    for part in trace.stream(population, ids):
        # Windows may overlap: the event is counted once for every trigger that it is near.
        first = np.searchsorted(moments, part.times - until, side="left")
        last = np.searchsorted(moments, part.times + reach + 1e-9 * width, side="right")
        near = last - first
        which = np.repeat(first, near) + _ramp(near)
        number = _bin_of(np.repeat(part.times, near), moments[which] - reach, width)
        total += np.bincount(number[(number >= 0) & (number < bins)], minlength=bins)
    n = _Rows(trace, population, ids).n
    scale = max(moments.size, 1) * max(n, 1) * width / 1e3
    return _edges(-reach, width, bins), total / scale


def synchrony(
    trace: Trace, population: Any, bin: Any, *, ids: npt.ArrayLike | None = None, start: Any = None, stop: Any = None
) -> float:
    """Synchrony chi of the binned counts: 1 if all neurons do the same, about ``1 / sqrt(n)`` if independent.

    Square root of the variance of the population's mean over the mean of the neurons' variances. Golomb and Rinzel,
    Physica D 72, 259 (1994), who take membrane potentials. nan if nothing ever changes.
    """
    number = binned(trace, population, bin, ids=ids, start=start, stop=stop)
    return chi(number)


def chi(activity: Array) -> float:
    """Synchrony of any activity (T, n), for example of ``trace.state("hidden", "v").data``; see :func:`synchrony`."""
    single = float(np.mean(np.var(activity, axis=0, dtype=np.float64)))
    together = float(np.var(np.mean(activity, axis=1, dtype=np.float64)))
    return float(np.sqrt(together / single)) if single > 0 else float("nan")


# Details.


class _Rows:
    """Positions of the neurons that were asked for."""

    def __init__(self, trace: Trace, population: Any, ids: npt.ArrayLike | None) -> None:
        self._table: Ints | None = None
        if ids is None:
            self.n = trace.sizes.get(str(getattr(population, "name", population)), 0)
            return
        wanted = np.atleast_1d(np.asarray(ids)).astype(np.int64)
        self.n = wanted.size
        if wanted.size and (np.unique(wanted).size < wanted.size or wanted.min() < 0):
            raise TraceError("ids: give each neuron once, and none below 0")
        self._table = np.zeros(int(wanted.max(initial=-1)) + 1, np.int64)
        self._table[wanted] = np.arange(wanted.size)

    def of(self, ids: Ints) -> Ints:
        """Position of each neuron; all must be among those asked for."""
        return ids if self._table is None else self._table[ids]


def _window(trace: Trace, start: Any, stop: Any) -> tuple[float, float]:
    low = trace.start if start is None else in_ms(start)
    high = trace.stop if stop is None else in_ms(stop)
    if not high > low:
        raise TraceError(f"empty stretch of time: start {low:g} ms, stop {high:g} ms", start=low, stop=high)
    return low, high


def _bins(trace: Trace, bin: Any, start: Any, stop: Any) -> tuple[float, float, int]:
    low, high = _window(trace, start, stop)
    width = in_ms(bin)
    if not width > 0:
        raise TraceError(f"a bin must have a positive width, got {width:g} ms", width=width)
    return low, width, _whole((high - low) / width, f"the stretch of {high - low:g} ms with bins of {width:g} ms")


def _edges(low: float, width: float, bins: int) -> Floats:
    return np.asarray(low + np.arange(bins) * width, np.float64)


def _whole(bins: float, what: str) -> int:
    number = int(np.floor(bins + 1e-6))
    if number < 1:
        raise TraceError(f"{what}: does not fill one bin")
    return number


def _bin_of(times: Floats, low: float | Floats, width: float) -> Ints:
    """Number of the bin; times are multiples of a step, so a hair below an edge means the edge."""
    return np.floor((times - low) / width + 1e-6).astype(np.int64)


def _ramp(lengths: Ints) -> Ints:
    """0, 1, ... for each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if ends.size else 0) - np.repeat(ends - lengths, lengths)
