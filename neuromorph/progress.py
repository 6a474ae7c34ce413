"""Progress of long work: a small protocol that is handed in, a silent form and one for terminals."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType


class Progress(Protocol):
    """Where work says how far it is; one stage at a time, used as a context manager around all of it."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` units (None: unknown); ends the stage before it."""
        ...

    def advance(self, amount: int = 1) -> None:
        """So many more units of the stage are done."""
        ...

    def note(self, text: str) -> None:
        """Say something about the present stage."""
        ...


class Silent:
    """Progress that nobody sees."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage."""

    def advance(self, amount: int = 1) -> None:
        """Go on."""

    def note(self, text: str) -> None:
        """Say something."""


class Terminal:
    """A bar or a spinner on standard error, drawn with rich and gone when the work ends.

    Nothing is drawn for the first ``delay`` seconds, so that quick work leaves the terminal quiet.
    """

    def __init__(self, delay: float = 0.3) -> None:
        self._delay = delay
        self._began = 0.0
        self._bars: Any = None
        self._task: Any = None
        self._stage: tuple[str, int | None, int] = ("", None, 0)

    def __enter__(self) -> Terminal:
        from time import monotonic

        self._began = monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._stage = (text, total, 0)
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._draw()

    def advance(self, amount: int = 1) -> None:
        """Go on."""
        text, total, done = self._stage
        self._stage = (text, total, done + amount)
        self._draw()

    def note(self, text: str) -> None:
        """Show ``text`` in place of the stage's name."""
        _, total, done = self._stage
        self._stage = (text, total, done)
        self._draw()

    def _draw(self) -> None:
        from time import monotonic

        if self._bars is None:
            if monotonic() - self._began < self._delay:
                return
            self._bars = _bars()
            self._bars.start()
        text, total, done = self._stage
        if self._task is None:
            self._task = self._bars.add_task(text, total=total)
        self._bars.update(self._task, description=text, completed=done)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def progress_for(wanted: bool | Progress) -> Progress:
    """The progress to use: a :class:`Progress` as it is; True means a bar if standard error is a terminal.

    A notebook's output is no terminal, so it stays quiet too.
    """
    if not isinstance(wanted, bool):
        return wanted
    return Terminal() if wanted and sys.stderr is not None and sys.stderr.isatty() else Silent()
