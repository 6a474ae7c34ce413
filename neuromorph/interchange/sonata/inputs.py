"""What a simulation's configuration sends into a circuit: node sets, and spikes for virtual nodes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.sonata.circuit import Circuit, Nodes
from neuromorph.interchange.sonata.timing import steps_of
from neuromorph.network import EventSource
from neuromorph.units import ms

Ints = npt.NDArray[np.int64]
Spikes = tuple[npt.NDArray[np.float64], Ints]
"""Times in ms and nodes."""

HDF5 = ("sonata", "h5", "hdf5", "synapse_replay")

TABLE = ("file", "separator", "timestamps_column", "amplitudes_column")
CLAMPS = {"current_clamp": ("amp", "delay", "duration"), "csv": TABLE, "file": TABLE}
"""Kinds of current clamps, and what is said of each."""

EVERYWHERE = ("input_type", "module", "node_set", "enabled", "name", "description")
SPIKES = ("input_file", "spike_file", "delay", "duration")


def is_clamp(section: Mapping[str, Any]) -> bool:
    """Whether a section of the inputs is a current clamp that can be taken over."""
    return section.get("module") == "IClamp" and section.get("input_type") in CLAMPS


def input_problems(circuit: Circuit, ignored: frozenset[str]) -> list[str]:
    """What sections of the inputs ask for and cannot have."""
    problems = []
    for name, section in circuit.inputs.items():
        subject, kind = f"inputs/{name}", section.get("input_type")
        if subject in ignored or section.get("enabled") is False:
            continue
        if kind != "spikes" and not is_clamp(section):
            problems.append(
                f"{subject}: input_type {kind!r} (module {section.get('module')!r}) has no equivalent; leave it out "
                f"with ignore={{{subject!r}}}"
            )
            continue
        known = (*EVERYWHERE, *(SPIKES if kind == "spikes" else CLAMPS[str(kind)]))
        late, cut = section.get("delay", 0), section.get("duration", circuit.run.get("tstop", 0))
        wrong = [key for key in section if key not in known]
        if kind == "spikes":
            wrong += ["delay"] * (late != 0) + ["duration"] * (cut < circuit.run.get("tstop", 0))
        problems += [
            f"{subject}/{key} = {section[key]!r:.60} has no equivalent; leave it out with ignore={{'{subject}/{key}'}}"
            for key in wrong
            if f"{subject}/{key}" not in ignored
        ]
    return problems


def members(circuit: Circuit, given: Any, subject: str, _above: tuple[str, ...] = ()) -> dict[str, Ints]:
    """Nodes of a node set, by population, ascending.

    Parameters
    ----------
    circuit : Circuit
    given : str, mapping or list
        A name of a set, of a population, or ``all``; conditions such as ``{"population": "lgn", "node_id": [0, 1]}`` or
        ``{"ei": "e"}``; a list of names.
    subject : str
        For messages.

    Raises
    ------
    NetworkError
        If there is no such set, or a condition names an attribute that no node has.
    """
    if isinstance(given, str):
        if given in _above:
            raise NetworkError(f"{subject}: node set {given!r} contains itself")
        if given in circuit.node_sets:
            return members(circuit, circuit.node_sets[given], subject, (*_above, given))
        if given in circuit.nodes:
            return {given: np.arange(circuit.nodes[given].size)}
        if given == "all":
            return {name: np.arange(nodes.size) for name, nodes in circuit.nodes.items()}
        have = ", ".join(dict.fromkeys([*circuit.node_sets, *circuit.nodes])) or "none"
        raise NetworkError(f"{subject}: no node set {given!r}; there are {have} and all", name=given)
    if isinstance(given, list):
        joined: dict[str, Ints] = {}
        for item in given:
            for name, ids in members(circuit, item, subject, _above).items():
                joined[name] = np.union1d(joined.get(name, np.empty(0, np.int64)), ids)
        return joined
    if not isinstance(given, Mapping):
        raise NetworkError(f"{subject}: node set {given!r:.60}; give a name, conditions or a list of names")
    wanted = given.get("population", list(circuit.nodes))
    names = wanted if isinstance(wanted, list) else [wanted]
    if missing := [name for name in names if not isinstance(name, str) or name not in circuit.nodes]:
        raise NetworkError(f"{subject}: no population {missing[0]!r}; there are {', '.join(circuit.nodes)}")
    # the Brain Modeling Toolkit's examples write node_ids
    conditions = {"node_id" if key == "node_ids" else key: v for key, v in given.items() if key != "population"}
    known = {"node_id", "node_type_id"}.union(*(circuit.nodes[name].attributes.names for name in names))
    if unknown := conditions.keys() - known:
        raise NetworkError(f"{subject}: no node has {', '.join(sorted(unknown))}, which its node set asks for")
    found = {name: _matching(circuit.nodes[name], conditions) for name in names}
    return {name: ids for name, ids in found.items() if len(ids)}


def _matching(nodes: Nodes, conditions: Mapping[str, Any]) -> Ints:
    kept = np.ones(nodes.size, bool)
    for key, wanted in conditions.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if key == "node_id":
            kept &= np.isin(np.arange(nodes.size), values)
        elif key == "node_type_id":
            kept &= np.isin(np.array(list(nodes.attributes.types))[nodes.attributes.codes], values)
        elif all(isinstance(value, str) for value in values):
            labels, codes = nodes.attributes.labels(key)
            kept &= np.isin(codes, [k for k, label in enumerate(labels) if label in values])
        else:
            kept &= np.isin(nodes.attributes.numbers(key), values)
    return np.flatnonzero(kept)


def spike_sources(circuit: Circuit, problems: list[str], ignored: frozenset[str]) -> dict[str, list[Spikes]]:
    """Spikes that the configuration's inputs give each population of virtual nodes.

    What cannot be taken over is added to ``problems``.
    """
    sources: dict[str, list[Spikes]] = {}
    for name, given in circuit.inputs.items():
        subject = f"inputs/{name}"
        if subject in ignored or given.get("enabled") is False or given.get("input_type") != "spikes":
            continue
        module = given.get("module")
        if module not in (*HDF5, "csv", None):
            problems.append(f"{subject}: module {module!r}; spikes are read from sonata (h5) and csv files")
            continue
        path = given.get("input_file", given.get("spike_file"))
        if not isinstance(path, str):
            problems.append(f"{subject}: input_file is {path!r}; one file is expected")
            continue
        try:
            chosen = members(circuit, given.get("node_set", "all"), subject)
            stored = read_spikes(path)
        except NetworkError as error:
            problems.append(str(error))
            continue
        for population, ids in chosen.items():
            spikes = _of_population(stored, population, len(chosen) == 1)
            if spikes is None:
                if len(chosen) == 1 or given.get("node_set", "all") != "all":
                    problems.append(
                        f"{subject}: {path} has no spikes of population {population}; it has "
                        f"{', '.join(stored) or 'none'}"
                    )
                continue
            size = circuit.nodes[population].size
            if len(spikes[1]) and not 0 <= spikes[1].min() <= spikes[1].max() < size:
                wrong = spikes[1].min() if spikes[1].min() < 0 else spikes[1].max()
                problems.append(f"{subject}: {path} has spikes of node {wrong}; {population} has {size:,} nodes")
                continue
            kept = np.isin(spikes[1], ids)
            sources.setdefault(population, []).append((spikes[0][kept], spikes[1][kept]))
    return sources


def read_spikes(path: str | PathLike[str]) -> dict[str, Spikes]:
    """Spikes of a file by population: SONATA's layout, the one before it, or CSV.

    A file without populations has one that is called ``""``.

    Raises
    ------
    NetworkError, TraceError
        If there is no such file or it holds no spikes.
    """
    if Path(path).suffix == ".csv":
        return _read_csv(Path(path))
    from neuromorph.errors import TraceError
    from neuromorph.trace import open_trace
    from neuromorph.trace.reader import NO_POPULATION

    try:
        with open_trace(path) as trace:
            tables = {name: trace.events(name) for name in trace.populations}
    except TraceError as error:
        raise NetworkError(f"spikes {error}", path=str(path)) from error
    return {
        "" if name == NO_POPULATION else name: (np.asarray(events.times), np.asarray(events.ids).astype(np.int64))
        for name, events in tables.items()
    }


def _read_csv(path: Path) -> dict[str, Spikes]:
    """Columns timestamps, node_ids and perhaps population, in any order, separated by spaces."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file, delimiter=" ", skipinitialspace=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NetworkError(f"spikes {path}: cannot be read ({error})", path=str(path)) from error
    header = rows[0] if rows else []
    if not {"timestamps", "node_ids"} <= set(header):
        raise NetworkError(f"spikes {path}: expected columns timestamps, node_ids and population, found {header}")
    try:
        columns = dict(zip(header, zip(*rows[1:], strict=True), strict=True)) if len(rows) > 1 else {}
        times = np.array(columns.get("timestamps", ()), np.float64)
        nodes = np.array(columns.get("node_ids", ()), np.float64).astype(np.int64)
    except ValueError as error:
        raise NetworkError(f"spikes {path}: its rows are not as its header says ({error})", path=str(path)) from error
    labels = np.array(columns.get("population", [""] * len(times)), str)
    return {str(name): (times[labels == name], nodes[labels == name]) for name in np.unique(labels)}


