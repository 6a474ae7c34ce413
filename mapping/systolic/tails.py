"""Long-tailed operands: shapes of distributions, scaled until a stated share of the magnitudes is small."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .values import MAGNITUDES, Codes, Distribution

Tail = Literal["normal", "laplace", "student"]

STUDENT_FREEDOM = 3
"""Degrees of freedom of "student", as in tables of the code's error."""


def long_tailed(small: float, below: int = 8, tail: Tail = "laplace", *, signed: bool = True) -> Codes:
    """Magnitudes of a distribution, scaled so that a share ``small`` of them, rounded, lies below ``below``.

    What would be above 255 becomes 255. Shares are exact, from the distribution function: nothing is drawn.

    Parameters
    ----------
    small : float
        Between 0 and 1, both excluded: the share of magnitudes that a code with short words stores in one.
    below : int
        1 to 255; 8 for SPARK, whose short words hold 0 to 7.
    tail : {"normal", "laplace", "student"}
        Shape of the values: Gaussian, Laplace's, or Student's with 3 degrees of freedom.
    signed : bool
        See :class:`.values.Codes`.

    Raises
    ------
    MappingError
        If a parameter is not as above, or no scale gives such a share.
    """
    if tail not in get_args(Tail):
        raise MappingError(f"long tail {tail!r}: there is {', '.join(get_args(Tail))}", tail=tail)
    if not 0.0 < small < 1.0 or not 1 <= below < MAGNITUDES:
        raise MappingError(
            f"long tail with a share of {small} below {below}: the share must lie between 0 and 1, both excluded, and "
            f"the bound between 1 and {MAGNITUDES - 1}",
            small=small,
        )
    edge = below - 0.5  # what is closer to below - 1 than to below
    scale = edge / _quantile(tail, small)
    edges = np.arange(MAGNITUDES, dtype=np.float64) - 0.5
    edges[0] = 0.0
    reached = np.append(_share_below(tail, edges / scale), 1.0)
    return Codes(np.diff(reached), signed)


def paper_like(long_share: float, source: str, tail: Tail = "laplace") -> Distribution:
    """Signed weights and unsigned activations, both with this share of magnitudes above 7.

    Parameters
    ----------
    long_share : float
    source : str
        Where the share comes from.
    tail : {"normal", "laplace", "student"}
        An assumption: papers tell shares, not shapes.
    """
    weights = long_tailed(1.0 - long_share, tail=tail)
    activations = long_tailed(1.0 - long_share, tail=tail, signed=False)
    name = f"{tail}, {long_share:.1%} long"
    return Distribution(name, activations, weights, f"{source}; shape {tail} assumed, the same for both operands")


def _share_below(tail: Tail, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of absolute values below x for the distribution of scale 1."""
    from scipy import special

    if tail == "normal":
        return np.asarray(special.erf(x / np.sqrt(2.0)), np.float64)
    if tail == "laplace":
        return np.asarray(-np.expm1(-x), np.float64)
    return np.asarray(2.0 * special.stdtr(STUDENT_FREEDOM, x) - 1.0, np.float64)


def _quantile(tail: Tail, share: float) -> float:
    """The absolute value below which this share lies, for the distribution of scale 1."""
    from scipy import special

    if tail == "normal":
        return float(np.sqrt(2.0) * special.erfinv(share))
    if tail == "laplace":
        return float(-np.log1p(-share))
    return float(special.stdtrit(STUDENT_FREEDOM, 0.5 * (1.0 + share)))
