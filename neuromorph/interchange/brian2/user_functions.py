"""Functions that users give to Brian 2's equations as Python: run once on expressions, which says what they mean.

They were written for arrays. So NumPy's functions, and Brian 2's own versions of these, are exchanged for those of the
language that Brian 2 has under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from neuromorph.errors import LanguageError, NeuromorphError
from neuromorph.language import Expr


def traced(name: str, function: Any, args: tuple[Expr, ...], known: Mapping[str, Callable[..., Expr]]) -> Expr:
    """The value of a user's function of Python.

    Parameters
    ----------
    name : str
    function : brian2.Function
    args : tuple of Expr
    known : mapping of str to function
        Functions of Brian 2, by their names there.

    Raises
    ------
    LanguageError
        If the function is anything but arithmetic of its arguments.
    """
    plain = getattr(function, "pyfunc", function)
    plain = getattr(plain, "_orig_func", plain)
    try:
        value = _on_expressions(plain, known)(*args) if isinstance(plain, FunctionType) else plain(*args)
        if isinstance(value, Expr):
            return value
    except NeuromorphError:
        pass
    except Exception:  # anything can go wrong in a function that was written for numbers
        value = None
    raise LanguageError(
        f"the function {name}() cannot be said in equations; it must be plain arithmetic of its arguments in Python"
    )


def _on_expressions(plain: FunctionType, known: Mapping[str, Callable[..., Expr]]) -> FunctionType:
    """The same function, with the language's functions where it calls those for arrays."""
    import brian2

    ours = {id(getattr(module, n)): f for module in (np, brian2) for n, f in known.items() if hasattr(module, n)}

    def exchanged(value: Any) -> Any:
        if isinstance(value, ModuleType) and value.__name__.split(".")[0] in ("numpy", "brian2"):
            return _Module(value, ours)
        return ours.get(id(value), value)

    used = {name: exchanged(plain.__globals__[name]) for name in plain.__code__.co_names if name in plain.__globals__}
    cells = plain.__closure__ and tuple(CellType(exchanged(cell.cell_contents)) for cell in plain.__closure__)
    made = FunctionType(plain.__code__, {**plain.__globals__, **used}, plain.__name__, plain.__defaults__, cells)
    made.__kwdefaults__ = plain.__kwdefaults__
    return made


class _Module:
    """A module with other functions in some places."""

    def __init__(self, module: ModuleType, ours: Mapping[int, Callable[..., Expr]]) -> None:
        self._module, self._ours = module, ours

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return self._ours.get(id(value), value)
