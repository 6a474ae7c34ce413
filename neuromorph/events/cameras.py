"""Sizes of the event cameras that files name."""

from __future__ import annotations

import re

from neuromorph.errors import TraceError

#: Height and width in pixels, by the first letters and digits of a camera's name.
SIZES = {
    "DVS128": (128, 128),
    "EDVS": (128, 128),
    "DAVIS128": (128, 128),
    "DAVIS208": (192, 208),
    "DAVIS240": (180, 240),
    "DAVIS346": (260, 346),
    "DAVIS640": (480, 640),
}


def camera_in(text: str) -> str | None:
    """The camera that a line of a header names, as a key of :data:`SIZES`."""
    found = re.search("|".join(SIZES), text.upper())
    return found[0] if found else None


def camera_of(given: str | None, header: list[str]) -> str:
    """The camera that was given, or else the one that the header names.

    Raises
    ------
    TraceError
        If there is none, or it is not known.
    """
    if given is not None:
        camera = camera_in(given)
        if camera is None:
            raise TraceError(f"camera {given!r} is not known; there are {', '.join(SIZES)}")
        return camera
    for line in header:
        camera = camera_in(line)
        if camera is not None:
            return camera
    raise TraceError(f"the header names no camera; give camera=, one of {', '.join(SIZES)}")
