"""What every reader does: open a file or say clearly why not, and name it in whatever is wrong with its events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from neuromorph.errors import TraceError

#: Events that a piece of a file has when it is read in pieces.
CHUNK = 1 << 20


@contextmanager
def opened(path: Path, what: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file and its size in bytes; errors within name the file.

    Raises
    ------
    TraceError
        If it cannot be opened, or its events cannot be.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise TraceError(f"{path}: cannot be opened ({error.strerror}); give the path of {what}") from None
    with file:
        size = path.stat().st_size
        try:
            yield file, size
        except TraceError as error:
            message = str(error)
            raise error if message.startswith(str(path)) else TraceError(f"{path}: {message}") from None


def truncated(where: int, size: int, needed: int, what: str) -> TraceError:
    """The error for a file that ends too early."""
    return TraceError(
        f"the file ends after {size} bytes, within {what} that begins at byte {where} and takes {needed}; it is cut "
        "off or damaged",
        offset=where,
    )
