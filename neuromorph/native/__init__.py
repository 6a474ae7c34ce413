"""Compiled code: made by Numba where it is new, loaded without it where it is known, called by address."""

from neuromorph.native.cache import cache_directory
from neuromorph.native.calls import bound, compiled
from neuromorph.native.kernel import Kernel, call, compile_kernel

__all__ = ["Kernel", "bound", "cache_directory", "call", "compile_kernel", "compiled"]
