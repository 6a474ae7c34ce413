"""One neuron alone, with an input of one's choice, before there is any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.target import duration_steps, step_seconds
from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron, PortSpec
from neuromorph.lowering.check import require_values
from neuromorph.lowering.neuron import lower_neuron
from neuromorph.lowering.program import Float, LoweredPopulation
from neuromorph.units import NONE, TIME, Quantity, Unit, ms, one, si_unit, si_value

if TYPE_CHECKING:
    from neuromorph.trace import Events

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class Simulation:
    """What :func:`simulate` gives.

    Attributes
    ----------
    neuron : Neuron
    n : int
        Copies simulated.
    dt : float
        Length of a step in seconds.
    times : Quantity (steps,)
        Time stamp of each step: step * dt.
    states : dict of str to Quantity or array
        Values at the end of each step, (steps,) for one neuron and (steps, n) for several; plain arrays where there is
        no unit.
    inputs : dict of str to Quantity or array
        Sum at each port in each step, of the same shape.
    events : Events
        Steps, neurons, values and times (ms) of the events.
    """

    neuron: Neuron
    n: int
    dt: float
    times: Quantity
    states: Mapping[str, Any]
    inputs: Mapping[str, Any]
    events: Events

    def __getitem__(self, name: str) -> Any:
        """A recorded state or named value."""
        if name not in self.states:
            raise NetworkError(f"{name!r} was not recorded; there are {', '.join(self.states)}")
        return self.states[name]

    def plot(self, neurons: int = 5) -> Any:
        """Draw events, states by unit and inputs below each other.

        Parameters
        ----------
        neurons : int
            How many of several neurons to draw.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from neuromorph.simulation_plot import plot

        return plot(self, neurons)

    def __repr__(self) -> str:
        steps = len(self.times.value)
        who = self.neuron.name if self.n == 1 else f"{self.n} {self.neuron.name}"
        return f"<Simulation of {who}: {steps:,} steps of {self.dt * 1e3:g} ms, {len(self.events):,} events>"


def simulate(
    neuron: Neuron,
    duration: Quantity | int,
    dt: Quantity = 0.1 * ms,
    inputs: Mapping[str, Any] | None = None,
    n: int = 1,
    seed: int = 0,
    method: str | None = None,
    record: Sequence[str] | None = None,
    dtype: Float = "float64",
) -> Simulation:
    """Run copies of one neuron in NumPy.

    Parameters
    ----------
    neuron : Neuron
    duration : Quantity or int
        A time, or a number of steps.
    dt : Quantity
        Length of a step.
    inputs : mapping of port name to input, optional
        The sum that arrives at the port in each step: a number or quantity (the same in every step), an array
        (steps,) or (steps, n), or a function of the time (a Quantity) that gives one value or n of them.
    n : int
        Copies; parameters and initial states may differ between them.
    seed : int
        Of noise and of sampled values.
    method : str, optional
        Integrate by another method than the neuron's own.
    record : sequence of str, optional
        States and named intermediates to keep; default: all states.
    dtype : {"float32", "float64"}
        Width of the arithmetic.

    Returns
    -------
    Simulation

    Raises
    ------
    NetworkError, UnitError, LanguageError
        An input for a port that is not there, or of another dimension or shape; nothing named as in `record`.

    Examples
    --------
    >>> run = simulate(LIF, 100 * ms, inputs={"i_in": 0.4 * nA})  # doctest: +SKIP
    >>> run.states["v"].to(mV).max(), run.events.times  # doctest: +SKIP
    """
    from neuromorph.engine.reference import RunningPopulation
    from neuromorph.trace import Events

    step = step_seconds(dt)
    steps = duration_steps(duration, step)
    _check_options(neuron, inputs, n, seed, dtype)
    if method is not None:
        neuron = neuron.with_method(method)
    units = {s.name: s.unit for s in neuron.states} | {name: si_unit(e.dim) for name, e in neuron.named}
    kept = tuple(s.name for s in neuron.states) if record is None else tuple(record)
    for name in kept:
        if name not in units:
            raise NetworkError(f"{neuron.name} has no state or value {name!r}; it has {', '.join(units) or 'none'}")
    observe = tuple(name for name in kept if name not in {s.name for s in neuron.states})
    require_values(neuron, n, step, seed)
    lowered = lower_neuron(neuron, step, dtype, n, observe=observe, seed=seed)
    population = RunningPopulation(
        LoweredPopulation(neuron.name, 0, n, 0, lowered.program, lowered.state_init, lowered.param_values), dtype, 1
    )
    sums = _inputs(neuron, inputs or {}, steps, step, n)
    rows: dict[str, list[Array]] = {name: [] for name in kept}
    fired: list[Array] = []
    values: list[Array] = []
    for t in range(steps):
        for port, spec in zip(population.sums, neuron.ports, strict=True):
            port[0] = sums[spec.name][t]
        population.advance(t, seed)
        for name in kept:
            rows[name].append(population.value_of(name))
        fired.append(population.fired)
        if population.values is not None:
            values.append(population.values)
    at = np.repeat(np.arange(steps), [len(f) for f in fired])
    ids = np.concatenate([np.zeros(0, np.int64), *fired])
    graded = neuron.event is not None and neuron.event.value is not None
    return Simulation(
        neuron=neuron,
        n=n,
        dt=step,
        times=Quantity(np.arange(steps) * step, TIME, ms),
        states={name: _shaped(np.array(rows[name]).reshape(steps, n), units[name], n) for name in kept},
        inputs={p.name: _shaped(sums[p.name], p.unit, n) for p in neuron.ports},
        events=Events(at, ids, np.concatenate([np.zeros(0), *values]) if graded else None, at * step * 1e3),
    )


