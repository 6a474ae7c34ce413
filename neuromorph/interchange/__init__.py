"""Networks in the formats of others: Brian 2, Nengo, NIR graphs, SONATA circuits.

Each front end loads when one of its functions is first used, so none needs what another one imports.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuromorph.interchange.brian2 import from_brian2
    from neuromorph.interchange.nengo import from_nengo
    from neuromorph.interchange.nir import from_nir, latency, to_nir
    from neuromorph.interchange.sonata import from_sonata, to_sonata

__all__ = ["from_brian2", "from_nengo", "from_nir", "from_sonata", "latency", "to_nir", "to_sonata"]

_LATE = {
    "from_brian2": "brian2",
    "from_nengo": "nengo",
    "from_nir": "nir",
    "from_sonata": "sonata",
    "latency": "nir",
    "to_nir": "nir",
    "to_sonata": "sonata",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
