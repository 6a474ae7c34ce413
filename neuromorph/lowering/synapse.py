"""A projection with plastic synapses into the programs and numbers that an engine runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.language.synapse import Place, Synapse
from neuromorph.lowering.builder import Builder, Value
from neuromorph.lowering.integrate import integrate
from neuromorph.lowering.neuron import parameter_slots, require_range
from neuromorph.lowering.plastic import Path, PlasticProjection, Rows, StateRecord, SynapseProgram, Update, View
from neuromorph.lowering.program import Float, Slot, StepProgram
from neuromorph.lowering.prune import prune
from neuromorph.lowering.routes import has_one_delay, routes
from neuromorph.lowering.scope import Parameters, Scope
from neuromorph.lowering.statics import Statics
from neuromorph.lowering.streams import Streams
from neuromorph.lowering.verify import verify
from neuromorph.network.builders.assemble import draw
from neuromorph.network.keys import stream_key
from neuromorph.network.rules.rule import target_dtype
from neuromorph.network.synapses import Synapses
from neuromorph.units import as_quantity

if TYPE_CHECKING:
    from neuromorph.network.population import Population
    from neuromorph.network.projection import Projection
    from neuromorph.network.recordings import SynapseRecording

EVENT_VALUE = "event_value"
PLACES: tuple[Place, ...] = ("pre", "post", "synapse")
Numbers = npt.NDArray[Any]


def plastic_problems(projection: Projection) -> list[str]:
    """What keeps a plastic projection from running: states of neurons where every synapse has its own delay."""
    synapse = projection.synapse
    if synapse is None:
        return []
    own = getattr(projection.rule, "delays", None)
    delays = {"on_pre": projection.delay if own is None else own} | dict(projection.delays)
    several = {path.name: path.end for path in synapse.paths if not has_one_delay(delays.get(path.name))}
    found = []
    for path, end in several.items():
        whose = {"pre": "source", "post": "target"}[end]
        why = f"every synapse has its own delay, so an event of a {whose} neuron arrives more than once"
        kind = {"pre": "PreState", "post": "PostState"}[end]
        changed = synapse.rules(path)
        found += [
            f"{kind} {s.name!r} of {synapse.name} has no meaning where {why}; declare {s.name} = State(...)"
            for s in synapse.states
            if s.place == end and s.name in changed
        ]
        found += [
            f"PreView({v.variable!r}) of {synapse.name} has no meaning where {why}; give one delay"
            for v in synapse.views
            if v.end == "pre" and path == "on_pre" and not synapse.late
        ]
    return [f"projection {projection.name}: {problem}" for problem in found]


def lower_synapse(synapse: Synapse, dt: float, dtype: Float) -> SynapseProgram:
    """The programs of a synapse model with its present values.

    Parameters
    ----------
    dt : float
        Length of a step in seconds.
    dtype : {"float32", "float64"}

    Raises
    ------
    LanguageError
        The method cannot integrate it, or a number is beyond the type that holds it.
    """
    builder = Builder(dtype)
    parameters = Parameters(builder)
    names = [*(v.name for v in synapse.views), EVENT_VALUE]
    scope = Scope(
        builder,
        Statics(parameter_numbers(synapse), dt),
        parameters,
        Streams(synapse.expressions()),
        {s.name: builder.leaf("state", Type.FLOAT, k) for k, s in enumerate(synapse.states)},
        {name: builder.leaf("port", Type.FLOAT, k) for k, name in enumerate(names)},
        dt,
    )
    moved = integrate(synapse.name, synapse.rules("dot"), synapse.method, scope)
    moved |= {name: scope(e) for name, e in synapse.rules("next").items()}
    states = tuple(Slot(s.name, Type.FLOAT, s.unit.name, s.unit.scale) for s in synapse.states)
    views = tuple(Slot(name, Type.FLOAT) for name in names)
    places = tuple(s.place for s in synapse.states)

    def updates(new: Mapping[str, Value], given: Mapping[str, Value] | None = None) -> dict[Place, Update]:
        parts = {p: {s.name: new[s.name] for s in synapse.states if s.place == p and s.name in new} for p in PLACES}
        added = {p: given if given and p == "synapse" else {} for p in PLACES}
        return {
            p: _update(synapse, dtype, scope, states, views, part, added[p])
            for p, part in parts.items()
            if part or added[p]
        }

    paths = tuple(
        Path(
            path.name,
            path.end,
            updates(*({n: scope(e) for n, e in of(path.name).items()} for of in (synapse.rules, synapse.gives))),
            delivers=path.name == "on_pre" and synapse.weight is not None and not synapse.outputs,
        )
        for path in synapse.paths
    )
    every = {name: scope(e) for name, e in synapse.gives("every").items()}
    return SynapseProgram(
        states=states,
        views=views,
        places=places,
        weight=None if synapse.weight is None else [s.name for s in synapse.states].index(synapse.weight),
        outputs=tuple(o.name for o in synapse.outputs),
        advance=updates(moved),
        every=updates({}, every)["synapse"] if every else None,
        paths=paths,
        late=synapse.late,
    )


def _update(
    synapse: Synapse,
    dtype: Float,
    scope: Scope,
    states: tuple[Slot, ...],
    views: tuple[Slot, ...],
    new: Mapping[str, Value],
    given: Mapping[str, Value],
) -> Update:
    statics = scope.parameters.statics
    program, kept = prune(
        StepProgram(
            dtype,
            tuple(scope.builder.ops),
            states,
            parameter_slots(synapse.params, statics),
            views,
            tuple(new.get(slot.name, scope.states[slot.name]).number for slot in states),
            None,
            None,
            tuple((name, value.number) for name, value in given.items()),
        )
    )
    verify(program)
    values = tuple(statics[k].value for k in kept)
    for slot, number in zip(program.params, values, strict=True):
        require_range(synapse.name, slot, number, dtype)
    return Update(program, tuple(k for k, slot in enumerate(states) if slot.name in new), values)


def parameter_numbers(synapse: Synapse) -> dict[str, Numbers]:
    """Value of each parameter in SI units, float64 or int64, shape ()."""
    given = dict(synapse.values)
    return {
        p.name: np.asarray(as_quantity(given.get(p.name, p.default)).value).astype(
            np.int64 if p.type is Type.INT else np.float64
        )
        for p in synapse.params
    }


def lower_plastic(
    projection: Projection, synapses: Synapses, dt: float, dtype: Float, seed: int = 0
) -> PlasticProjection:
    """A built projection and its synapse model as an engine takes them.

    Parameters
    ----------
    projection : Projection
        With a synapse.
    synapses : Synapses
        The same, built.
    dt : float
        Seconds.
    seed : int
        Of the network, for initial states that are drawn.

    Raises
    ------
    LanguageError
    """
    synapse = projection.synapse
    assert synapse is not None
    scale = projection.port_spec.unit.scale if synapse.in_port_unit else 1.0
    targets, weights, rows = _rows(synapses)
    program = lower_synapse(synapse, dt, dtype)
    port_names = [port.name for port in projection.post.neuron.ports]
    made = PlasticProjection(
        name=projection.name,
        index=projection.index,
        model=synapse.name,
        pre=synapses.pre,
        post=synapses.post,
        port=synapses.port,
        n_pre=synapses.n_pre,
        n_post=synapses.n_post,
        rows=rows,
        targets=targets,
        program=program,
        initial=(),
        views=_views(projection, 1 if synapse.late else min(r.delay for r in rows)),
        scale=scale,
        unit=projection.port_spec.unit.name,
        routes=(),
        ports=tuple(port_names.index(o.port or projection.port) for o in synapse.outputs),
        seed=stream_key(seed, projection.index, "synapse") & (1 << 64) - 1,
        senders=tuple(_sender(projection, path).index for path in program.paths),
    )
    made = replace(made, routes=routes(projection, made, dt))
    own = (np.asarray(weights, np.float64) / scale if scale != 1.0 else weights).astype(dtype)
    return replace(made, initial=initial_states(projection, made, own, dt, dtype, seed))


def _sender(projection: Projection, path: Path) -> Population:
    """The population whose events a path follows."""
    return projection.events.get(path.name, projection.pre if path.end == "pre" else projection.post)


def initial_states(
    projection: Projection, made: PlasticProjection, weights: Numbers | None, dt: float, dtype: Float, seed: int
) -> tuple[Numbers, ...]:
    """Initial value of each state, the weight's, if there is one, as given in the type of all states.

    Raises
    ------
    LanguageError
        One is beyond the type that holds it.
    """
    synapse = projection.synapse
    assert synapse is not None
    own = initial_numbers(projection, made, dt, seed)
    if synapse.weight is not None and weights is not None:
        own[synapse.weight] = weights
    initial = tuple(own[s.name] for s in synapse.states)
    for slot, number in zip(made.program.states, initial, strict=True):
        require_range(synapse.name, slot, number, dtype)
    return initial


def state_records(made: PlasticProjection, recordings: Sequence[SynapseRecording]) -> tuple[StateRecord, ...]:
    """What is recorded of a projection.

    Raises
    ------
    NetworkError
        There is no synapse or neuron of an index.
    """
    names, records = [slot.name for slot in made.program.states], []
    for each in recordings:
        state = names.index(each.name)
        size = made.size_of(state)
        indices = np.arange(size, dtype=np.int64) if each.indices is None else each.indices
        if indices.size and indices[-1] >= size:
            raise NetworkError(
                f"recording of {made.name}.{each.name}: index {indices[-1]}; there are {size}, from 0 on",
                index=int(indices[-1]),
                size=size,
            )
        records.append(StateRecord(state, each.every, indices))
    return tuple(records)


def _views(projection: Projection, lag: int) -> tuple[View, ...]:
    assert projection.synapse is not None
    ends = {"pre": projection.pre, "post": projection.post, "third": projection.third}
    found = []
    for view in projection.synapse.views:
        population = ends[view.end]
        assert population is not None  # checked when it was projected
        found.append(View(view.end, population.index, view.variable, 0 if view.end == "post" else lag))
    return tuple(found)


def _rows(synapses: Synapses) -> tuple[Numbers, Numbers, tuple[Rows, ...]]:
    """Targets and weights of the synapses, by delay (longest first), source and place in the row; and their rows."""
    n_pre, n_post = synapses.n_pre, synapses.n_post
    if synapses.row_ptr is None or synapses.targets is None:
        row_ptr = np.arange(n_pre + 1, dtype=np.int64) * n_post
        targets = np.tile(np.arange(n_post, dtype=target_dtype(n_post)), n_pre)
    else:
        row_ptr, targets = synapses.row_ptr, synapses.targets
    weights, delays = synapses.weights, synapses.delays
    if delays.ndim == 0 or not len(targets):
        return targets, weights, (Rows(int(delays) if delays.ndim == 0 else 1, row_ptr),)
    order = np.argsort(-delays.astype(np.int64), kind="stable")
    sources = np.repeat(np.arange(n_pre), np.diff(row_ptr))[order]
    rows, first = [], 0
    for delay, number in zip(*np.unique(-delays.astype(np.int64), return_counts=True), strict=True):
        counts = np.bincount(sources[first : first + number], minlength=n_pre)
        rows.append(Rows(-int(delay), first + np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)))
        first += int(number)
    return targets[order], weights[order] if weights.ndim else weights, tuple(rows)


def initial_numbers(projection: Projection, made: PlasticProjection, dt: float, seed: int) -> dict[str, Numbers]:
    """Initial value of each state but the weight in SI units, shape () or one for each that has it."""
    synapse = projection.synapse
    assert synapse is not None
    statics, given = Statics(parameter_numbers(synapse), dt), dict(synapse.values)
    result: dict[str, Numbers] = {}
    for k, state in enumerate(synapse.states):
        value = given.get(state.name)
        if value is None:
            result[state.name] = np.asarray(statics.require(state.initial).value, np.float64)
        elif hasattr(value, "sample"):
            key = stream_key(seed, projection.index, f"synapse/{state.name}")
            result[state.name] = draw(value, made.size_of(k), key, np.dtype(np.float64), 1)
        else:
            result[state.name] = np.asarray(as_quantity(value).value, np.float64)
            if result[state.name].ndim and len(result[state.name]) != made.size_of(k):
                raise NetworkError(
                    f"projection {projection.name}: {synapse.name}.{state.name} has {len(result[state.name])} values; "
                    f"give one, or one for each of its {made.size_of(k)} synapses in their order, by delay (longest "
                    "first), source and target",
                    expected=made.size_of(k),
                    got=len(result[state.name]),
                )
    return result
