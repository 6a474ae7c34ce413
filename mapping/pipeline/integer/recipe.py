"""What is chosen about an integer transformer besides its weights: bits, tables, and how their ranges are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from neuromorph.errors import MappingError

from .calibrate import Ranges
from .rows import Anchor


@dataclass(frozen=True)
class Recipe:
    """How integers are chosen.

    Attributes
    ----------
    bits : int
        Of weights and activations in the blocks.
    edge_bits : int
        Of patches, patch embedding, and of what the head multiplies.
    residual_bits : int
        Of the tokens that leave the patch embedding.
    headroom : int
        Bits that the residual stream has above the largest value of the sample images; at least 0.
    requant, gelu : {"joint", "data", "type"}
        Ranges of the tables; ``"data"`` and ``"type"`` are without calibration.
    anchor : {"maximum", "minimum", "zero"}
        Of the exponential; ``"maximum"`` is the inverted one.
    segments : {1, 2}
        Of the reciprocal.
    entries : mapping of str to int
        Of ``"requant"``, ``"gelu"``, ``"rsqrt"``, ``"exp"`` and ``"recip"`` tables, where others than HG-PIPE's 64,
        64, 128, 32 and 64 are wanted. Above 4 bits the defaults are 4 * 2^bits, the same, 512, 256 and 256.
    contents : mapping of str to int
        Bits of the ``"rsqrt"``, ``"exp"`` and ``"recip"`` tables' contents: 12, 16 and 8; above 4 bits 16, 16, 12.
    """

    bits: int = 3
    edge_bits: int = 8
    residual_bits: int = 13
    headroom: int = 2
    requant: Ranges = "joint"
    gelu: Ranges = "joint"
    anchor: Anchor = "maximum"
    segments: int = 2
    entries: Mapping[str, int] = field(default_factory=dict)
    contents: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least, most in _LIMITS:
            _check(name, getattr(self, name), range(least, most + 1))
        for name, words in (("requant", get_args(Ranges)), ("gelu", get_args(Ranges)), ("anchor", get_args(Anchor))):
            if (value := getattr(self, name)) not in words:
                raise MappingError(f"recipe: {name} is {value!r}; it is one of {', '.join(words)}", name=name)
        for what, given, known, possible in (
            ("entries", self.entries, _ENTRIES, range(1, 1 << 20)),
            ("contents", self.contents, _CONTENTS, range(2, 32)),
        ):
            for name in given:
                if name not in known:
                    raise MappingError(f"recipe: no table {name!r}; there are {', '.join(known)}", name=name)
                _check(f"{what} of {name}", given[name], possible)

    def table(self, name: str) -> int:
        """Entries of a table."""
        fine = {"requant": 4 << self.bits, "gelu": 4 << self.bits, "rsqrt": 512, "exp": 256, "recip": 256}
        return self.entries.get(name, (_ENTRIES if self.bits <= 4 else fine)[name])

    def content(self, name: str) -> int:
        """Bits of a table's contents."""
        return self.contents.get(name, (_CONTENTS if self.bits <= 4 else {"rsqrt": 16, "exp": 16, "recip": 12})[name])


def _check(name: str, value: object, possible: range) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value not in possible:
        raise MappingError(f"recipe: {name} is {value!r}; {possible[0]} to {possible[-1]:,} are possible", name=name)


_LIMITS = (("bits", 2, 8), ("edge_bits", 2, 8), ("residual_bits", 3, 32), ("headroom", 0, 32), ("segments", 1, 2))
_ENTRIES = {"requant": 64, "gelu": 64, "rsqrt": 128, "exp": 32, "recip": 64}
_CONTENTS = {"rsqrt": 12, "exp": 16, "recip": 8}
