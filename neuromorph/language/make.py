"""Neurons and synapses from symbols that a program made, where a user would write a class body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neuromorph.language.neuron import Neuron, checked_method
from neuromorph.language.seal import seal
from neuromorph.language.symbols import REGISTRY, Event, Param, Port, State
from neuromorph.language.synapse import Synapse
from neuromorph.language.synapse_seal import seal_synapse
from neuromorph.language.synapse_symbols import Output, Pathway

if TYPE_CHECKING:
    from neuromorph.language.expr import Expr


def make_neuron(
    name: str, symbols: Mapping[str, Port | Param | State | Event | Expr], *, doc: str = "", method: str = "auto"
) -> Neuron:
    """Make a neuron of named symbols, under the rules of a class body.

    For importers and generators; a neuron that a person writes reads best as a class under ``@neuron``.

    Parameters
    ----------
    name : str
    symbols : mapping of str to Port, Param, State, Event or Expr
        What the class body would bind, in its order. Expressions become named intermediates.
    doc : str
    method : {"auto", "exact", "exponential_euler", "euler"}

    Raises
    ------
    LanguageError
        Where the symbols break a rule of the language.

    Examples
    --------
    >>> v, drive = State(0.0), Param(1.2)
    >>> v.dot = (drive - v) / (10 * ms)
    >>> v.reset = 0.0
    >>> make_neuron("Cell", {"v": v, "drive": drive, "spike": Event(when=v > 1)})
    <Neuron Cell(): 1 states, 1 params, 0 ports>
    """
    made = [s for s in symbols.values() if isinstance(s, Port | Param | State | Event)]
    return seal(type(name, (), {"__doc__": doc, REGISTRY: made, **symbols}), checked_method(method))


def make_synapse(
    name: str,
    symbols: Mapping[str, Param | State | Output | Pathway | Expr],
    *,
    doc: str = "",
    method: str = "auto",
    late: bool = False,
) -> Synapse:
    """Make a synapse of named symbols, under the rules of a class body; see :func:`make_neuron`.

    Parameters
    ----------
    name : str
    symbols : mapping of str to Param, State, Output, Pathway or Expr
    doc : str
    method : {"auto", "exact", "exponential_euler", "euler"}
    late : bool

    Raises
    ------
    LanguageError
    """
    made = [s for s in symbols.values() if isinstance(s, Param | State | Output | Pathway)]
    body = type(name, (), {"__doc__": doc, REGISTRY: made, **symbols})
    return seal_synapse(body, checked_method(method), late)
