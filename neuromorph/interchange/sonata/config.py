"""SONATA's configuration files: circuit and simulation in one mapping, with manifest variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from neuromorph.errors import CheckError, NetworkError
from neuromorph.interchange.sonata.schema import shape_problems

Config = dict[str, Any]

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_PARTS = ("network", "circuit", "simulation")
"""Keys that name another configuration file, whose content is taken in."""


def read_config(source: str | PathLike[str] | Mapping[str, Any]) -> tuple[Config, Path]:
    """A configuration with everything that it names taken in, and the folder that its relative paths start from.

    Parameters
    ----------
    source : path or mapping
        A JSON file, or its content; paths of the latter are relative to the working directory.

    Raises
    ------
    NetworkError
        If a file is missing or no JSON object, or variables refer to each other in a circle.
    CheckError
        If sections are not what SONATA has them be.
    """
    if isinstance(source, Mapping):
        return _resolved(json.loads(json.dumps(source)), Path.cwd(), "configuration", ()), Path.cwd()
    path = Path(source)
    return _read_file(path, ()), path.parent.resolve()


def _read_file(path: Path, above: tuple[Path, ...]) -> Config:
    path = path.resolve()
    if path in above:
        raise NetworkError(f"{path}: the configuration takes itself in; its 'network' or 'simulation' must be another")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NetworkError(f"{path}: no such file; give a SONATA configuration (.json)", path=str(path)) from None
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path}: no SONATA configuration ({error})", path=str(path)) from error
    if not isinstance(content, dict):
        raise NetworkError(f"{path}: no SONATA configuration; expected an object, found {type(content).__name__}")
    return _resolved(content, path.parent, str(path), (*above, path))


def _resolved(content: Config, folder: Path, subject: str, above: tuple[Path, ...]) -> Config:
    variables = _manifest(content.pop("manifest", {}), folder, subject)
    config: Config = _substituted(content, variables)
    if problems := shape_problems(config):
        raise CheckError(subject, problems)
    if problems := _make_absolute(config, folder):
        raise CheckError(subject, problems)
    for part in _PARTS:
        if isinstance(config.get(part), str):
            taken = _read_file(folder / config.pop(part), above)
            config = {**taken, **config, "components": {**taken.get("components", {}), **config.get("components", {})}}
    return config


def _manifest(manifest: Any, folder: Path, subject: str) -> dict[str, str]:
    """Variables and what they stand for."""
    if not isinstance(manifest, Mapping):
        raise NetworkError(f"{subject}: its manifest is no object of names and paths")
    open_ = {str(name).lstrip("$").strip("{}"): str(value) for name, value in manifest.items()}
    known = {"configdir": str(folder), "workingdir": str(Path.cwd())}
    while open_:
        ready = {}
        for name, value in open_.items():
            used = {a or b for a, b in _VARIABLE.findall(value)}
            if not used & open_.keys():
                ready[name] = _replaced(value, known)
        if not ready:
            raise NetworkError(
                f"{subject}: manifest variables refer to each other: {', '.join('$' + n for n in open_)}"
            )
        known |= ready
        open_ = {name: value for name, value in open_.items() if name not in ready}
    return known


def _replaced(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)


def _substituted(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _replaced(value, variables)
    if isinstance(value, list):
        return [_substituted(item, variables) for item in value]
    if isinstance(value, dict):
        return {name: _substituted(item, variables) for name, item in value.items()}
    return value


def _make_absolute(config: Config, folder: Path) -> list[str]:
    """Paths of files of the network, its components and inputs, from the folder of the file that names them.

    What names variables that the manifest does not have is returned.
    """
    problems: list[str] = []

    def settle(subject: str, given: Config, names: Iterable[str]) -> None:
        for name in names:
            path = given.get(name)
            if not isinstance(path, str) or path in ("", "NULL"):
                continue
            if unknown := [a or b for a, b in _VARIABLE.findall(path)]:
                problems.append(f"{subject}{name} is {path!r}; the manifest has no ${', $'.join(unknown)}")
            given[name] = str(folder / path)

    networks = config.get("networks", {})
    for kind in ("nodes", "edges"):
        for table in networks.get(kind) or ():
            settle(f"networks/{kind}/", table, (f"{kind}_file", f"{kind[:-1]}_types_file"))
    components = config.get("components", {})
    settle("components/", components, list(components))
    for name, given in config.get("inputs", {}).items():
        settle(f"inputs/{name}/", given, ("input_file", "spike_file", "file"))
    settle("", config, ("node_sets_file",))
    return problems
