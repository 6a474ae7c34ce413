"""A file for HDF5 to write into that is, on disk, always the state of the last commit.

HDF5 changes its index blocks in place and in no order that a reader could rely on, so a process that dies between two
writes can leave a file that cannot be opened. :class:`CommittedFile` stands between HDF5 and the disk: what goes beyond
the committed end is written at once (nothing refers to it yet), what would change the committed part is held back until
:meth:`CommittedFile.commit`, which writes it in an order that keeps the file readable after every single write.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os

from neuromorph.errors import TraceError


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
        self._temporary: str | None = f"{path}.new-{os.getpid()}"
        self._fd = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        # A record lock, not flock: HDF5 readers take flock, and they may read while this file grows.
        with contextlib.suppress(OSError):
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        if self.failure is None and self._fd >= 0:
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

    def commit(self) -> None:
        """Make all that HDF5 has handed over the state on disk."""
        self.check()
        for (offset, _), block in sorted(self._held.items(), key=_commit_order):
            self._put(block, offset)
        self.check()
        self._held.clear()
        os.ftruncate(self._fd, self._size)
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

    def _put(self, data: bytes | memoryview, offset: int) -> None:
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._fd, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            self.failure = error
            # Give back the space beyond the committed end: nothing refers to it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._committed)


def _commit_order(item: tuple[tuple[int, int], bytes]) -> tuple[int, int]:
    """Superblock (it knows the new end), then index nodes from the root down, then data, then headers (new lengths).

    A parent that already points at a new sibling is harmless while the old child still has all its entries; the other
    way round the entries of the new sibling would be lost for a moment. Headers are smaller than data blocks.
    """
    (offset, length), block = item
    if offset == 0:
        return 0, 0
    if block[:4] == b"TREE":
        return 1, -block[5]
    return 2, -length
