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

    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        ours = False  # somebody else has plans for Ctrl-C
    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: pressed
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
