"""Current clamps: what a configuration injects, as events that tell a neuron when its current changes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.sonata.circuit import Circuit
from neuromorph.interchange.sonata.groups import NodeGroup
from neuromorph.interchange.sonata.inputs import CLAMPS, is_clamp, members
from neuromorph.language.driven import driven
from neuromorph.network import EventSource, Network, Population, Sparse
from neuromorph.units import Quantity

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clamp:
    """One current into nodes.

    Attributes
    ----------
    name : str
    nodes : mapping of str to int64 array
        Nodes by SONATA's population.
    times : float64 (n,)
        When the current changes, in ms, ascending.
    amplitudes : float64 (n,)
        Its value from then on, in the unit of the model's own constant current.
    """

    name: str
    nodes: Mapping[str, Ints]
    times: Floats
    amplitudes: Floats

    def changes(self, dt: float) -> tuple[Ints, Floats]:
        """Steps of ``dt`` ms and what is added to the current there."""
        steps = np.rint(self.times / dt).astype(np.int64)
        last = np.append(np.diff(steps) != 0, True)
        added = np.diff(self.amplitudes[last], prepend=0.0)
        return steps[last][added != 0], added[added != 0]


def read_clamps(
    circuit: Circuit, groups: list[NodeGroup], dt: float | None, ignored: frozenset[str], problems: list[str]
) -> list[Clamp]:
    """The current clamps of a circuit's inputs; what cannot be taken over is added to ``problems``."""
    made = []
    for name, section in circuit.inputs.items():
        subject = f"inputs/{name}"
        if not is_clamp(section) or section.get("enabled") is False or subject in ignored:
            continue
        try:
            clamp = Clamp(name, members(circuit, section.get("node_set", "all"), subject), *_course(subject, section))
        except NetworkError as error:
            problems.append(str(error))
            continue
        if dt is None:
            problems.append(f"{subject}: its times need a step; give from_sonata(dt=...)")
        problems += [
            f"{subject}: {group.name} has no current that could be clamped; leave it out with ignore={{{subject!r}}}"
            for group in groups
            if len(_of(clamp, group)) and (group.template is None or group.template.current is None)
        ]
        made.append(clamp)
    return made


def _course(subject: str, section: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """Times of changes in ms and the amplitudes from then on."""
    if section["input_type"] != "current_clamp":
        return _of_table(subject, section)
    if missing := [key for key in CLAMPS["current_clamp"] if key not in section]:
        raise NetworkError(f"{subject}: has no {', '.join(missing)}")
    try:
        amplitudes, starts, lengths = (
            np.atleast_1d(np.asarray(section[key], np.float64)) for key in CLAMPS["current_clamp"]
        )
    except (TypeError, ValueError):
        raise NetworkError(f"{subject}: amp, delay and duration are numbers or lists of numbers") from None
    if not len(amplitudes) == len(starts) == len(lengths):
        raise NetworkError(
            f"{subject}: {len(amplitudes)} amplitudes, {len(starts)} delays and {len(lengths)} durations; one of each "
            "for each pulse"
        )
    ends = starts + lengths
    over = np.append(ends[:-1] <= starts[1:], True)  # where the next pulse begins before, it takes the place
    times, values = np.concatenate([starts, ends[over]]), np.concatenate([amplitudes, np.zeros(int(over.sum()))])
    # at one time the end of a pulse comes before the beginning of the next
    order = np.lexsort((np.arange(len(times)) < len(starts), times))
    return _checked(subject, times[order], values[order])


def _of_table(subject: str, section: Mapping[str, Any]) -> tuple[Floats, Floats]:
    path = section.get("file")
    names = (section.get("timestamps_column", "timestamps"), section.get("amplitudes_column", "amps"))
    try:
        with open(Path(str(path)), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=section.get("separator", " "), skipinitialspace=True))
        times, values = (np.array([float(row[name]) for row in rows]) for name in names)
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(f"{subject}: {path} cannot be read ({error})", path=str(path)) from error
    except (KeyError, TypeError, ValueError):
        raise NetworkError(f"{subject}: {path} is no table of numbers with columns {' and '.join(names)}") from None
    return _checked(subject, times, values)


def _checked(subject: str, times: Floats, values: Floats) -> tuple[Floats, Floats]:
    if not (np.isfinite(times).all() and np.isfinite(values).all()):
        raise NetworkError(f"{subject}: a time or an amplitude is not finite")
    if len(times) and not (times.min() >= 0 and (np.diff(times) >= 0).all()):
        raise NetworkError(f"{subject}: its times have to ascend from 0 ms on")
    return times, values


def _of(clamp: Clamp, group: NodeGroup) -> Ints:
    """Neurons of a group that a clamp is for."""
    return np.flatnonzero(np.isin(group.ids, clamp.nodes.get(group.nodes, np.empty(0, np.int64))))


def with_ports(groups: list[NodeGroup], clamps: list[Clamp]) -> list[NodeGroup]:
    """Groups whose neurons have a port for each kind of current that clamps change."""
    made = []
    for group in groups:
        if group.neuron is not None and group.template is not None and any(len(_of(c, group)) for c in clamps):
            parameter = _parameter(group)
            group = replace(group, neuron=driven(group.neuron, parameter, _port(parameter)))
        made.append(group)
    return made


def project_clamps(
    net: Network, made: Mapping[str, Population], groups: list[NodeGroup], clamps: list[Clamp], dt: float
) -> None:
    """Add a source for each clamp and project it to the neurons that it is for; ``dt`` in ms."""
    for clamp in clamps:
        steps, added = clamp.changes(dt)
        source = EventSource(1, steps=steps, indices=np.zeros(len(steps), np.int64), values=added)
        sender = net.population(source, name=clamp.name if clamp.name not in made else f"inputs/{clamp.name}")
        for group in groups:
            if len(chosen := _of(clamp, group)) and group.template is not None and group.template.current is not None:
                unit = group.template.current[1]
                port = made[group.name].port(_port(_parameter(group)))
                one: Any = 1.0 * unit
                weight = one if isinstance(one, Quantity) else float(one)
                pairs = Sparse((np.zeros(len(chosen), np.int64), chosen))
                net.project(sender, port, pairs, weight=weight, delay=group.template.current_lag)


def _parameter(group: NodeGroup) -> str:
    """The neuron's parameter that clamps of a group change."""
    assert group.template is not None
    assert group.template.current is not None
    return group.template.current[0]


def _port(parameter: str) -> str:
    return f"{parameter}_change"
