"""Weights and delays as given: their dimension, their type, and the arrays that they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError, UnitError
from neuromorph.language.expr import Type
from neuromorph.network.distributions import Distribution
from neuromorph.units import NONE, TIME, Dimension, Quantity, as_quantity, dimension_of, example_unit, si_value

Array = npt.NDArray[Any]
MAX_DELAY = 65_535


def dimension(given: Any) -> Dimension:
    """Dimension of a weight or delay as given; a plain array is dimensionless."""
    if given is None or (isinstance(given, np.ndarray | list) and not hasattr(given, "dim")):
        return NONE
    return given.dim if isinstance(given, Distribution) else dimension_of(given)


def magnitude(given: Any) -> Any:
    """Number or array in SI units; plain arrays are handed through, not copied."""
    if given is None or isinstance(given, Distribution):
        return given
    if isinstance(given, int | float | np.number | np.ndarray | list) and not hasattr(given, "dim"):
        return np.asarray(given) if isinstance(given, list) else given
    return as_quantity(given).value


def stack(column: list[Any]) -> Any:
    """One array, or one quantity, of many scalars."""
    if not column or not any(hasattr(x, "dim") for x in column):
        return np.asarray(column)
    quantities = [as_quantity(x) for x in column]
    if len({q.dim for q in quantities}) > 1:
        raise UnitError(f"{quantities[0]} and others in its column have different dimensions")
    return Quantity(np.array([q.value for q in quantities]), quantities[0].dim, quantities[0].unit)


def is_whole(given: Any) -> bool:
    """Whether these are ints by type."""
    if isinstance(given, Distribution):
        return given.integer
    return given is None or np.asarray(magnitude(given)).dtype.kind in "iub"


def check_weights(subject: str, port: Any, own: Any, factor: Any, n_pre: int, n_post: int) -> None:
    """Raise unless weights suit the port.

    Parameters
    ----------
    subject : str
    port : PortSpec
    own : array, Quantity or None
        Weights that the rule brings.
    factor : scalar, array, Quantity, Distribution or None
        The projection's ``weight``; with ``own`` it multiplies and must be one number.
    """
    dim, name = port.unit.dim, f"port '{port.name}'"
    try:
        got = dimension(own) * dimension(factor)
    except UnitError as error:
        raise NetworkError(f"{subject}: weight: {error}") from error
    if own is None and factor is None and dim != NONE:
        raise NetworkError(
            f"{subject}: {name} takes {dim}; give weight=, as in weight=1 * {port.unit.name or example_unit(dim)}"
        )
    if got != dim:
        unit = port.unit.name or example_unit(dim)
        hint = f"write them as in 1 * {unit}" if dim != NONE else "divide them by a unit"
        raise UnitError(f"{subject}: {name} takes {dim}, weights are {got}; {hint}", expected=dim, got=got)
    if own is not None and (isinstance(factor, Distribution) or np.ndim(magnitude(factor))):
        raise NetworkError(f"{subject}: the rule brings its own weights; weight= may scale them by one number only")
    for given in (own, factor):
        _check_numbers(subject, name, given, port.type)
    if own is None and not isinstance(factor, Distribution):
        _check_pairs(subject, "weight", np.shape(magnitude(factor)), n_pre, n_post)


def _check_numbers(subject: str, port: str, given: Any, kind: Type) -> None:
    if isinstance(given, Distribution):
        if kind is Type.INT and not given.integer:
            raise NetworkError(f"{subject}: {port} takes ints, {given} gives floats; use Integers(low, high)")
        if kind is Type.INT and (given.bounds[0] < -(2**31) or given.bounds[1] >= 2**31):
            raise NetworkError(f"{subject}: {port} takes 32-bit ints, {given} goes beyond them")
        return
    if given is None:
        return
    values = np.asarray(magnitude(given))
    if values.dtype.kind not in "iubf":
        raise NetworkError(f"{subject}: weights are {values.dtype}; give numbers")
    if kind is Type.INT:
        if values.dtype.kind == "f":
            raise NetworkError(
                f"{subject}: {port} takes ints, weights are {values.dtype}; round them with .astype(int)"
            )
        if values.size and (int(values.max()) >= 2**31 or int(values.min()) < -(2**31)):
            raise NetworkError(f"{subject}: {port} takes 32-bit ints, weights go to {values.min()}..{values.max()}")
    elif not np.isfinite(values.sum(dtype=np.float64)) and not np.isfinite(values).all():
        raise NetworkError(f"{subject}: a weight is not finite (nan or infinity)")


def _check_pairs(subject: str, what: str, shape: tuple[int, ...], n_pre: int, n_post: int) -> None:
    try:
        fits = np.broadcast_shapes(shape, (n_pre, n_post)) == (n_pre, n_post)
    except ValueError:
        fits = False
    if not fits:
        raise NetworkError(
            f"{subject}: {what} has shape {shape}; give one number, ({n_post},) for one per target, ({n_pre}, 1) for "
            f"one per source, or ({n_pre}, {n_post})",
            shape=shape,
        )


def _shown(given: Any) -> str:
    """A value, or the shape of an array of them."""
    return f"array of shape {np.shape(given)}" if np.ndim(magnitude(given)) else str(given)


def check_delay(subject: str, own: Any, given: Any, n_pre: int, n_post: int) -> None:
    """Raise unless a delay is a number of steps or a time, at least one step where that can be known."""
    if own is not None and given is not None:  # also a delay that depends on distance
        raise NetworkError(f"{subject}: the rule brings its own delays; leave delay= out")
    delay = own if given is None else given
    if delay is None:
        return
    try:
        dim = dimension(delay)
    except UnitError as error:
        raise NetworkError(f"{subject}: delay: {error}; give steps (an int) or a time, as in 1.5 * ms") from error
    if dim not in (NONE, TIME):
        raise UnitError(f"{subject}: delay is {dim}; give steps (an int) or a time, as in 1.5 * ms", got=dim)
    if dim == NONE and not is_whole(delay):
        raise NetworkError(
            f"{subject}: delay {_shown(delay)} has no unit; give steps (an int) or a time, as in 1.5 * ms"
        )
    if isinstance(delay, Distribution):
        low = delay.bounds[0]
        if dim == NONE and low < 1:
            raise NetworkError(f"{subject}: delay {delay} goes below 1 step; an event arrives 1 step later or more")
        return
    values = np.asarray(magnitude(delay))
    if values.size and not (np.isfinite(values).all() and values.min() > 0):
        if not np.isfinite(values).all():
            raise NetworkError(f"{subject}: a delay is not finite (nan or infinity)")
        shown = str(values.min()) if dim == NONE else f"{values.min() * 1e3:g} ms"
        raise NetworkError(f"{subject}: delay {shown} is too short; an event arrives 1 step later or more")
    if dim == NONE and values.size and values.max() > MAX_DELAY:
        raise NetworkError(
            f"{subject}: delay {values.max()} steps; the longest is {MAX_DELAY}", delay=int(values.max())
        )
    if own is None:
        _check_pairs(subject, "delay", values.shape, n_pre, n_post)


def rounded_steps(seconds: npt.NDArray[np.float64], dt: float) -> npt.NDArray[np.int64]:
    """Nearest whole steps (halves to even).

    Raises
    ------
    NetworkError
        If they are more than an integer counts.
    """
    with np.errstate(over="ignore"):
        steps = np.rint(seconds / dt)
    if steps.size and not np.abs(steps).max() < 2.0**63:
        raise NetworkError(f"{np.abs(seconds).max():g} s are too many steps of {dt:g} s; use a longer step", dt=dt)
    return steps.astype(np.int64)


def delay_steps(subject: str, given: Array, dt: float, drawn: bool = False) -> Array:
    """Delays in steps, as narrow as they go: times are rounded, drawn ones are raised to 1 step.

    Raises
    ------
    NetworkError
        If a given time is shorter than half a step, or longer than 65,535 steps.
    """
    steps = rounded_steps(given, dt) if given.dtype.kind == "f" else given
    if drawn:
        steps = np.maximum(steps, 1)
    if steps.size:
        low, high = steps.min(), steps.max()
        if low < 1:
            raise NetworkError(
                f"{subject}: delay {given.min() * 1e3:g} ms is less than half a step of {dt * 1e3:g} ms; use a shorter "
                "step or a longer delay",
                delay=float(given.min()),
                dt=dt,
            )
        if high > MAX_DELAY:
            raise NetworkError(
                f"{subject}: delay of {high} steps of {dt * 1e3:g} ms; the longest is {MAX_DELAY}",
                delay=int(high),
                dt=dt,
            )
        if low == high:
            return np.array(high, np.uint8 if high <= 255 else np.uint16)
    return steps.astype(np.uint8 if not steps.size or steps.max() <= 255 else np.uint16)


def seconds(dt: Any, name: str = "dt") -> float:
    """A step, or another time of this name, in seconds: a time, or a plain number of seconds.

    Raises
    ------
    NetworkError
        If it is not a positive number.
    UnitError
        If it is not a time.
    """
    value = float(dt) if isinstance(dt, int | float | np.number) else float(si_value(dt, TIME, name))
    if not (np.isfinite(value) and value > 0):
        raise NetworkError(f"{name} is {dt}; give a time above 0, as in 0.1 * ms", **{name: value})
    return value
