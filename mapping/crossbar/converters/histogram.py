"""``Histograms``: what converters saw, small enough to keep for every block, fine enough to choose ranges by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.native import compiled

_MODULE = "neuromorph.mapping.crossbar.converters.histogram_kernels"
_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

MOST_BINS, LEAST_BINS = 4096, 256
"""Bins of a histogram unless told otherwise; a quarter of them or more lie between 0 and the value furthest from it."""

MEMORY = 1 << 28
"""Bytes beyond which many histograms get fewer bins each."""


@dataclass(frozen=True, eq=False)
class Histograms:
    """Histograms of the same number of bins, filled in place; see :mod:`.histogram_kernels` for how bins widen.

    Attributes
    ----------
    counts : int64 (histograms, bins)
        Values other than 0 in each bin.
    sums : float64 (histograms, bins)
        Their sum.
    state : float64 (histograms, 5)
        Width of a bin (0 before the first value), smallest and largest value (0 included), number of zeros, number of
        values that are no whole numbers.
    """

    counts: _Ints
    sums: _Floats
    state: _Floats

    @staticmethod
    def empty(count: int, bins: int | None = None) -> Histograms:
        """Histograms that hold nothing yet.

        Parameters
        ----------
        count : int
        bins : int, optional
            A power of two of at least 4; for converters of b bits better not below ``8 * 2**b``. Default:
            :data:`MOST_BINS`, or as many as memory allows.

        Raises
        ------
        MappingError
            For another number of bins.
        """
        if bins is None:
            bins = MOST_BINS
            while bins > LEAST_BINS and 16 * count * bins > MEMORY:
                bins //= 2
        if bins < 4 or bins & (bins - 1):
            raise MappingError(f"histogram of {bins} bins: expected a power of two of at least 4", bins=bins)
        return Histograms(np.zeros((count, bins), np.int64), np.zeros((count, bins)), np.zeros((count, 5)))

    @property
    def bins(self) -> int:
        """Bins of each."""
        return int(self.counts.shape[1])

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def low(self) -> _Floats:
        """The smallest value of each, and 0 at most."""
        return self.state[:, 1]

    @property
    def high(self) -> _Floats:
        """The largest value of each, and 0 at least."""
        return self.state[:, 2]

    @property
    def zeros(self) -> _Ints:
        """How many values were 0."""
        return self.state[:, 3].astype(np.int64)

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """Whether all values were whole numbers, as sums of ideal cells are."""
        return np.asarray(self.state[:, 4] == 0.0)

    @property
    def number(self) -> _Ints:
        """How many values each has seen, zeros included."""
        return np.asarray(self.counts.sum(axis=1) + self.zeros, np.int64)

    def add(self, values: npt.ArrayLike) -> None:
        """Add finite values (..., histograms), each to the histogram of its last index.

        Raises
        ------
        MappingError
            If the shape does not fit, or a value is not finite.
        """
        given = np.ascontiguousarray(values, np.float64)
        if given.ndim == 0 or given.shape[-1] != len(self):
            raise MappingError(f"values of shape {given.shape} for {len(self)} histograms: the last size must be that")
        if not np.isfinite(given).all():
            raise MappingError("values for a histogram: some are not finite; there is no range that holds them")
        compiled(_MODULE, "observe_columns")(
            given.reshape(-1, len(self)), self.bins, self.counts.ravel(), self.sums.ravel(), self.state.ravel()
        )

    def merged(self, group: npt.ArrayLike, groups: int) -> Histograms:
        """The histograms of each group together: histogram k goes to ``group[k]``."""
        where = np.ascontiguousarray(group, np.int64)
        out = Histograms.empty(groups, self.bins)
        np.maximum.at(out.state[:, 0], where, self.state[:, 0])
        compiled(_MODULE, "merge")(
            where, self.bins, self.counts.ravel(), self.sums.ravel(), self.state.ravel(),
            out.counts.ravel(), out.sums.ravel(), out.state.ravel(),
        )  # fmt: skip
        return out

    def part(self, which: slice | npt.NDArray[Any]) -> Histograms:
        """Some of the histograms; with a slice they are not copied."""
        return Histograms(self.counts[which], self.sums[which], self.state[which])

    def means(self) -> _Floats:
        """What each bin stands for, the mean of its values; NaN where it is empty; float64 (histograms, bins)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sums / self.counts

    def between(self, share: float) -> tuple[_Floats, _Floats]:
        """Ends that leave out a share of the values other than 0, half on each side: float64 (histograms,) each.

        ``share`` 0.001 is from the percentile 0.05 to 99.95. Each end is that bin's mean, and 0 lies between them.
        """
        running = self.counts.cumsum(axis=1)
        total = running[:, -1:]
        means = self.means()
        low, high = np.zeros(len(self)), np.zeros(len(self))
        some = np.flatnonzero(total[:, 0])
        first = (running > total * (share / 2.0)).argmax(axis=1)
        last = (running >= total * (1.0 - share / 2.0)).argmax(axis=1)
        low[some] = np.minimum(means[some, first[some]], 0.0)
        high[some] = np.maximum(means[some, last[some]], 0.0)
        return low, high


def decibels(signal: _Floats, noise: _Floats) -> _Floats:
    """Ratio of two powers in dB; infinite without noise, NaN without both."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(10.0 * np.log10(signal / noise), np.float64)
