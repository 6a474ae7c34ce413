"""The end of a message about a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, available: Iterable[str]) -> str:
    """``did you mean 'tau'? it has tau, theta``: the nearest name, if any is near, and all of them."""
    names = list(available)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    listed = f"there is {', '.join(names)}" if names else "there is none"
    return f"did you mean {close[0]!r}? {listed}" if close else listed
