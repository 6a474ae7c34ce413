"""What the sections of a SONATA configuration have to be for anything to be read from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

OBJECTS = ("components", "networks", "run", "inputs", "reports", "node_sets")
"""Sections that are objects; where one is null it is left out."""

TEXTS = ("network", "circuit", "simulation", "node_sets_file", "target_simulator")

ENTRIES = {"networks": ("nodes", "edges"), "inputs": None, "reports": None}
"""Sections whose values, or lists under these names, hold objects."""

NUMBERS = {
    "run": ("dt", "tstop", "duration", "random_seed", "tstart", "n_runs"),
    "inputs": ("duration",),
    "reports": ("dt",),
}
ABOVE_ZERO = ("dt",)


def shape_problems(config: dict[str, Any]) -> list[str]:
    """What is of another kind than SONATA has it; sections that are null are removed."""
    for name in [name for name in (*OBJECTS, *TEXTS) if name in config and config[name] is None]:
        del config[name]
    problems = [
        f"{name} is {_shown(config[name])}; {kind} is expected"
        for names, expected, kind in ((OBJECTS, Mapping, "an object"), (TEXTS, str, "text"))
        for name in names
        if name in config and not isinstance(config[name], expected)
    ]
    if problems:
        return problems
    for section, lists in ENTRIES.items():
        given = config.get(section, {})
        if lists is not None:
            problems += [
                f"{section}/{name} is {_shown(given[name])}; a list of objects is expected"
                for name in lists
                if given.get(name) is not None
                and not (isinstance(given[name], list) and all(isinstance(item, Mapping) for item in given[name]))
            ]
        else:
            problems += [
                f"{section}/{name} is {_shown(item)}; an object is expected"
                for name, item in given.items()
                if not isinstance(item, Mapping)
            ]
    if problems:
        return problems
    problems += _number_problems("run", config.get("run", {}), NUMBERS["run"])
    for section in ("inputs", "reports"):
        for name, item in config.get(section, {}).items():
            if section == "inputs" and item.get("input_type") != "spikes":
                continue  # lists are fine there
            problems += _number_problems(f"{section}/{name}", item, NUMBERS[section])
    return problems


def _number_problems(subject: str, given: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    problems = []
    for name in names:
        if name not in given:
            continue
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            problems.append(f"{subject}/{name} is {_shown(value)}; a number is expected")
        elif name in ABOVE_ZERO and not value > 0:
            problems.append(f"{subject}/{name} is {value}; a number above 0 is expected")
    return problems


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
