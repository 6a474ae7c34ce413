"""What Brian 2 holds, as ours: quantities, dimensions, and the constants that it finds for names from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from neuromorph.dimension import rational
from neuromorph.errors import LanguageError
from neuromorph.units import Dimension, Quantity, Unit, example_unit


def dimension(dims: Any) -> Dimension:
    """Brian 2's dimension as ours; both order the base units alike."""
    return Dimension(tuple(rational(float(d)) for d in dims._dims))


def quantity(value: Any, dim: Dimension) -> Any:
    """A number or an array in SI units with its dimension."""
    return value if dim.is_none else Quantity(value, dim, example_unit(dim))


def unit(dim: Dimension) -> Unit:
    """The unit to show a dimension in."""
    return example_unit(dim)


def external(group: Any, name: str, namespace: Mapping[str, Any], owner: str) -> tuple[Any, Dimension]:
    """The one number that Brian 2 finds for a name from outside, and its dimension.

    Parameters
    ----------
    group : NeuronGroup or Synapses
        Whose own namespace is asked first.
    name : str
    namespace : mapping
        Of the run.
    owner : str
        What has parameters that could hold more than one number, for the message.

    Raises
    ------
    LanguageError
        If there is nothing of that name, a function, or an array.
    """
    try:
        found = group._resolve(name, run_namespace=namespace, user_identifier=False)
    except KeyError:
        raise LanguageError(f"the name {name} cannot be resolved; give namespace= with it") from None
    if not hasattr(found, "get_value"):
        raise LanguageError(f"{name} is a function ({type(found).__name__}), which has no value without arguments")
    value = np.asarray(found.get_value())
    if value.size != 1:
        raise LanguageError(f"{name} is an array; make it a parameter of {owner}")
    return value.item(), dimension(found.dim)


@contextmanager
def opened(name: str, within: list[str]) -> Iterator[None]:
    """While a subexpression is evaluated: it must not need itself.

    Parameters
    ----------
    name : str
    within : list of str
        The subexpressions that are being evaluated.
    """
    if name in within:
        raise LanguageError(f"{name} is defined by itself")
    within.append(name)
    yield
    within.pop()
