"""The end of a message about a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def nearest(name: str, available: Iterable[str]) -> str | None:
    """The most similar name, if any is similar; swapped letters count as near."""

    def likeness(other: str) -> float:
        straight = SequenceMatcher(None, name, other).ratio()
        return max(straight, 0.9 * SequenceMatcher(None, sorted(name), sorted(other)).ratio())

    best = max(available, key=likeness, default=None)
    return best if best is not None and likeness(best) >= 0.5 else None


def suggestion(name: str, available: Iterable[str]) -> str:
    """``did you mean 'tau'? available: tau, theta``: the nearest name, if any is near, and all of them."""
    names = list(available)
    close = nearest(name, names)
    listed = f"available: {', '.join(names) or 'none'}"
    return f"did you mean {close!r}? {listed}" if close else listed
