"""Populations: so many copies of one neuron, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError

if TYPE_CHECKING:
    from neuromorph.language import Neuron
    from neuromorph.network.sources import Source


class NoSuchPortError(NetworkError, AttributeError):
    """A population has no attribute, hence no port, of this name."""


@dataclass(frozen=True, slots=True)
class PortRef:
    """One port of one population: where a projection can end."""

    population: Population
    port: str

    def __repr__(self) -> str:
        return f"{self.population.name}.{self.port}"


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """Copies of one neuron. Its ports are attributes: ``hidden.a_x`` is where a projection may end.

    Attributes
    ----------
    name : str
    index : int
        Position among the network's populations.
    neuron : Neuron, EventSource, Live, Lookup or EventsOf
    shape : tuple of int
        Neurons in row-major order, e.g. (channels, height, width).
    first_id : int
        Global id of neuron 0.
    coordinates : float64 (size, 1 to 3) or None
        Positions as given; in metres if ``positions_in_metres``, else in units of the user's choice.
    positions_in_metres : bool
    record_events : bool
    """

    name: str
    index: int
    neuron: Neuron | Source
    shape: tuple[int, ...]
    first_id: int
    coordinates: npt.NDArray[np.float64] | None = None
    positions_in_metres: bool = False
    record_events: bool = True

    @property
    def size(self) -> int:
        """Number of neurons."""
        return prod(self.shape)

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """Positions (size, dimensions): as given, else each neuron's place in ``shape``, 1 apart."""
        if self.coordinates is not None:
            return self.coordinates
        return np.stack(np.unravel_index(np.arange(self.size), self.shape), axis=1).astype(np.float64)

    def port(self, name: str) -> PortRef:
        """The port ``name``, also where its name is that of an attribute.

        Raises
        ------
        NetworkError
            If the neuron has no such port; the message lists those that it has.
        """
        if name not in port_names(self):
            raise NoSuchPortError(f"population {self.name}: {no_port(self, name)}", port=name, ports=port_names(self))
        return PortRef(self, name)

    def __getattr__(self, name: str) -> PortRef:
        if name.startswith("_") or "neuron" not in self.__dict__:  # copying and unpickling ask before there is one
            raise AttributeError(name)
        return self.port(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *port_names(self)]

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<Population {self.name}: {describe_shape(self)} {self.neuron.name}>"

    def _repr_html_(self) -> str:
        from neuromorph.network.html import population_html

        return population_html(self)


def port_names(population: Population) -> tuple[str, ...]:
    """Names of a population's ports, in order."""
    return tuple(port.name for port in population.neuron.ports)


def no_port(population: Population, name: str) -> str:
    """Say that a neuron has no port ``name`` and which it has."""
    ports = port_names(population)
    have = f"it has {', '.join(ports)}" if ports else "it has no ports: nothing can be projected onto it"
    return f"{population.neuron.name} has no port '{name}'; {have}"


def describe_shape(population: Population) -> str:
    """``10 x 28 x 28 = 7,840`` or ``256``."""
    size = f"{population.size:,}"
    return size if len(population.shape) == 1 else f"{' x '.join(map(str, population.shape))} = {size}"


def read_shape(subject: str, given: Any) -> tuple[int, ...]:
    """A size or shape as a tuple of positive ints."""
    shape = tuple(given) if isinstance(given, tuple | list | np.ndarray) else (given,)
    for n in shape:
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise NetworkError(f"{subject}: size {given!r}; give an int of at least 1 or a tuple of them", size=given)
    if not shape:
        raise NetworkError(f"{subject}: size (); give an int of at least 1 or a tuple of them", size=given)
    return tuple(int(n) for n in shape)


def read_positions(subject: str, given: Any, size: int) -> tuple[npt.NDArray[np.float64] | None, bool]:
    """Positions as float64 (size, 1 to 3), and whether they are in metres."""
    from neuromorph.units import LENGTH, NONE, as_quantity

    if given is None:
        return None, False
    quantity = as_quantity(given, f"{subject}: positions")
    if quantity.dim not in (NONE, LENGTH):
        raise NetworkError(f"{subject}: positions are {quantity.dim}; give lengths or plain numbers")
    array = np.array(quantity.value, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != size or not 1 <= array.shape[1] <= 3:
        raise NetworkError(
            f"{subject}: positions have shape {np.shape(quantity.value)}, expected ({size}, 1 to 3 coordinates)",
            shape=np.shape(quantity.value),
        )
    if not np.isfinite(array).all():
        raise NetworkError(f"{subject}: a position is not finite")
    array.setflags(write=False)
    return array, quantity.dim == LENGTH


def check_values(subject: str, neuron: Any, size: int, shape: tuple[int, ...]) -> None:
    """Raise unless every per-neuron value of a neuron has one entry for each neuron."""
    for name, value in getattr(neuron, "values", None) or () if neuron.ports or neuron.states else ():
        found = np.shape(getattr(value, "value", value)) if not hasattr(value, "sample") else ()
        if found not in ((), (size,), shape):
            raise NetworkError(
                f"{subject}: {name} has shape {found}; give one value, or one for each of {size} neurons", shape=found
            )
