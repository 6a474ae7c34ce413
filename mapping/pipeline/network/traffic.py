"""What the events of a run are in FIFOs, in exact bits: streamed neuron by neuron, or as addresses and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import MappingError

from ...payloads.values import Range, value_code
from .plan import Plan

if TYPE_CHECKING:
    from neuromorph.trace import Trace

CODES = ("float32", "int8", "spark")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Events of one population under one code; means over the steps of a run.

    Attributes
    ----------
    population, code : str
        A population of spikes has the code "spike".
    readers : int
        Projections, each with a FIFO of its own.
    events : float
        A step.
    streamed : float
        Bits a step into each FIFO if every neuron sends its value, 0 where it is silent: in SPARK 4 or 8 bits and a
        sign.
    addressed : float
        Bits a step if only events are sent, each the neuron's number and the value.
    """

    population: str
    code: str
    readers: int
    events: float
    streamed: float
    addressed: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def traffic(
    plan: Plan, trace: Trace, codes: str | Iterable[str] = CODES, ranges: Mapping[str, Range] | None = None
) -> tuple[Traffic, ...]:
    """Count what a run sends through the FIFOs of its projections.

    Parameters
    ----------
    plan : Plan
        As ``program.plan``.
    trace : Trace
        Of a run of the same network, with the events of every population that has projections.
    codes : str or iterable of str
        As in "float32", "int8", "spark": for values of graded events.
    ranges : mapping of str to Range, optional
        What codes cover; default: the largest value that came.

    Raises
    ------
    MappingError
        There is no such code, or the trace lacks events.
    """
    chosen = [value_code(code) for code in ([codes] if isinstance(codes, str) else codes)]
    found: list[Traffic] = []
    for k, neurons in enumerate(plan.design.neurons):
        readers = sum(each.pre == k for each in plan.design.products)
        if not readers:
            continue
        if neurons.name not in trace.recorded_events:
            raise MappingError(
                f"population {neurons.name}: the trace has no events of it; record them", population=neurons.name
            )
        events, steps = trace.events(neurons.name), max(trace.meta.steps, 1)
        count, address = len(events.ids), max(1, (neurons.size - 1).bit_length())
        if events.values is None:
            bits = count * address / steps
            found.append(Traffic(neurons.name, "spike", readers, count / steps, float(neurons.size), bits))
            continue
        values = np.asarray(events.values)
        known = (ranges or {}).get(neurons.name) or Range.of(values)
        for code in chosen:
            sent = int(code.lengths(values, known).sum())
            silent = int(code.lengths(np.zeros(1), known)[0]) * (neurons.size * steps - count)
            addressed = (count * address + sent) / steps
            found.append(Traffic(neurons.name, code.name, readers, count / steps, (sent + silent) / steps, addressed))
    return tuple(found)