def _of_population(stored: Mapping[str, Spikes], population: str, alone: bool) -> Spikes | None:
    """Spikes of a population; those of a file without populations are of the only one that is asked for."""
    return stored.get(population, stored.get("") if alone else None)


def event_source(subject: str, size: int, spikes: list[Spikes], dt: float | None, up: bool = False) -> EventSource:
    """A population's spikes as a source of events.

    Parameters
    ----------
    subject : str
    size : int
    spikes : list of (times in ms, nodes)
    dt : float or None
        The step in ms: spikes of one node in one step become one event that counts them. None: they stay as they are.
    up : bool
        Spikes between steps count at the next one, instead of the nearest.

    Raises
    ------
    NetworkError
        If a spike is of a node that does not exist, or before time 0.
    """
    if not spikes:
        return EventSource(size)
    times, nodes = (np.concatenate(parts) for parts in zip(*spikes, strict=True))
    if len(nodes) and not (nodes.min() >= 0 and nodes.max() < size):
        raise NetworkError(f"{subject}: a spike of node {nodes.max()}; there are nodes 0 to {size - 1}")
    if len(times) and not times.min() >= 0:
        raise NetworkError(f"{subject}: a spike at {times.min()} ms; times start at 0")
    if dt is None:
        return EventSource(size, times=times * ms, indices=nodes)
    steps = steps_of(times, dt, up)
    pairs, counts = np.unique(steps * size + nodes, return_counts=True)
    values = counts.astype(np.float64) if len(counts) and counts.max() > 1 else None
    if values is None:
        return EventSource(size, times=steps * dt * ms, indices=nodes)
    return EventSource(size, times=pairs // size * dt * ms, indices=pairs % size, values=values)
