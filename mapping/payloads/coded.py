"""A network whose events carry the numbers of a code, so that what rounding does to the run itself is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.formats import spark_table
from neuromorph.language import maximum, minimum, rint, where
from neuromorph.language.expr import Expr, Type
from neuromorph.language.neuron import Neuron, ParamSpec
from neuromorph.network import EventSource, Live, Lookup, Network
from neuromorph.network.copy import with_neurons
from neuromorph.units import example_unit

from .values import Range, ValueCode, value_code

SCALE = "payload_scale"
"""Name of the parameter that coded neurons get."""


def coded(network: Network, code: str | ValueCode, ranges: Mapping[str, Range]) -> Network:
    """The same network, whose graded events have the numbers that a code sends.

    Neurons, states and thresholds stay as they are: only what others receive is rounded. It runs on any target. Neurons
    round in the target's arithmetic, by arithmetic (SPARK's table as comparisons, which a report of SpiNNaker2 charges
    to the update); :func:`replay` charges a table.

    Parameters
    ----------
    network : Network
    code : str or ValueCode
        As in ``"spark"``; with ``"float32"`` the network stays as it is.
    ranges : mapping of str to Range
        Of populations whose events are coded; see :attr:`PayloadComparison.ranges`. Events that are given live are the
        caller's to code, by :meth:`ValueCode.numbers`.

    Raises
    ------
    NetworkError
        For a population that there is not, is given live or sends spikes.
    """
    chosen = value_code(code) if isinstance(code, str) else code
    made = {name: _coded(network[name].neuron, name, chosen, each) for name, each in ranges.items()}
    return network if chosen.exact else with_neurons(network, made)


def _coded(neuron: Any, name: str, code: ValueCode, range: Range) -> Any:
    if isinstance(neuron, EventSource) and neuron.values is not None:
        return replace(neuron, values=code.numbers(neuron.values, range))
    if isinstance(neuron, Lookup):
        return replace(neuron, table=code.numbers(neuron.table, range).astype(neuron.table.dtype))
    if isinstance(neuron, Live):
        raise NetworkError(
            f"population {name}: its events are given while the network runs; code their values before they are given, "
            "by ValueCode.numbers, and leave it out here"
        )
    if not isinstance(neuron, Neuron) or neuron.event is None or neuron.event.value is None:
        raise NetworkError(f"population {name}: its events carry no values; only graded events are coded")
    value = neuron.event.value
    unit = example_unit(value.dim)
    scale = Expr("param", (), value.dim, payload=SCALE)
    return replace(
        neuron,
        params=(*neuron.params, ParamSpec(SCALE, code.scale(range), unit, Type.FLOAT)),
        event=replace(neuron.event, value=_number(code, value, scale, range.signed)),
    )


def _number(code: ValueCode, value: Expr, scale: Expr, signed: bool) -> Expr:
    """What :meth:`ValueCode.numbers` computes, as an expression."""
    top = float(code.top(signed))
    size = minimum(rint(abs(value) / scale), top) if signed else maximum(minimum(rint(value / scale), top), 0.0)
    kept = size if code.rounding is None else _through(spark_table(code.rounding).astype(np.int64), size)
    return (where(value < 0.0 * scale, -kept, kept) if signed else kept) * scale


def _through(table: npt.NDArray[np.int64], size: Expr) -> Expr:
    """An entry of a table that leaves most numbers as they are and sends runs of others to one number each."""
    changed = np.flatnonzero(table != np.arange(len(table)))
    edges = np.flatnonzero((np.diff(changed) > 1) | (np.diff(table[changed]) != 0))
    kept = size
    for run in reversed(np.split(changed, edges + 1)):
        if len(run):
            here = where(size <= float(run[-1]), float(table[run[0]]), kept)
            kept = where(size < float(run[0]), size, here)
    return kept
