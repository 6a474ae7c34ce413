"""Two event streams side by side, a stretch of time after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .events import Events, join
from .sink import Array
from .trace import Trace

BLOCK = 1 << 19
"""Events of each trace looked at at once."""


@dataclass(frozen=True)
class Pair:
    """The events of both traces in one stretch of time, each ordered by (time, neuron).

    Attributes
    ----------
    a, b : Events
    key_a, key_b : (n,)
        Steps, or times where steps are not known or dt differs.
    """

    a: Events
    b: Events
    key_a: Array
    key_b: Array


@dataclass(frozen=True)
class Mismatch:
    """How one stretch differs.

    Attributes
    ----------
    missing, extra : int
        Events in a only, in b only; a repeated event counts as often as it is repeated.
    changed : int
        Events in both, with values that differ.
    first : (kind, position in a or None, position in b or None) or None
        The earliest of them.
    """

    missing: int
    extra: int
    changed: int
    first: tuple[str, int | None, int | None] | None


def aligned(a: Trace, b: Trace, population: str) -> Iterator[Pair]:
    """Both streams of a population, cut at the same times; reads both only once and little at a time."""
    by_step = a.dt is not None and a.dt == b.dt
    left, right = _Stream(a, population, by_step), _Stream(b, population, by_step)
    while left.more or right.more:
        until = min(left.known, right.known)
        events_a, events_b = left.take(until), right.take(until)
        yield Pair(events_a, events_b, left.keys(events_a), right.keys(events_b))


class _Stream:
    """One of the streams; ``known``: all events with a key up to here have been read."""

    def __init__(self, trace: Trace, population: str, by_step: bool) -> None:
        self._by_step = by_step
        self._blocks = trace.stream(population, block=BLOCK)
        self._held = trace.events(population, start=-np.inf, stop=-np.inf)
        self._ended = False
        self.known: float = -np.inf
        self._read()

    @property
    def more(self) -> bool:
        return not self._ended or len(self._held) > 0

    def keys(self, events: Events) -> Array:
        return events.steps if self._by_step and events.steps is not None else events.times

    def take(self, until: float) -> Events:
        """The events with a key up to ``until``, ordered by (key, neuron)."""
        keys = self.keys(self._held)
        cut = int(np.searchsorted(keys, until, side="right"))
        part, self._held = self._held.where(slice(0, cut)), self._held.where(slice(cut, None))
        if until >= self.known:
            self._read()
        keys = self.keys(part)
        inside = (keys[1:] == keys[:-1]) & (part.ids[1:] < part.ids[:-1])
        return part.where(np.lexsort((part.ids, keys))) if bool(inside.any()) else part

    def _read(self) -> None:
        while not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended, self.known = True, np.inf
                return
            self._held = join([self._held, block])
            keys = self.keys(self._held)
            if keys[0] < keys[-1]:  # events of the last step may go on in the next block
                self.known = float(keys[np.searchsorted(keys, keys[-1]) - 1])
                return


def mismatch(pair: Pair, rtol: float, atol: float) -> Mismatch:
    """Compare one stretch; values are equal where ``|a - b| <= atol + rtol * |b|``."""
    a, b = pair.a, pair.b
    if len(a) == len(b) and np.array_equal(pair.key_a, pair.key_b) and np.array_equal(a.ids, b.ids):
        index = np.arange(len(a))
        return _of_values(pair, index, index, rtol, atol, None, 0, 0)
    rows = np.stack([np.concatenate([pair.key_a, pair.key_b]), np.concatenate([a.ids, b.ids])], axis=1)
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    in_a = np.bincount(inverse[: len(a)], minlength=len(unique))
    in_b = np.bincount(inverse[len(a) :], minlength=len(unique))
    where = int(np.flatnonzero(in_a != in_b)[0])
    if in_a[where] > in_b[where]:
        first: tuple[str, int | None, int | None] = ("missing event", _last(inverse[: len(a)], where), None)
    else:
        first = ("extra event", None, _last(inverse[len(a) :], where))
    # Pair the k-th event of a kind in a with the k-th in b.
    both = np.minimum(in_a, in_b)
    index_a = np.flatnonzero(_rank(inverse[: len(a)]) < both[inverse[: len(a)]])
    index_b = np.flatnonzero(_rank(inverse[len(a) :]) < both[inverse[len(a) :]])
    missing, extra = int(np.sum(in_a - both)), int(np.sum(in_b - both))
    return _of_values(pair, index_a, index_b, rtol, atol, first, missing, extra)


def values_differ(a: Array, b: Array, rtol: float, atol: float) -> npt.NDArray[np.bool_]:
    """Where two arrays differ by more than the tolerance; nan equals nan."""
    different: npt.NDArray[np.bool_] = a != b
    if not different.any():
        return different
    x, y = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore"):
        close = np.abs(x - y) <= atol + rtol * np.abs(y)
    result: npt.NDArray[np.bool_] = different & ~close & ~(np.isnan(x) & np.isnan(y))
    return result


def _of_values(
    pair: Pair,
    index_a: Array,
    index_b: Array,
    rtol: float,
    atol: float,
    first: tuple[str, int | None, int | None] | None,
    missing: int,
    extra: int,
) -> Mismatch:
    if (pair.a.values is None and pair.b.values is None) or not index_a.size:
        return Mismatch(missing, extra, 0, first)
    wrong = np.flatnonzero(values_differ(_values(pair.a, index_a), _values(pair.b, index_b), rtol, atol))
    if wrong.size:
        at_a, at_b = int(index_a[wrong[0]]), int(index_b[wrong[0]])
        if first is None or pair.key_a[at_a] <= _key(pair, first):
            first = ("value", at_a, at_b)
    return Mismatch(missing, extra, int(wrong.size), first)


def _key(pair: Pair, first: tuple[str, int | None, int | None]) -> float:
    _, at_a, at_b = first
    return float(pair.key_a[at_a] if at_a is not None else pair.key_b[at_b])


def _values(events: Events, index: Array) -> Array:
    return np.ones(index.size, np.float32) if events.values is None else events.values[index]


def _rank(kinds: Array) -> Array:
    """How many equal entries come before each entry; equal ones are next to one another."""
    starts = np.flatnonzero(np.concatenate([[True], kinds[1:] != kinds[:-1]])) if kinds.size else np.empty(0, np.int64)
    lengths = np.diff(np.append(starts, kinds.size))
    return np.arange(kinds.size) - np.repeat(starts, lengths)


def _last(kinds: Array, kind: int) -> int:
    return int(np.flatnonzero(kinds == kind)[-1])
