"""One neuron into one step program, in the order of a step that the language promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr, Type
from neuromorph.language.neuron import Neuron, ParamSpec
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.integrate import advance
from neuromorph.lowering.program import Float, Slot, StepProgram
from neuromorph.lowering.prune import prune
from neuromorph.lowering.scope import Parameters, Scope
from neuromorph.lowering.statics import Static, Statics
from neuromorph.lowering.streams import Streams
from neuromorph.lowering.values import initial_states, parameter_values
from neuromorph.lowering.verify import verify

REFRACTORY = "refractory steps"
"""Name of the hidden int state that counts the steps for which a neuron stays refractory."""


class LoweredNeuron(NamedTuple):
    """A step program and the numbers it starts from.

    Attributes
    ----------
    program : StepProgram
    state_init : tuple of arrays
        One for each state slot, shape (size,), float64 or int64.
    param_values : tuple of arrays
        One for each parameter slot, shape () or (size,), float64 or int64.
    statics : tuple of Static
        Of the same slots: how each value was made.
    """

    program: StepProgram
    state_init: tuple[npt.NDArray[Any], ...]
    param_values: tuple[npt.NDArray[Any], ...]
    statics: tuple[Static, ...]


def lower_neuron(
    neuron: Neuron,
    dt: float,
    dtype: Float = "float32",
    size: int = 1,
    *,
    observe: Sequence[str] = (),
    seed: int = 0,
    index: int = 0,
    whole: bool = False,
) -> LoweredNeuron:
    """The step program of `size` neurons.

    The program's shape depends on the neuron, on dt and on which values are given per neuron, never on the values: to
    change values, lower again and replace the numbers.

    Parameters
    ----------
    neuron : Neuron
    dt : float
        Length of a step in seconds.
    dtype : {"float32", "float64"}
    size : int
    observe : sequence of str
        Named intermediates to keep as observables; each is evaluated as in the event's condition, on the new state
        before the reset.
    seed, index : int
        Of the network and of the population in it; distribution-valued parameters and initial states depend on them.
    whole : bool
        Leave elementary functions whole; see :class:`neuromorph.lowering.builder.Builder`.

    Raises
    ------
    LanguageError
        The method cannot integrate the neuron, an array has the wrong length, or nothing is named as in `observe`.
    """
    params = parameter_values(neuron, size, seed, index)
    states = initial_states(neuron, params, size, dt, seed, index)
    builder = Builder(dtype, whole)
    parameters = Parameters(builder)
    scope = Scope(
        builder,
        Statics(params, dt),
        parameters,
        Streams(neuron.expressions()),
        {s.name: builder.leaf("state", s.type, k) for k, s in enumerate(neuron.states)},
        {p.name: builder.leaf("port", p.type, k) for k, p in enumerate(neuron.ports)},
        dt,
        units={p.name: p.unit.scale for p in neuron.params} | {s.name: s.unit.scale for s in neuron.states},
    )
    slots = [Slot(s.name, s.type, s.unit.name, s.unit.scale) for s in neuron.states]
    new, fired, value, observables = _step(neuron, scope, observe)
    if REFRACTORY in new:
        slots.append(Slot(REFRACTORY, Type.INT))
        states[REFRACTORY] = np.zeros(size, np.int64)
    program, kept = prune(
        StepProgram(
            dtype,
            tuple(builder.ops),
            tuple(slots),
            parameter_slots(neuron.params, parameters.statics),
            tuple(Slot(p.name, p.type, p.unit.name, p.unit.scale) for p in neuron.ports),
            tuple(new[slot.name].number for slot in slots),
            None if fired is None else fired.number,
            None if value is None else value.number,
            tuple((name, v.number) for name, v in observables),
        )
    )
    verify(program)
    init = tuple(states[slot.name] for slot in slots)
    statics = tuple(parameters.statics[k] for k in kept)
    values = tuple(static.value for static in statics)
    for slot, number in zip((*program.states, *program.params), (*init, *values), strict=True):
        require_range(neuron.name, slot, number, dtype)
    return LoweredNeuron(program, init, values, statics)


def require_range(model: str, slot: Slot, value: npt.NDArray[Any], dtype: Float) -> None:
    """Raise a LanguageError if a number of `model` is beyond the type that holds it."""
    limits = np.iinfo(np.int32) if slot.type is Type.INT else np.finfo(dtype)
    if value.size and limits.min <= value.min() and value.max() <= limits.max:
        return
    beyond = np.isfinite(value) & ((value < float(limits.min)) | (value > float(limits.max)))
    if np.any(beyond):
        width = "32-bit ints" if slot.type is Type.INT else dtype
        worst = float(value[beyond].flat[0])
        raise LanguageError(
            f"{model}: {slot.name} is {worst:g} in SI units, which is beyond {width}; scale the equations",
            name=slot.name,
            value=worst,
        )


def _step(
    neuron: Neuron, start: Scope, observe: Sequence[str]
) -> tuple[dict[str, Value], Value | None, Value | None, list[tuple[str, Value]]]:
    """New states, fired, value and observables: jumps, advance, event, reset."""
    event = neuron.event
    waiting = refractory = None
    if event is not None and event.refractory is not None:
        waiting = start.builder.leaf("state", Type.INT, len(neuron.states))
        refractory = waiting > 0
    held = event.hold if event is not None and refractory is not None else ()

    def keep(states: Mapping[str, Value], instead: Mapping[str, Value]) -> dict[str, Value]:
        """`states`, but the held ones as in `instead` while refractory."""
        return {
            name: refractory.where(instead[name], v) if refractory is not None and name in held else v
            for name, v in states.items()
        }

    jumped = {
        s.name: start.states[s.name] + start(s.jump) if s.jump is not None else start.states[s.name]
        for s in neuron.states
    }
    before = start.at(keep(jumped, start.states))
    moved = advance(neuron, before, refractory)
    moved |= {s.name: before(s.next) for s in neuron.states if s.next is not None}
    after = start.at(keep({s.name: moved.get(s.name, before.states[s.name]) for s in neuron.states}, start.states))
    observables = [(name, after(_named(neuron, name))) for name in observe]
    if event is None:
        return dict(after.states), None, None, observables
    fired = after(event.when)
    if refractory is not None:
        fired = ~refractory & fired
    new = {
        s.name: fired.where(after(s.reset), after.states[s.name]) if s.reset is not None else after.states[s.name]
        for s in neuron.states
    }
    if waiting is not None and event.refractory is not None:
        rest = start.builder.emit("max", waiting - 1, start.builder.const(0, Type.INT))
        new[REFRACTORY] = fired.where(_refractory_steps(event.refractory, after), rest)
    value = None if event.value is None else after(event.value).to_float()
    return new, fired, value, observables


def _named(neuron: Neuron, name: str) -> Expr:
    for known, expr in neuron.named:
        if known == name:
            return expr
    names = [known for known, _ in neuron.named]
    raise LanguageError(f"{neuron.name} has no named expression {name!r}; it has {', '.join(names) or 'none'}")


def _refractory_steps(time: Expr, scope: Scope) -> Value:
    """Refractory time in whole steps."""
    static = scope.statics.require(time)
    steps = np.asarray(np.maximum(np.rint(static.value / scope.dt), 0).astype(np.int64))
    key = ("refractory", static.key)
    return scope.parameters(Static(key, f"steps of {static.name}", steps, static.literal, "steps", (static,), scope.dt))


def parameter_slots(params: Sequence[ParamSpec], statics: Sequence[Static]) -> tuple[Slot, ...]:
    """Slots for given and derived parameters, each with a name of its own."""
    given = {p.name: p for p in params}
    taken: dict[str, int] = {}
    slots = []
    for static in statics:
        type_ = Type.FLOAT if static.value.dtype.kind == "f" else Type.INT
        name, spec = static.name, given.get(static.name)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            name = f"{name} #{taken[name]}"
        unit = ("", 1.0) if spec is None or static.key != ("param", spec.name) else (spec.unit.name, spec.unit.scale)
        slots.append(Slot(name, type_, *unit, per_neuron=static.value.ndim > 0))
    return tuple(slots)
