"""Which random numbers a run draws.

Brian 2 has one sequence of random numbers: whatever draws takes its next ones, also after a return to an earlier time.
A number of ours belongs to a seed and a step. So all runs of a network that follow each other share a seed, and a run
in pieces draws what the whole run draws; another network, and one that went back in time, has the next seed.
Without a seed it is the state of NumPy's numbers, so that ``numpy.random.seed`` counts as it does in Brian 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np


@dataclass(frozen=True)
class Stream:
    """The numbers that runs of a network draw.

    Attributes
    ----------
    root : int
        What ``seed()`` was given, or made.
    turn : int
        Number of the ``seed()``.
    number : int
        Of the stream since then.
    """

    root: int
    turn: int
    number: int

    @property
    def seed(self) -> int:
        """Seed of a network of ours."""
        made = np.random.SeedSequence(self.root, spawn_key=(self.number,))
        return int(made.generate_state(1, np.uint64)[0])


class Streams:
    """The streams of a device, one after the other."""

    def __init__(self) -> None:
        self._root: int | None = None
        self._turn = self._taken = 0

    def seed(self, seed: int | None) -> None:
        """Begin anew; without a seed from the state that NumPy's numbers have when the next run begins."""
        self._root, self._turn, self._taken = seed, self._turn + 1, 0

    def follow(self, stream: Stream | None) -> Stream:
        """The stream itself; the next one if there is none, or if it is from before the last ``seed()``."""
        if self._root is None:
            self._root = _numpy_state()
        if stream is not None and (stream.root, stream.turn) == (self._root, self._turn):
            return stream
        self._taken += 1
        return Stream(self._root, self._turn, self._taken - 1)

    @property
    def state(self) -> tuple[int | None, int, int]:
        """What :meth:`restore` goes back to."""
        return self._root, self._turn, self._taken

    def restore(self, state: tuple[int | None, int, int]) -> None:
        """Go on as after this state."""
        self._root, self._turn, self._taken = state


def _numpy_state() -> int:
    _, keys, position, *_ = np.random.get_state(legacy=True)  # noqa: NPY002  Brian 2 draws from it
    return int.from_bytes(blake2b(np.asarray(keys).tobytes() + str(position).encode(), digest_size=8).digest())
