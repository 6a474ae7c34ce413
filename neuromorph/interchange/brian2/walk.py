"""Which objects a Brian 2 network has, and which of them nothing here can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SCHEDULE = ["start", "groups", "thresholds", "synapses", "resets", "end"]
SPIKE_SOURCES = ("NeuronGroup", "PoissonGroup", "SpikeGeneratorGroup")
MONITORS = ("SpikeMonitor", "PopulationRateMonitor", "EventMonitor", "StateMonitor")
KNOWN = (*SPIKE_SOURCES, *MONITORS, "Synapses", "PoissonInput", "Subgroup")

_INSTEAD = {
    "NetworkOperation": "; Python code cannot run inside of a step: run the script on the device, which calls it "
    "between steps, or step a program.live() yourself",
    "SpatialNeuron": "; a neuron here has one compartment",
}


@dataclass(frozen=True)
class Objects:
    """The objects of a network by kind.

    Attributes
    ----------
    by_kind : dict of str to list
        Every kind of `KNOWN` with its objects, in order of their names.
    groups : tuple
        What sends spikes, in order of creation.
    """

    by_kind: Mapping[str, list[Any]]
    groups: tuple[Any, ...]


def walk(given: Any) -> tuple[Objects, list[str]]:
    """What there is in a network or in nested lists of objects, and what cannot be taken.

    Parameters
    ----------
    given : brian2.Network or iterable of Brian 2 objects
    """
    objects = sorted(_flat(getattr(given, "objects", given)), key=lambda o: o.name)
    by_kind = {kind: [o for o in objects if type(o).__name__ == kind] for kind in KNOWN}
    groups = sorted((g for kind in SPIKE_SOURCES for g in by_kind[kind]), key=creation)
    problems = [*_network_problems(given), *_timing_problems(groups)]
    unknown = [thing for thing in objects if type(thing).__name__ not in KNOWN]
    if not groups and not unknown:
        problems.insert(0, "it has no groups; give a brian2.Network or a list of its objects")
    for thing in unknown:
        kind = type(thing).__name__
        problems.append(f"{thing.name}: a {kind} has no counterpart{_INSTEAD.get(kind, '')}")
    for synapses in by_kind["Synapses"]:
        problems += [
            f"{synapses.name}: it joins {end.name}, which are synapses; projections join populations of neurons"
            for end in (synapses.source, synapses.target)
            if _is_synapses(end)
        ]
    by_kind["Synapses"] = [s for s in by_kind["Synapses"] if not _is_synapses(s.source) and not _is_synapses(s.target)]
    return Objects(by_kind, tuple(groups)), problems


def whole(group: Any) -> Any:
    """The group that a subgroup is part of, or the group itself."""
    return getattr(group, "source", group) if group.__class__.__name__ == "Subgroup" else group  # a proxy has its class


def runners(group: Any) -> list[Any]:
    """What Brian 2 runs in each step of a group or of a part of it, but synapses."""
    parts = (x for x in group.contained_objects if type(x).__name__ != "Synapses")  # those that run code of their own
    inside = (x.contained_objects if type(x).__name__ == "Subgroup" else [x] for x in parts)
    return [runner for several in inside for runner in several]


def creation(thing: Any) -> tuple[int, str]:
    """Order of creation as far as names tell it: synapses_2 comes before synapses_10."""
    head, _, tail = thing.name.rpartition("_")
    return (int(tail), head) if tail.isdigit() else (0, thing.name)


def _is_synapses(end: Any) -> bool:
    return bool(whole(end).__class__.__name__ == "Synapses")


def _network_problems(given: Any) -> list[str]:
    if float(getattr(given, "t_", 0.0)) > 0:
        return ["it has run already; take it in before its first run, or restore that state"]
    return []


def _timing_problems(groups: Iterable[Any]) -> list[str]:
    from brian2 import prefs

    if not prefs["legacy.refractory_timing"]:
        return []
    return [
        f"{group.name}: the preference legacy.refractory_timing compares its refractory times as floats, which makes "
        "some a step longer; here they are whole steps, as in Brian 2 without it"
        for group in groups
        if getattr(group, "_refractory", False) is not False
    ]


def _flat(objects: Iterable[Any]) -> list[Any]:
    """Brian 2's objects, those in lists, dictionaries and networks inside included."""
    found: list[Any] = []
    for thing in objects.values() if isinstance(objects, Mapping) else objects:
        inside = isinstance(thing, list | tuple | set | Mapping)
        found += _flat(thing) if inside else [thing]
    return list({id(x): x for x in found}.values())
