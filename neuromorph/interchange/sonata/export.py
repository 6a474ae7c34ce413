"""From a network to the files of a SONATA circuit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.sonata.attributes import DYNAMICS, Ints
from neuromorph.interchange.sonata.files import write_edges, write_nodes, write_spikes, write_types
from neuromorph.interchange.sonata.groups import VIRTUAL
from neuromorph.interchange.sonata.templates import Template, joined, list_name, template_of, unit_value
from neuromorph.interchange.sonata.write_config import circuit_config, simulation_configs, write_json
from neuromorph.language import Neuron
from neuromorph.network import EventsOf, EventSource, Live, Network, Population
from neuromorph.network.builders import build_each
from neuromorph.network.synapses import Synapses
from neuromorph.network.values import seconds
from neuromorph.units import TIME, Quantity, si_value

if TYPE_CHECKING:
    from neuromorph.trace import Trace

OURS = "neuromorph"
"""Before the colon in the model template of a neuron that SONATA has no name for."""

FIRST_TYPE = 100

TYPES = 256
"""Sets of parameters up to which each is a type with a JSON file, as other simulators want them; where there are more,
what differs goes to ``dynamics_params`` of the single nodes, which SONATA has, too, but fewer programs read."""


@dataclass(frozen=True, eq=False)
class _Part:
    """One projection as edges."""

    name: str
    pre: Population
    post: Population
    sources: Ints
    targets: Ints
    row: Mapping[str, Any]
    columns: Mapping[str, npt.NDArray[Any]]


def to_sonata(network: Network, folder: str | PathLike[str], *, dt: Quantity, duration: Quantity) -> Path:
    """Write a network as a SONATA circuit.

    Every population becomes one of nodes, every projection one of edges with weights in the unit of the model and
    delays in ms. Neurons that came from SONATA go back to their model template; others get ``neuromorph:<name>``, with
    their parameters in the units of their class body: SONATA names models, it does not hold equations, so
    :func:`from_sonata` needs ``models={"neuromorph:<name>": ...}`` to read them. Sources become virtual nodes with a
    spike file. What is drawn at random is written as it was drawn.

    Parameters
    ----------
    network : Network
    folder : path
        Made if need be; files in it of the same names are replaced.
    dt : Quantity
        The step, which delays and steps of events are counted in.
    duration : Quantity
        How long the simulation runs.

    Returns
    -------
    Path
        Of ``simulation_config.json``; ``circuit_config.json`` is beside it, and ``simulation_config_libsonata.json``,
        the same for programs that read by libsonata.

    Raises
    ------
    CheckError
        If SONATA cannot say something: everything that it cannot is listed, and nothing is written.
    """
    step, stop = seconds(dt) * 1e3, seconds(duration) * 1e3
    problems = _population_problems(network) + _projection_problems(network)
    problems += [f"{r.subject}: SONATA's nodes see one another's spikes alone" for r in network.readings]
    _refuse(network, problems)
    parts = [_edges(network, made, step, problems) for made in build_each(network, step * 1e-3, dtype="float64")]
    _refuse(network, problems)
    place = Path(folder)
    for inner in (place, place / "components", place / "output"):
        inner.mkdir(parents=True, exist_ok=True)
    labels = _file_names([population.name for population in network.populations])
    nodes = [_write_population(network, p, place, labels[p.name], step) for p in network.populations]
    parts = _distinct(parts)
    names = _file_names([part.name for part in parts])
    edges = [_write_part(part, place, names[part.name], FIRST_TYPE + k) for k, part in enumerate(parts)]
    inputs = {
        population.name: _write_source(population, place, labels[population.name], step)
        for population in network.populations
        if isinstance(population.neuron, EventSource) and population.neuron.count
    }
    write_json(place / "circuit_config.json", circuit_config(nodes, edges))
    write_json(place / "node_sets.json", {p.name: {"population": p.name} for p in network.populations})
    for name, content in simulation_configs(network, inputs, step, stop).items():
        write_json(place / name, content)
    return place / "simulation_config.json"


def _refuse(network: Network, problems: list[str]) -> None:
    if problems:
        raise CheckError(f"network {network.name}: SONATA cannot say everything", problems)


def save_spikes(trace: Trace, path: str | PathLike[str], nodes: Mapping[str, tuple[str, Ints]] | None = None) -> None:
    """Write a trace's spikes as a SONATA file that has SONATA's populations and node ids.

    ``trace.save`` writes the network's own, which are the same but where a population of nodes has several models.

    Parameters
    ----------
    trace : Trace
    path : path
        A file there is replaced.
    nodes : mapping, optional
        As :func:`sonata_nodes` gives it; populations that are not in it stay out. Default: all, as they are.

    Raises
    ------
    NetworkError
        If a name in ``nodes`` is no population of the trace.
    """
    chosen = nodes or {name: (name, np.arange(trace.sizes[name])) for name in trace.recorded_events}
    if missing := [name for name in chosen if name not in trace.recorded_events]:
        raise NetworkError(f"save_spikes: the trace has no events of {', '.join(missing)}")
    found: dict[str, list[tuple[npt.NDArray[np.float64], Ints]]] = {}
    for name, (population, ids) in chosen.items():
        events = trace.events(name)
        found.setdefault(population, []).append((np.asarray(events.times), ids[events.ids]))
    write_spikes(
        Path(path),
        {name: (np.concatenate([t for t, _ in p]), np.concatenate([i for _, i in p])) for name, p in found.items()},
    )


def _population_problems(network: Network) -> list[str]:
    problems = []
    for population in network.populations:
        neuron, subject = population.neuron, f"population {population.name}"
        if isinstance(neuron, Neuron):
            if neuron.event is not None and neuron.event.value is not None:
                problems.append(f"{subject}: {neuron.name} sends graded events, and SONATA's spikes have no values")
        elif isinstance(neuron, EventSource):
            if neuron.values is not None and not ((neuron.values >= 1) & (neuron.values % 1 == 0)).all():
                problems.append(f"{subject}: its events have values; SONATA's spikes have none")
        elif isinstance(neuron, EventsOf):
            problems.append(f"{subject}: it has further events of {neuron.population}; SONATA's nodes send one kind")
        elif not isinstance(neuron, Live) or neuron.graded:
            problems.append(f"{subject}: {neuron.name} sends graded events, and SONATA's spikes have no values")
    return problems


def _projection_problems(network: Network) -> list[str]:
    return [
        f"projection {projection.name}: {projection.synapse.name} changes weights by equations, which SONATA does not "
        "hold; export what it learned: project(..., program.synapses(projection).sparse())"
        for projection in network.projections
        if projection.synapse is not None
    ]


def _template(neuron: Neuron) -> tuple[str, Template]:
    return template_of(neuron) or (f"{OURS}:{neuron.name}", Template.of(neuron))


def _write_population(network: Network, population: Population, folder: Path, label: str, dt: float) -> dict[str, Any]:
    """Files of one population's nodes, and the entry of the circuit's configuration."""
    columns = _positions(population)
    types = np.full(population.size, FIRST_TYPE)
    rows: dict[int, dict[str, Any]] = {FIRST_TYPE: {"model_type": VIRTUAL, "pop_name": population.name}}
    if isinstance(population.neuron, Neuron):
        name, template = _template(population.neuron)
        values = _parameters(network, population, population.neuron, template, dt)
        table, codes = np.unique(np.stack(list(values.values()) or [types]), axis=1, return_inverse=True)
        row = {"model_type": "point_neuron", "model_template": name, "pop_name": population.name}
        sets = [dict(zip(values, column, strict=False)) for column in table.T[:TYPES]]
        if table.shape[1] > TYPES:
            differ = {list_name(key) for key, array in values.items() if (array != array[0]).any()}
            columns |= {f"{DYNAMICS}/{key}": array for key, array in values.items() if list_name(key) in differ}
            sets = [{key: array[0] for key, array in values.items() if list_name(key) not in differ}]
        else:
            types = types + codes.reshape(-1)
        rows = {}
        for k, content in enumerate(sets):
            file = f"{label}.json" if len(sets) == 1 else f"{label}_{k}.json"
            said = joined({key: value.item() for key, value in content.items()})
            write_json(folder / "components" / file, said | template.flags)
            rows[FIRST_TYPE + k] = {**row, DYNAMICS: file}
    write_nodes(folder / f"{label}_nodes.h5", population.name, types, columns)
    write_types(folder / f"{label}_node_types.csv", "node_type_id", rows)
    return {
        "nodes_file": f"$NETWORK_DIR/{label}_nodes.h5",
        "node_types_file": f"$NETWORK_DIR/{label}_node_types.csv",
        "populations": {population.name: {"type": rows[FIRST_TYPE]["model_type"]}},
    }


def _parameters(
    network: Network, population: Population, neuron: Neuron, template: Template, dt: float
) -> dict[str, npt.NDArray[Any]]:
    """Parameters and initial states in the template's units, one value for each neuron."""
    from neuromorph.lowering.values import initial_states, parameter_values

    params = parameter_values(neuron, population.size, network.seed, population.index)
    states = initial_states(neuron, params, population.size, dt * 1e-3, network.seed, population.index)
    values, found = {**states, **params}, {}
    for name, (ours, unit) in template.parameters.items():
        found[name] = np.array(np.broadcast_to(_in_unit(values[ours], unit_value(unit)), population.size))
    return found


