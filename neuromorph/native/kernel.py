"""Kernels: functions of two numbers and an item, compiled once for all processes and called by address."""

from __future__ import annotations

import linecache
import types
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.progress import Progress, Silent

from . import cache
from .machine import Loaded, assembly, compile_function


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
    code : object
        Holds the machine code.
    name : str
        Of the function in the source.
    """

    title: str
    source: str
    address: int
    seconds: float
    loaded: bool
    code: Any
    name: str = "kernel"

    def bound(self, item: npt.NDArray[np.int64]) -> Callable[[int, int], None]:
        """The kernel as a function of (step, offset) for one item: the quickest call from Python."""
        function, address = _C_KERNEL(self.address), item.ctypes.data

        def call_it(step: int, offset: int) -> None:
            function(step, offset, address)

        call_it.keep = self, item  # type: ignore[attr-defined]
        return call_it

    def assembly(self) -> str:
        """The instructions as text; they are compiled again for it."""
        return assembly(_function(self.source, self.name))


_kernels: dict[str, Kernel] = {}
"""Kernels of this process by content: the same source is never compiled or loaded twice."""

_lock = Lock()
_C_KERNEL = CFUNCTYPE(None, c_int64, c_int64, c_int64)


def compile_kernel(source: str, title: str, progress: Progress | None = None, name: str = "kernel") -> Kernel:
    """Compile a function of a module, or load it from the cache.

    Parameters
    ----------
    source : str
        A module that defines ``name(step, offset, item)``: two int64 and the address of the item's int64 fields.
    title : str
        What it is, shown while it compiles.

    Raises
    ------
    numba.core.errors.NumbaError
        The source cannot be compiled.
    """
    key = cache.content_key(source, name)
    with _lock:  # threads that need the same kernel wait for one of them to compile it
        known = _kernels.get(key)
        if known is None:
            (progress or Silent()).stage(f"compiling {title}")
            known = _kernels[key] = _made(key, source, title, name)
        return known


def _made(key: str, source: str, title: str, name: str) -> Kernel:
    began = perf_counter()
    code = _load(key)
    loaded = code is not None
    if code is None:
        made, symbols = compile_function(_function(source, name))
        cache.keep(key, made, symbols)
        code = Loaded(made, symbols)
    return Kernel(title, source, code.address, perf_counter() - began, loaded, code, name)


def call(kernel: Kernel, first: int, second: int, item: npt.NDArray[np.int64]) -> None:
    """Call a compiled kernel from Python; the interpreter's lock is free meanwhile."""
    _C_KERNEL(kernel.address)(first, second, item.ctypes.data)


def _load(key: str) -> Loaded | None:
    found = cache.find(key)
    if found is None:
        return None
    try:
        return Loaded(*found)
    except (LookupError, RuntimeError):  # it needs what is not there: compile anew
        return None


def _function(source: str, name: str) -> Any:
    file = f"<neuromorph kernel {hash(source):x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # tracebacks then show the lines
    module = types.ModuleType("neuromorph_kernel")
    exec(compile(source, file, "exec"), module.__dict__)
    return getattr(module, name)
