"""What every connection rule is: data that can be checked, counted and, later, turned into synapses."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neuromorph.network.keys import stream_key


class Layer(Protocol):
    """What a rule may know of a population."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def positions(self) -> npt.NDArray[np.float64]: ...
    @property
    def positions_in_metres(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Count:
    """How many synapses a rule promises.

    Attributes
    ----------
    mean : float
        Expected number; the exact number if ``sd`` is 0.
    sd : float
        Standard deviation over seeds.
    transient : int
        Bytes that the builder holds beside its result while it works, in total.
    dense : bool
        Whether every pair is connected, so that neither rows nor targets are stored.
    """

    mean: float
    sd: float = 0.0
    transient: int = 0
    dense: bool = False

    @property
    def exact(self) -> bool:
        """Whether the number is certain."""
        return self.sd == 0.0

    @property
    def high(self) -> int:
        """Number that is exceeded by less than once in 10,000 seeds (mean + 4 sd)."""
        return round(self.mean + 4 * self.sd)

    @classmethod
    def bernoulli(cls, trials: int, p: float, transient: int = 0) -> Count:
        """Of ``trials`` independent pairs, each connected with probability ``p``."""
        return cls(trials * p, sqrt(trials * p * (1 - p)), transient)


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a rule's random numbers come from: one projection of one seeded network.

    Each row (or column) is a Philox stream of its own under these keys, so no draw depends on threads or on other
    rows.

    Attributes
    ----------
    seed : int
        The network's seed.
    projection : int
        Position among the network's projections.
    threads : int
        Threads that may work on the rows; the result does not depend on it.
    """

    seed: int
    projection: int
    threads: int = 1

    def key(self, purpose: str) -> int:
        """64-bit key of one use of this stream (``"topology"``, ``"weight"``, ``"delay"``, ...)."""
        return stream_key(self.seed, self.projection, purpose)


@dataclass(frozen=True)
class Connections:
    """What a rule builds: who reaches whom, in the layout of :class:`~neuromorph.network.synapses.Synapses`.

    Attributes
    ----------
    row_ptr : int64 (n_pre + 1,) or None
        None: every source reaches every target.
    targets : uint16 or uint32 (synapses,) or None
        Ascending within a row.
    weights : array or None
        The rule's own weights, in the order of the synapses or as indexed by ``weight_index``; SI units.
        None: the rule has none.
    weight_index : uint16 or uint32 (synapses,) or None
    delays : array or None
        The rule's own delays: float seconds or int steps, shape (synapses,).
    """

    row_ptr: npt.NDArray[np.int64] | None
    targets: npt.NDArray[Any] | None
    weights: npt.NDArray[Any] | None = None
    weight_index: npt.NDArray[Any] | None = None
    delays: npt.NDArray[Any] | None = None


@runtime_checkable
class Rule(Protocol):
    """A connection rule. Any object with these methods can stand in a projection."""

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Raise :class:`~neuromorph.errors.NetworkError` if the rule cannot join these two."""

    def count(self, pre: Layer, post: Layer) -> Count:
        """Say how many synapses :meth:`connect` will make."""

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Make them."""


def target_dtype(n_post: int) -> type[np.uint16] | type[np.uint32]:
    """Narrowest type of a target's number: uint16 up to 65,536 targets, else uint32."""
    return np.uint16 if n_post <= 1 << 16 else np.uint32
