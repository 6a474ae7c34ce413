"""A file for HDF5 to write into that is, on disk, always the state of the last commit.

HDF5 changes its index blocks in place and in no order that a reader could rely on, so a process that dies between two
writes can leave a file that cannot be opened. :class:`CommittedFile` stands between HDF5 and the disk: what goes beyond
the committed end is written at once (nothing refers to it yet), what would change the committed part is held back until
:meth:`CommittedFile.commit`, which writes it in an order that keeps the file readable after every single write.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from neuromorph.errors import TraceError

_numbers = itertools.count()
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class CommittedFile:
    """File-like object for ``h5py.File(CommittedFile(path), "w")``.

    The first commit puts the file in the place of ``path`` (until then it has another name beside it), so that an older
    file of that name stays whole until the new one can be opened, and readers of the old one keep it.

    A write that fails (disk full, size limit) does not surface inside HDF5, which could not recover from it: the file
    keeps its last committed state, later writes are dropped, and the next :meth:`check` or :meth:`commit` raises.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.failure: OSError | None = None
        self._process = os.getpid()
        self._temporary: str | None = _beside(path)
        self._fd = os.open(self._temporary, _FLAGS, 0o666)
        self._committed = 0
        self._size = 0
        self._position = 0
        self._held: dict[tuple[int, int], bytes] = {}

    # What h5py calls.

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Position of the next read or write."""
        return self._position

    def read(self, size: int) -> bytes:
        """Read as bytes; h5py tells a file by having this."""
        data = bytearray(max(min(size, self._size - self._position), 0))
        self.readinto(data)
        return bytes(data)

    def readinto(self, target: bytearray | memoryview) -> int:
        """Read what HDF5 has written, held back or not."""
        view = memoryview(target).cast("B")
        start = self._position
        view[:] = bytes(len(view))
        if self._fd >= 0:
            data = os.pread(self._fd, len(view), start)
            view[: len(data)] = data
        for (offset, length), block in self._held.items():
            low, high = max(offset, start), min(offset + length, start + len(view))
            if low < high:
                view[low - start : high - start] = block[low - offset : high - offset]
        self._position += len(view)
        return len(view)

    def write(self, data: bytes | memoryview) -> int:
        """Write through beyond the committed end, hold back below it."""
        view = memoryview(data).cast("B")
        offset, length = self._position, len(view)
        self._position += length
        self._size = max(self._size, self._position)
        # A forked child shares the file, but what it would write on leaving is not its own.
        if self.failure is None and self._fd >= 0 and self._process == os.getpid():
            below = min(max(self._committed - offset, 0), length)
            if below:
                self._held.pop((offset, below), None)
                self._held[offset, below] = bytes(view[:below])
            if below < length:
                self._put(view[below:], offset + below)
        return length

    def truncate(self, size: int | None = None) -> int:
        """Note the size; the file takes it when it is committed."""
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """HDF5 has handed over what it had; see :meth:`commit`."""

    # What the sink calls.

    def check(self) -> None:
        """Raise TraceError if a write has failed."""
        if self.failure is not None:
            raise TraceError(
                f"{self.path}: writing failed ({self.failure.strerror}); the file holds the run up to its last flush. "
                f"Free some space, or record less: fewer states, a larger `every`, record=False",
                path=self.path,
                errno=self.failure.errno,
            ) from self.failure

    def commit(self, anew: bool = False, durable: bool = False) -> None:
        """Make all that HDF5 has handed over the state on disk.

        ``anew``: do it in a copy of the file that then takes its place, which is safe for changes of groups too, where
        no order of writes is. ``durable``: wait until it would outlast a power failure.
        """
        self.check()
        if anew and self._temporary is None:
            self._copy()
            self.check()
        for (offset, _), block in sorted(self._held.items(), key=_commit_order):
            self._put(block, offset)
        self.check()
        self._held.clear()
        os.ftruncate(self._fd, self._size)
        if durable:
            os.fsync(self._fd)
        self._committed = self._size
        if self._temporary is not None:
            os.replace(self._temporary, self.path)
            self._temporary = None

    def close(self) -> None:
        """Close; a file that was never committed leaves nothing behind."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if self._temporary is not None:
                os.unlink(self._temporary)
                self._temporary = None

    def _copy(self) -> None:
        """Go on in a copy of the file, which commit() will put in its place."""
        temporary = _beside(self.path)
        copy = -1
        try:
            copy = os.open(temporary, _FLAGS, 0o666)
            size, done = os.fstat(self._fd).st_size, 0
            while done < size:
                done += os.pwrite(copy, os.pread(self._fd, 1 << 20, done), done)
        except OSError as error:
            self._fail(error)
            if copy >= 0:
                os.close(copy)
                os.unlink(temporary)
            return
        os.close(self._fd)
        self._fd, self._temporary = copy, temporary

    def _put(self, data: bytes | memoryview, offset: int) -> None:
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._fd, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        # Give back the space beyond the committed end: nothing refers to it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._committed)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block: HDF5 does not survive an exception from within a write."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            before(*held[-1])


def _beside(path: str) -> str:
    return f"{path}.new-{os.getpid()}-{next(_numbers)}"


def _commit_order(item: tuple[tuple[int, int], bytes]) -> tuple[int, int]:
    """Superblock (it knows the new end), names, index nodes from the root down, data, headers (new lengths), links.

    A parent that already points at a new sibling is harmless while the old child still has all its entries; the other
    way round the entries of the new sibling would be lost for a moment. Names (``HEAP``) come before the nodes and
    links (``SNOD``) that refer to them. Object headers begin with version 1, a zero and, at byte 4, one reference.
    """
    (offset, _), block = item
    if offset == 0:
        return 0, 0
    mark = block[:4]
    if mark == b"TREE":
        return 2, -block[5]
    if block[:2] == b"\1\0" and block[4:8] == b"\1\0\0\0":
        return 4, 0
    return {b"HEAP": 1, b"SNOD": 5}.get(mark, 3), 0