def _in_unit(values: npt.NDArray[Any], scale: float) -> npt.NDArray[Any]:
    """SI values in a unit: numbers that times the unit are these values again, to the last bit where there are any."""
    if scale == 1:
        return values
    found: npt.NDArray[Any] = np.asarray(values / scale)
    for near in (np.nextafter(found, np.inf), np.nextafter(found, -np.inf)):
        found = np.where((found * scale != values) & (near * scale == values), near, found)
    return found


def _positions(population: Population) -> dict[str, npt.NDArray[Any]]:
    """Coordinates, if they were given; lengths in micrometres."""
    if population.coordinates is None:
        return {}
    scale = 1e6 if population.positions_in_metres else 1.0
    return {axis: column * scale for axis, column in zip("xyz", population.coordinates.T, strict=False)}


def _edges(network: Network, built: Synapses, dt: float, problems: list[str]) -> _Part:
    """A built projection as edges: what all share goes into the type table, the rest into columns."""
    made = built.expanded()
    pre, post = network.populations[made.pre], network.populations[made.post]
    projection, neuron = network.projections[made.index], post.neuron
    assert isinstance(neuron, Neuron)
    if made.row_ptr is None or made.targets is None:
        sources = np.repeat(np.arange(made.n_pre), made.n_post)
        targets = np.tile(np.arange(made.n_post), made.n_pre)
    else:
        sources = np.repeat(np.arange(made.n_pre), np.diff(made.row_ptr))
        targets = made.targets.astype(np.int64)
    weights = made.weights if made.weight_index is None else made.weights[made.weight_index]
    name, template = _template(neuron)
    row: dict[str, Any] = {"target_query": "*", "source_query": "*", "model_template": "static_synapse"}
    row[DYNAMICS] = "instantaneous.json" if name.startswith("nrn:") else "static.json"
    if name.startswith(OURS):
        row["port"] = projection.port
    elif template.numbered:
        receptor = next(label for label, port in template.receptors.items() if port == projection.port)
        row[DYNAMICS] = f"receptor_{receptor}.json"
    elif template.excitatory != template.inhibitory:
        sign = -1 if projection.port == template.inhibitory else 1
        if template.magnitudes:
            weights = sign * weights  # a conductance is positive, and the files' sign names its port
        if wrong := int(np.count_nonzero(np.broadcast_to(sign * weights < 0, targets.shape))):
            problems.append(
                f"projection {projection.name}: {wrong:,} weights at port {projection.port} have the sign of the other "
                f"port, and {name} tells its ports apart by the sign; project them onto the other port"
            )
    columns: dict[str, npt.NDArray[Any]] = {}
    weights = _in_unit(weights, template.scale(projection.port))
    for label, array in (("syn_weight", weights), ("delay", made.delays * dt)):
        flat = np.ravel(array)
        if len(flat) and (flat == flat[0]).all():
            row[label] = flat[0].item()
        else:
            columns[label] = flat
    ports = f"_{projection.port}" if len(neuron.ports) > 1 else ""
    return _Part(f"{pre.name}_to_{post.name}{ports}", pre, post, sources, targets, row, columns)


