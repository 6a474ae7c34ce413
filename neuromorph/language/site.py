"""Where in the user's code something was written: for messages only, never for meaning."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from neuromorph.language.infix import infix

if TYPE_CHECKING:
    from neuromorph.language.expr import Expr


@dataclass(frozen=True, slots=True)
class Site:
    """A line of the user's code.

    Attributes
    ----------
    filename : str
    lineno : int
        0 if unknown.
    source : str
        The line itself, stripped; empty if it cannot be read.
    neuron : str
        Name of the class whose body it is in; empty if none.
    """

    filename: str = "<unknown>"
    lineno: int = 0
    source: str = ""
    neuron: str = ""
    names: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.filename}:{self.lineno}" + (f", in {self.neuron}" if self.neuron else "")

    def message(self, problem: str) -> str:
        """``problem`` with this place before it and the line below it."""
        quoted = f"\n    {self.source}" if self.source else ""
        return f"{self}: {problem}{quoted}"

    def show(self, expr: Expr) -> str:
        """An expression by the names it has at this place."""
        return infix(expr, self.names, limit=60)


def _is_library(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    libraries = ("neuromorph.language.", "neuromorph.interchange.", "brian2.", "numpy.")
    return module == "neuromorph.quantity" or module.startswith(libraries)


def body_frame() -> FrameType | None:
    """Frame of the class body that is being executed, if any (also when it calls helper functions)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if "__qualname__" in frame.f_locals and "__module__" in frame.f_locals:
            return frame
        frame = frame.f_back
    return None


def here(*, names: bool = False) -> Site:
    """The innermost line of the user's code.

    Parameters
    ----------
    names : bool
        Also collect what the expressions in sight are called (costly, so only when a message is made).
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_library(frame):
        frame = frame.f_back
    if frame is None:
        return Site()
    filename, lineno = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(filename, lineno, frame.f_globals).strip() if names else ""
    body = body_frame() if names else None
    neuron = str(body.f_locals["__qualname__"]).rsplit(".", 1)[-1] if body is not None else ""
    return Site(filename, lineno, source, neuron, _names([frame, body]) if names else {})


def _names(frames: Sequence[FrameType | None]) -> dict[int, str]:
    found: dict[int, str] = {}
    for frame in frames:
        if frame is not None:
            for name, value in frame.f_locals.items():
                if hasattr(value, "op") and hasattr(value, "args"):
                    found.setdefault(id(value), name)
    return found