def _check_options(neuron: Neuron, inputs: object, n: object, seed: object, dtype: object) -> None:
    subject = f"simulating {neuron.name}"
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        raise NetworkError(f"{subject}: n is {n!r}; give a number of copies, an int of at least 1")
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise NetworkError(f"{subject}: seed {seed!r}; give an int from 0 to 2**64 - 1", seed=seed)
    if dtype not in ("float32", "float64"):
        raise NetworkError(f"{subject}: dtype {dtype!r}; it can be 'float32' or 'float64'")
    if inputs is not None and not isinstance(inputs, Mapping):
        ports = ", ".join(f"'{p.name}': ..." for p in neuron.ports)
        raise NetworkError(f"{subject}: inputs is {inputs!r:.80}; give an input for each port by name: {{{ports}}}")


def _shaped(values: Array, unit: Unit, n: int) -> Any:
    values = values[:, 0] if n == 1 else values
    return values if unit.dim == NONE else Quantity(values.astype(np.float64), unit.dim, unit)


def _inputs(neuron: Neuron, given: Mapping[str, Any], steps: int, dt: float, n: int) -> dict[str, Array]:
    """Sum at each port, (steps, n), in SI units."""
    ports = {p.name: p for p in neuron.ports}
    for name in given:
        if name not in ports:
            raise NetworkError(f"{neuron.name} has no port {name!r}; it has {', '.join(ports) or 'none'}", port=name)
    return {name: _input(neuron, port, given.get(name), steps, dt, n) for name, port in ports.items()}


def _input(neuron: Neuron, port: PortSpec, given: Any, steps: int, dt: float, n: int) -> Array:
    subject = f"input to {neuron.name}.{port.name}"
    values: Array
    if callable(given):
        times = (Quantity(t * dt, TIME, ms) for t in range(steps))
        samples = [np.asarray(si_value(given(time), port.unit.dim, subject)) for time in times]
        values = np.array([np.broadcast_to(sample, (n,)) for sample in samples]).reshape(-1, n)
    else:
        values = np.asarray(0.0 if given is None else si_value(given, port.unit.dim, subject))
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim and values.shape not in ((steps, 1), (steps, n)):
            raise NetworkError(
                f"{subject}: shape {values.shape} for {steps} steps of {n} neurons; give ({steps},) or ({steps}, {n})",
                shape=values.shape,
            )
    if not np.all(np.isfinite(values)):
        raise NetworkError(f"{subject}: a value is not finite (nan or infinity)")
    if port.type is Type.INT:
        if np.any(values != np.floor(values)):
            raise NetworkError(f"{subject}: an int port takes whole numbers")
        values = values.astype(np.int64)
    return np.array(np.broadcast_to(values, (steps, n)))


def in_unit(values: Any) -> tuple[Array, str]:
    """Numbers to draw, and their unit."""
    if isinstance(values, Quantity):
        return np.asarray(values.to(values.unit)), values.unit.name
    return np.asarray(values), one.name
