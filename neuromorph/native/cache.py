"""Machine code kept on disk under the hash of everything that decides it.

A file's name holds a hash of the kernel's source, of the package's modules that the source imports, of the versions
that compile it and of the processor; so another kernel can never be mistaken for it. Files appear whole or not at all
and begin with a digest of the rest, so several processes can share the directory, and a damaged file counts as none.
What nobody has used for long goes when something new comes, and the oldest beyond a total size.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

ENVIRONMENT = "NEUROMORPH_CACHE"
"""Environment variable that moves the cache directory; ``off`` keeps compiled code in memory alone."""
MOST_BYTES = 256 << 20
"""Beyond this total, files that were not used for longest go."""
MOST_DAYS = 90
"""Files that were not used for so long go."""

_MAGIC = b"neuromorph kernel 1\n"
_DAY = 86400.0
_PACKAGE = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(r"^\s*from\s+(neuromorph(?:\.\w+)+|\.\w+)\s+import\s", re.MULTILINE)


def cache_directory() -> Path | None:
    """Where machine code is kept: ``$NEUROMORPH_CACHE``, else ``$XDG_CACHE_HOME/neuromorph``; None: nowhere."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return None if chosen == "off" else Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "neuromorph"


@cache
def toolchain() -> str:
    """Everything besides the sources that decides the machine code: versions, options of Numba and the processor."""
    from importlib.metadata import version

    from llvmlite import binding

    versions = [f"{name} {version(name)}" for name in ("numba", "llvmlite", "numpy")]
    options = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
    host = [binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()]
    return "\n".join([*versions, platform.python_version(), sys.platform, *host, *options, source_digest("machine")])


def content_key(source: str, name: str = "kernel") -> str:
    """Hash of a function of a module's source together with what it imports from here and all that compiles it."""
    parts = (toolchain(), name, *sorted(map(_file_digest, imported_files(source))), source)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def imported_files(source: str, package: Path | None = None) -> frozenset[Path]:
    """Files of this package that a source imports names from, directly or through others: what it is compiled with.

    Parameters
    ----------
    package : Path, optional
        Folder that relative imports start from.
    """
    found: set[Path] = set()
    for module in _IMPORT.findall(source):
        if module.startswith("."):
            path = (package or _PACKAGE) / f"{module[1:]}.py"
        else:
            path = _PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
        if path.is_file():
            found |= {path, *_imported_by(path)}
    return frozenset(found)


@cache
def _imported_by(path: Path) -> frozenset[Path]:
    return imported_files(path.read_text(), path.parent)


@cache
def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_digest(module: str) -> str:
    """Hash of the text of a module beside this one."""
    return _file_digest(Path(__file__).with_name(f"{module}.py"))


def find(key: str) -> tuple[bytes, tuple[str, ...]] | None:
    """Machine code of a key and the symbols that it needs; None if it is not there or damaged."""
    directory = cache_directory()
    if directory is None:
        return None
    path = _path(directory, key)
    try:
        content = path.read_bytes()
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)  # used: not the next to go
    except OSError:
        return None
    digest, body = content[len(_MAGIC) : len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    if not content.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        return None
    head, _, code = body.partition(b"\n")
    return code, tuple(head.decode().split())


def keep(key: str, code: bytes, symbols: tuple[str, ...]) -> None:
    """Store machine code; warns where that fails, for the next process has to compile again."""
    directory = cache_directory()
    if directory is None:
        return
    body = " ".join(symbols).encode() + b"\n" + code
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(_path(directory, key), _MAGIC + hashlib.sha256(body).digest() + body)
        prune(directory)
    except OSError as error:
        warnings.warn(
            f"cannot keep compiled kernels in {directory} ({type(error).__name__}: {error}); they stay in memory, so "
            f"the next process compiles again. Set {ENVIRONMENT} to a writable directory, or to 'off'",
            RuntimeWarning,
            stacklevel=4,
        )


def prune(directory: Path) -> None:
    """Remove what has not been used for long, and the oldest beyond the total size; others may do so meanwhile."""
    now, total = time.time(), 0
    files = []
    for path in [*directory.glob("kernel_*"), *directory.glob(".new-*"), *directory.glob("__pycache__/kernel_*")]:
        with suppress(OSError):
            state = path.stat()
            files.append((state.st_mtime, state.st_size, path))
    for used, size, path in sorted(files, reverse=True):
        total += size
        unfinished = path.name.startswith(".new-") and now - used > _DAY
        if unfinished or total > MOST_BYTES or now - used > MOST_DAYS * _DAY:
            with suppress(OSError):
                path.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that another process sees all of it or nothing: a temporary file, then a rename."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _path(directory: Path, key: str) -> Path:
    return directory / f"kernel_{key}.bin"
