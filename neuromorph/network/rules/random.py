"""Random rules: a probability for each pair, or a number of partners for each neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.network.rules.rule import Connections, Count, Layer, Stream


def _skips(allow_self: bool, pre: Layer, post: Layer) -> bool:
    return pre is post and not allow_self


@dataclass(frozen=True, slots=True)
class FixedProbability:
    """Each pair with probability ``p``, independently (Bernoulli; pairwise).

    Attributes
    ----------
    p : float
        From 0 to 1.
    allow_self : bool
        Within one population, whether a neuron may reach itself.
    """

    p: float
    allow_self: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.p, int | float | np.number) or not 0 <= self.p <= 1:
            raise NetworkError(f"FixedProbability: p is {self.p!r:.40}; a probability lies between 0 and 1", p=self.p)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Any two populations will do."""

    def count(self, pre: Layer, post: Layer) -> Count:
        """Binomial."""
        trials = pre.size * post.size - (pre.size if _skips(self.allow_self, pre, post) else 0)
        return Count.bernoulli(trials, self.p, transient=8 * pre.size)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """One draw for each synapse."""
        from neuromorph.network.builders.random import fixed_probability

        return fixed_probability(pre.size, post.size, float(self.p), _skips(self.allow_self, pre, post), stream)


def _check_degree(rule: str, k: int) -> None:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 0:
        raise NetworkError(f"{rule}: {k!r} is not a number of synapses; use an int of 0 or more", k=k)


def _check_partners(
    rule: str, subject: str, k: int, multapses: bool, allow_self: bool, chooser: Layer, chosen: Layer
) -> None:
    available = chosen.size - (1 if _skips(allow_self, chooser, chosen) else 0)
    if k > 0 and (available == 0 or (not multapses and k > available)):
        raise NetworkError(
            f"{subject}: {rule}({k}) asks for {k} different neurons of {chosen.name}, which offers {available}; "
            f"use at most {available}" + ("" if multapses or available == 0 else " or multapses=True"),
            wanted=k,
            available=available,
        )


@dataclass(frozen=True, slots=True)
class FixedInDegree:
    """Exactly ``k`` synapses onto each target, from sources drawn uniformly.

    Attributes
    ----------
    k : int
    multapses : bool
        Whether a source may be drawn more than once for one target.
    allow_self : bool
        Within one population, whether a neuron may be drawn for itself.
    """

    k: int
    multapses: bool = False
    allow_self: bool = True

    def __post_init__(self) -> None:
        _check_degree("FixedInDegree", self.k)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Enough sources to draw from."""
        _check_partners("FixedInDegree", subject, self.k, self.multapses, self.allow_self, post, pre)

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return Count(self.k * post.size, transient=8 * 10 * pre.size)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Each target is a stream."""
        from neuromorph.network.builders.random import fixed_in_degree

        skip = _skips(self.allow_self, pre, post)
        return fixed_in_degree(pre.size, post.size, int(self.k), self.multapses, skip, stream)


@dataclass(frozen=True, slots=True)
class FixedOutDegree:
    """Exactly ``k`` synapses from each source, to targets drawn uniformly.

    Attributes
    ----------
    k : int
    multapses : bool
        Whether a target may be drawn more than once for one source.
    allow_self : bool
        Within one population, whether a neuron may be drawn for itself.
    """

    k: int
    multapses: bool = False
    allow_self: bool = True

    def __post_init__(self) -> None:
        _check_degree("FixedOutDegree", self.k)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Enough targets to draw from."""
        _check_partners("FixedOutDegree", subject, self.k, self.multapses, self.allow_self, pre, post)

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return Count(self.k * pre.size, transient=8 * pre.size)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """Each source is a stream."""
        from neuromorph.network.builders.random import fixed_rows

        counts = np.full(pre.size, self.k, np.int64)
        return fixed_rows(counts, post.size, self.multapses, _skips(self.allow_self, pre, post), stream)


@dataclass(frozen=True, slots=True)
class FixedTotal:
    """Exactly ``n`` synapses, each from a uniform source to a uniform target (with repetition).

    Attributes
    ----------
    n : int
    allow_self : bool
        Within one population, whether a neuron may reach itself.
    """

    n: int
    allow_self: bool = True

    def __post_init__(self) -> None:
        _check_degree("FixedTotal", self.n)

    def check(self, pre: Layer, post: Layer, subject: str) -> None:
        """Someone to reach."""
        _check_partners("FixedTotal", subject, self.n, True, self.allow_self, pre, post)

    def count(self, pre: Layer, post: Layer) -> Count:
        """Exact."""
        return Count(self.n, transient=8 * 10 * pre.size)

    def connect(self, pre: Layer, post: Layer, stream: Stream) -> Connections:
        """A stream decides how long rows are, then each source is a stream."""
        from neuromorph.network.builders.random import fixed_total

        return fixed_total(pre.size, post.size, int(self.n), _skips(self.allow_self, pre, post), stream)
