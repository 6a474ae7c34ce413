"""Moved to :mod:`neuromorph.native`."""

from neuromorph.native.cache import cache_directory
from neuromorph.native.kernel import Kernel, compile_kernel

__all__ = ["Kernel", "cache_directory", "compile_kernel"]
