"""Ctrl-C while compiled code runs: remembered, and acted upon when a chunk of steps is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back; the function that this gives says whether it was pressed.

    The caller finishes what it must and raises :class:`KeyboardInterrupt`. A second press raises at once. Outside the
    main thread, where Python delivers no signals, nothing is changed.
    """
    pressed = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.getsignal(signal.SIGINT)
    # a job in the background goes on ignoring Ctrl-C; other libraries' handlers wait until the chunk is done
    ours = threading.current_thread() is threading.main_thread() and callable(before)
    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: pressed
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
