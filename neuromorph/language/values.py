"""Values that a user gives for a neuron's parameters and initial states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import LanguageError, UnitError
from neuromorph.language.expr import Type
from neuromorph.language.suggest import suggestion
from neuromorph.units import Dimension, Quantity, as_quantity, si_value

if TYPE_CHECKING:
    from neuromorph.language.neuron import Neuron, ParamSpec, StateSpec
    from neuromorph.language.synapse import Synapse, SynapseState


def checked(model: Neuron | Synapse, name: str, value: Any) -> Any:
    """``value`` in a form that cannot change later, if it can be the value of ``name``.

    Returns
    -------
    Quantity, float, int, read-only ndarray, or the distribution as given

    Raises
    ------
    LanguageError
        If there is no such parameter or state, or the value is not one.
    UnitError
        If the value has another dimension.
    """
    specs: dict[str, ParamSpec | StateSpec | SynapseState] = {s.name: s for s in model.params}
    specs |= {s.name: s for s in model.states}
    subject = f"{model.name}.{name}"
    if name not in specs:
        what = "is a port, not" if any(p.name == name for p in getattr(model, "ports", ())) else "is not"
        raise LanguageError(
            f"{subject} {what} a parameter or a state; {suggestion(name, specs)}", name=name, available=list(specs)
        )
    spec = specs[name]
    if hasattr(value, "sample"):
        return _distribution(subject, value, spec.unit.dim)
    if isinstance(value, bool | np.bool_):
        raise LanguageError(f"{subject}: expected a number, got {value}; write 1 or 0")
    try:
        quantity = as_quantity(value, subject)
    except UnitError as error:
        raise LanguageError(f"{error}; give a number, a quantity, an array or a distribution") from None
    number = si_value(quantity, spec.unit.dim, subject)
    if np.any(np.isnan(number)):
        raise LanguageError(f"{subject}: not a number (NaN) cannot be a value")
    if getattr(spec, "type", Type.FLOAT) is Type.INT:  # synapses' states are floats
        return _whole(subject, number)
    if np.ndim(number):
        number = _read_only(np.asarray(number, np.float64))
    return number if quantity.dim.is_none else Quantity(number, quantity.dim, quantity.unit)


def _distribution(subject: str, value: Any, dim: Dimension) -> Any:
    for name in ("dim", "dimension"):
        got = getattr(value, name, None)
        if isinstance(got, Dimension) and got != dim:
            raise UnitError(f"{subject}: expected {dim}, got {value!r} ({got})", expected=dim, got=got)
    return value


def _whole(subject: str, number: Any) -> Any:
    if np.any(number != np.floor(number)):
        raise LanguageError(f"{subject}: expected whole numbers because dtype=int, got {number}")
    if np.any((number < -(2**31)) | (number >= 2**31)):
        raise LanguageError(f"{subject}: an int holds 32 bits, got {number}; use values in [-2**31, 2**31)")
    return _read_only(np.asarray(number, np.int64)) if np.ndim(number) else int(number)


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    copy = array.copy()
    copy.setflags(write=False)
    return copy
