"""Networks of the literature as layers: ``networks/<name>.toml``, or a file of the user's own.

A file has a ``source`` and a list ``layers`` of tables in the order in which they run:

- ``{ conv = NAME, channels, size, filters, kernel, stride = 1, padding = 0, groups = 1 }``, where sizes, kernels,
  strides and paddings may also be pairs [vertical, horizontal];
- ``{ gemm = NAME, rows, depth, columns, repeats = 1, second = "weights" }``.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neuromorph.errors import MappingError

from .layers import Layer, conv, gemm

_FOLDER = Path(__file__).parent / "networks"
_KINDS: Mapping[str, Callable[..., Layer]] = {"conv": conv, "gemm": gemm}


def network_names() -> tuple[str, ...]:
    """Networks whose shapes come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_layers(network: str | Path) -> tuple[Layer, ...]:
    """The layers of a network, of one sample.

    Parameters
    ----------
    network : str or Path
        One of :func:`network_names`, or as a ``Path`` any file of the same form.

    Raises
    ------
    MappingError
        If there is no such network, or its file is not of the form above.
    """
    path = network if isinstance(network, Path) else _FOLDER / f"{network}.toml"
    if not path.is_file():
        raise MappingError(
            f"no network {str(network)!r}: there is {', '.join(network_names())}, or give the Path of such a file",
            network=str(network),
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{path} is no TOML file: {error}", network=str(network)) from error
    tables = data.get("layers")
    if not isinstance(data.get("source"), str) or not isinstance(tables, list) or not tables:
        raise MappingError(f"{path.name}: expected a source and a list of layers", network=str(network))
    layers = tuple(_layer(path.name, table) for table in tables)
    names = [layer.name for layer in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MappingError(
            f"{path.name}: more than one layer is named {', '.join(twice)}; names must differ", network=str(network)
        )
    return layers


def _layer(file: str, table: Any) -> Layer:
    kinds = [kind for kind in _KINDS if isinstance(table, dict) and kind in table]
    if len(kinds) != 1:
        raise MappingError(f"{file}: layer {table!r:.80} must have a conv or a gemm, with its name")
    make = _KINDS[kinds[0]]
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    name = given.pop(kinds[0])
    known = list(inspect.signature(make).parameters.values())[1:]
    needed = {p.name for p in known if p.default is inspect.Parameter.empty}
    wrong = sorted(set(given) - {p.name for p in known}), sorted(needed - set(given))
    if any(wrong):
        raise MappingError(
            f"{file}: layer {name} of kind {kinds[0]} "
            + " and ".join(
                f"{word} {', '.join(keys)}" for word, keys in zip(("has no", "lacks"), wrong, strict=True) if keys
            ),
            layer=name,
        )
    return make(name, **given)
