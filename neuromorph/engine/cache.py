"""Generated modules and their compiled code, kept on disk under the hash of everything that decides them.

A kernel's file name holds a hash of its source and of the versions and the processor that compile it, so another source
can never be mistaken for it, and a second process finds machine code ready to load.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import platform
import sys
import tempfile
import types
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from neuromorph.progress import Progress, Silent

ENVIRONMENT = "NEUROMORPH_CACHE"
"""Environment variable that moves the cache directory; ``off`` keeps compiled code in memory alone."""


@dataclass(frozen=True)
class Kernel:
    """A compiled function ``kernel(step, offset, item)``, called by address.

    Attributes
    ----------
    title : str
        What it is, for people.
    source : str
    address : int
        Machine address, valid while this object lives.
    seconds : float
        Time that compiling or loading took.
    loaded : bool
        True if the machine code came from the disk.
    function : object
        The compiled function; holds the machine code.
    """

    title: str
    source: str
    address: int
    seconds: float
    loaded: bool
    function: Any


def cache_directory() -> Path | None:
    """Where generated modules are kept: ``$NEUROMORPH_CACHE``, else ``$XDG_CACHE_HOME/neuromorph``; None: nowhere."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return None if chosen == "off" else Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "neuromorph"


@cache
def toolchain() -> str:
    """Everything besides the source that decides the machine code: versions, processor, and what sources import."""
    from importlib.metadata import version

    import llvmlite.binding
    import numba

    parts = (version("neuromorph"), numba.__version__, llvmlite.__version__, platform.python_version(), sys.platform)
    host = (llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten())
    helpers = (Path(__file__).with_name("lowlevel.py"), Path(__file__).parent.with_name("random_kernels.py"))
    return "\n".join((*parts, *host, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in helpers)))


def content_key(source: str) -> str:
    """Hash of a generated source together with the versions and processor that compile it."""
    return hashlib.sha256(f"{toolchain()}\n{source}".encode()).hexdigest()[:24]


_kernels: dict[
    tuple[str, str], Kernel
] = {}  # machine code of this process by content: the same source is never compiled twice


def compile_kernel(source: str, title: str, progress: Progress | None = None, name: str = "kernel") -> Kernel:
    """Compile a function of a module, or load it from the cache.

    Parameters
    ----------
    source : str
        A module that defines ``name(step, offset, item)``: two int64 and the address of the item's int64 fields.
    title : str
        What it is, shown while it compiles.
    """
    key = content_key(source)
    known = _kernels.get((key, name))
    if known is not None:
        return known
    (progress or Silent()).stage(f"compiling {title}")
    directory = cache_directory()
    began = perf_counter()
    function = None if directory is None else _compile_on_disk(directory, key, source, name)
    if function is None:
        function = _compile(getattr(_module_in_memory(key, source), name), on_disk=False)
    loaded = bool(function.cache_hits)
    kernel = Kernel(title, source, function.address, perf_counter() - began, loaded, function)
    _kernels[key, name] = kernel
    return kernel


def _compile_on_disk(directory: Path, key: str, source: str, name: str) -> Any:
    """Load or compile and store; None if the directory cannot be used."""
    from numba.core.errors import NumbaError

    for attempt in ("load", "compile anew"):
        try:
            return _compile(getattr(_module_on_disk(directory, key, source), name), on_disk=True)
        except NumbaError:
            raise  # the source is wrong, not the directory
        except Exception as error:  # whatever a full, read-only or damaged directory makes the loader raise
            trouble = error
        if attempt == "load":  # a damaged file must not cost every later process its cache
            for path in directory.glob(f"__pycache__/kernel_{key}.*"):
                with suppress(OSError):
                    path.unlink()
    warnings.warn(
        f"cannot keep compiled kernels in {directory} ({type(trouble).__name__}: {trouble}); they stay in memory, so "
        f"the next process compiles again. Set {ENVIRONMENT} to a writable directory, or to 'off'",
        RuntimeWarning,
        stacklevel=3,
    )
    return None


def _compile(function: Callable[..., Any], on_disk: bool) -> Any:
    import numba

    signature = numba.void(numba.int64, numba.int64, numba.int64)
    return numba.cfunc(signature, cache=on_disk, error_model="numpy")(function)


def _module_on_disk(directory: Path, key: str, source: str) -> types.ModuleType:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"kernel_{key}.py"
    content = source.encode()
    try:
        present = path.read_bytes() == content
    except OSError:
        present = False
    if not present:
        write_whole(path, content)
    specification = importlib.util.spec_from_file_location(f"neuromorph_kernel_{key}", path)
    if specification is None or specification.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module  # Numba looks the module up by name when it stores and loads code
    specification.loader.exec_module(module)
    return module


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


def _module_in_memory(key: str, source: str) -> types.ModuleType:
    name = f"<neuromorph kernel {key}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # tracebacks then show the lines
    module = types.ModuleType(f"neuromorph_kernel_{key}")
    exec(compile(source, name, "exec"), module.__dict__)
    return module
