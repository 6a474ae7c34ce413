"""Rules without parameters of their own: pair by pair, and everyone with everyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Connections, Count, Layer, Stream, target_dtype


@dataclass(frozen=True, slots=True)
class OneToOne:
    """Neuron i to neuron i of an equally large population."""

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Sizes must agree."""
        if pre.size != post.size:
            raise NetworkError(
                f"{subject}: OneToOne needs populations of one size; {pre.name} has {pre.size}, {post.name} has "
                f"{post.size}",
                sizes=(pre.size, post.size),
            )

    def count(self, pre: Layer, post: Layer) -> Count:
        """One synapse for each neuron."""
        return Count(pre.size)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Row i is [i]."""
        return Connections(np.arange(pre.size + 1, dtype=np.int64), np.arange(post.size, dtype=target_dtype(post.size)))


@dataclass(frozen=True, slots=True)
class AllToAll:
    """Every source to every target, once.

    With one weight and one delay for all it holds nothing at all.

    Attributes
    ----------
    allow_self : bool
        False: within one population, no neuron reaches itself.
    """

    allow_self: bool = True

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Any two populations will do."""

    def count(self, pre: Layer, post: Layer) -> Count:
        """All pairs, without the diagonal if it is left out."""
        skips = self.skips(pre, post)
        return Count(pre.size * (post.size - skips), dense=not skips)

    def skips(self, pre: Layer, post: Layer) -> bool:
        """Whether the diagonal is left out here."""
        return pre is post and not self.allow_self

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Dense, or every row without its own number."""
        if not self.skips(pre, post):
            return Connections(None, None)
        n = pre.size
        row_ptr = np.arange(n + 1, dtype=np.int64) * (n - 1)
        targets = np.empty((n, n - 1), target_dtype(n))
        for row in range(n):
            targets[row, :row] = np.arange(row)
            targets[row, row:] = np.arange(row + 1, n)
        return Connections(row_ptr, targets.ravel())
