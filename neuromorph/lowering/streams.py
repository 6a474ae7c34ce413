"""Which random words each call site of a neuron draws (see :mod:`neuromorph.random` for what a word is).

Normal numbers come in pairs from blocks of four words; uniform numbers take two words; Poisson counts own
:data:`~neuromorph.random.POISSON_WORDS` each. Both float widths draw the same words, so their noise is the same up to
rounding.
"""

from __future__ import annotations

from collections.abc import Iterable

from neuromorph.language.expr import Expr, Type, nodes
from neuromorph.lowering import elementary
from neuromorph.lowering.builder import Builder, Value
from neuromorph.random import POISSON_WORDS

_UNIFORM_WORDS = 1 << 20
_POISSON_BASE = 1 << 24


class Streams:
    """Random leaves of one neuron, in the order of their stream numbers.

    Parameters
    ----------
    roots : iterable of Expr
        Every expression of the neuron.
    """

    def __init__(self, roots: Iterable[Expr]) -> None:
        leaves = {n.payload: n for n in nodes(*roots) if n.op in ("normal", "white_noise", "uniform", "poisson")}
        kinds: dict[str, list[int]] = {"normal": [], "uniform": [], "poisson": []}
        for payload in sorted(leaves):
            op = leaves[payload].op
            kinds["normal" if op == "white_noise" else op].append(payload)
        self._normals: dict[object, int] = {payload: k for k, payload in enumerate(kinds["normal"])}
        self._uniforms = {payload: k for k, payload in enumerate(kinds["uniform"])}
        self._poissons = {payload: k for k, payload in enumerate(kinds["poisson"])}

    def normal(self, builder: Builder, stream: object) -> Value:
        """Standard normal number of a call site, or of a new site named by any hashable thing."""
        pair, second = divmod(self._normals.setdefault(stream, len(self._normals)), 2)
        a, b, c, d = (_word(builder, 4 * pair + k) for k in range(4))
        return elementary.normal_pair((a, b, c, d))[second]

    def uniform(self, builder: Builder, stream: int) -> Value:
        """Number in [0, 1) of a call site."""
        word = _UNIFORM_WORDS + 2 * self._uniforms[stream]
        return elementary.uniform(_word(builder, word), _word(builder, word + 1))

    def poisson(self, builder: Builder, stream: int, mean: Value) -> Value:
        """Poisson count of a call site."""
        return builder.emit("poisson", mean, payload=_POISSON_BASE + POISSON_WORDS * self._poissons[stream])


def _word(builder: Builder, word: int) -> Value:
    return builder.leaf("random", Type.INT, word)