def _distinct(parts: list[_Part]) -> list[_Part]:
    """The same parts, each with a name of its own."""
    taken: dict[str, int] = {}
    for part in parts:
        taken[part.name] = taken.get(part.name, 0) + 1
    seen: dict[str, int] = {}
    renamed = []
    for part in parts:
        seen[part.name] = seen.get(part.name, 0) + 1
        renamed.append(replace(part, name=f"{part.name}_{seen[part.name]}") if taken[part.name] > 1 else part)
    return renamed


def _write_part(part: _Part, folder: Path, label: str, type_id: int) -> dict[str, Any]:
    """Files of one projection's edges, and the entry of the circuit's configuration."""
    file = part.row[DYNAMICS]
    content: dict[str, Any] = {"level_of_detail": "instantaneous", "sign": 1} if file == "instantaneous.json" else {}
    if file.startswith("receptor_"):
        content = {"receptor_type": int(file.removeprefix("receptor_").removesuffix(".json"))}
    write_json(folder / "components" / file, content)
    write_edges(
        folder / f"{label}_edges.h5",
        part.name,
        (part.pre.name, part.post.name),
        part.sources,
        part.targets,
        (part.pre.size, part.post.size),
        type_id,
        part.columns,
    )
    write_types(folder / f"{label}_edge_types.csv", "edge_type_id", {type_id: part.row})
    return {
        "edges_file": f"$NETWORK_DIR/{label}_edges.h5",
        "edge_types_file": f"$NETWORK_DIR/{label}_edge_types.csv",
        "populations": {part.name: {"type": "chemical"}},
    }


def _write_source(population: Population, folder: Path, label: str, dt: float) -> str:
    """A source's spike file; its name."""
    source = population.neuron
    assert isinstance(source, EventSource)
    times = source.steps * dt if source.times is None else si_value(source.times, TIME) * 1e3
    counts = np.ones(source.count, np.int64) if source.values is None else source.values.astype(np.int64)
    path = f"{label}_spikes.h5"
    nodes = np.repeat(source.indices.astype(np.int64), counts)
    write_spikes(folder / path, {population.name: (np.repeat(times, counts), nodes)})
    return path


def _file_names(names: list[str]) -> dict[str, str]:
    """Beginnings of file names, each of its own on any file system."""
    made: dict[str, str] = {}
    for name in names:
        plain = label = re.sub(r"[^\w.-]", "_", name)
        while label.lower() in (other.lower() for other in made.values()):
            label = f"{plain}_{len(made)}"
        made[name] = label
    return made
