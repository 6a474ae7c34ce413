"""Calls of compiled functions by their name, with NumPy arrays and numbers, without importing Numba.

A function that the rest of the package calls is written in a module of its own for Numba (``@njit`` without a cache of
Numba's) and called through :func:`compiled`. What is kept on disk is found by the texts of that module and of all that
it imports from this package, where Numba's own cache looks at the one file's date only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernel import Kernel, call, compile_kernel

_FLOAT, _UNSIGNED, _SIGNED, _TRUTH = "float64", "uint64", "int64", "bool"


def compiled(module: str, name: str, returns: type | None = None) -> Callable[..., Any]:
    """A function of a module, compiled for the types it is called with.

    Parameters
    ----------
    module : str
        Full name of the module. It is imported only where something must be compiled.
    name : str
    returns : {int, bool, None}
        What the function returns.

    Returns
    -------
    function
        Takes arrays (C-contiguous), ints (int64), ``np.uint64``, bools and floats (float64), by position; the
        interpreter's lock is free while it runs.
    """

    def function(*arguments: Any) -> Any:
        kinds, words = _packed(name, arguments)
        call(_kernel(module, name, kinds, returns is not None), 0, 0, words)
        return None if returns is None else returns(words[-1])

    function.__name__ = name
    return function


def bound(module: str, name: str, *arguments: Any) -> Callable[[], None]:
    """A function of a module with its arguments, to be called many times: each call takes less than a microsecond.

    What differs from call to call stands in the arrays; see :func:`compiled`.
    """
    kinds, words = _packed(name, arguments)
    function = _kernel(module, name, kinds, False).bound(words)

    def call_it() -> None:
        function(0, 0)

    call_it.keep = arguments  # type: ignore[attr-defined]
    return call_it


def _packed(name: str, arguments: tuple[Any, ...]) -> tuple[tuple[tuple[str, int], ...], npt.NDArray[np.int64]]:
    """Kind of each argument, and all of them in an array, with a last element for the result."""
    words = np.empty(_length(arguments) + 1, np.int64)
    kinds, at = [], 0
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            if not argument.flags.c_contiguous:
                raise ValueError(f"{name}: an array of shape {argument.shape} is not contiguous")
            kinds.append((str(argument.dtype), argument.ndim))
            words[at] = argument.ctypes.data
            words[at + 1 : at + 1 + argument.ndim] = argument.shape
            at += 1 + argument.ndim
            continue
        kinds.append((_kind(argument), -1))
        if kinds[-1][0] == _FLOAT:
            words[at : at + 1].view(np.float64)[0] = argument
        elif kinds[-1][0] == _UNSIGNED:
            words[at : at + 1].view(np.uint64)[0] = argument
        else:
            words[at] = argument
        at += 1
    return tuple(kinds), words


def _length(arguments: tuple[Any, ...]) -> int:
    return sum(1 + (a.ndim if isinstance(a, np.ndarray) else 0) for a in arguments)


def _kind(argument: Any) -> str:
    if isinstance(argument, bool | np.bool_):
        return _TRUTH
    if isinstance(argument, np.uint64):
        return _UNSIGNED
    return _FLOAT if isinstance(argument, float | np.floating) else _SIGNED


@cache
def _kernel(module: str, name: str, kinds: tuple[tuple[str, int], ...], result: bool) -> Kernel:
    """The function behind an interface that takes its arguments out of an array of int64."""
    lines: list[str] = []
    names: list[str] = []
    at = 0
    for dtype, ndim in kinds:
        names.append(f"a{len(names)}")
        if ndim >= 0:
            shape = "".join(f"item[{at + 1 + k}], " for k in range(ndim))
            element = "bool_" if dtype == "bool" else dtype
            lines.append(f"{names[-1]} = carray(pointer(item[{at}]), ({shape}), np.{element})")
            at += 1 + ndim
            continue
        value = {_FLOAT: f"bits_float(item[{at}])", _TRUTH: f"item[{at}] != 0", _SIGNED: f"item[{at}]"}
        lines.append(f"{names[-1]} = {value.get(dtype, f'np.uint64(item[{at}])')}")
        at += 1
    called = f"function({', '.join(names)})"
    lines.append(f"item[{at}] = np.int64({called})" if result else called)
    source = [
        f'"""Calls {name} with {", ".join(dtype if n < 0 else f"{n}-d {dtype}" for dtype, n in kinds)}."""',
        "",
        "import numpy as np",
        "",
        "from neuromorph.engine.lowlevel import bits_float, pointer",
        "from neuromorph.native.arrays import carray",
        f"from {module} import {name} as function",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    item = carray(pointer(item), {at + 1}, np.int64)",
        *("    " + line for line in lines),
    ]
    return compile_kernel("\n".join(source) + "\n", f"{name} of {module.rpartition('.')[2]}")
