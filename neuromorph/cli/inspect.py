"""Show what a trace holds: the run, its populations, events and rates, recorded states, costs and provenance.

Takes any SONATA spike or report file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from neuromorph.trace import Trace

_LONGEST = 100
_MOST = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("trace", metavar="TRACE.h5", help="the file")
    parser.add_argument("--events", metavar="POPULATION", help="print this population's first events instead")
    parser.add_argument("--state", metavar="POPULATION.VARIABLE", help="print this state's first rows instead")
    parser.add_argument("--key", metavar="PATH", help="print one of the run's values in full instead, e.g. model/text")
    parser.add_argument("-n", type=int, default=20, help="how many events or rows (default 20)")


def run(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    with Trace(options.trace) as trace:
        if options.events:
            lines = _events(trace, options.events, options.n)
        elif options.state:
            lines = _state(trace, options.state, options.n)
        elif options.key:
            lines = iter([str(_lookup(trace, options.key))])
        else:
            lines = _overview(trace)
        for line in lines:
            print(line)
    return 0


def _overview(trace: Trace) -> Iterator[str]:
    yield f"{trace.path}"
    if trace.stated:
        meta = trace.meta
        yield (
            f"network {meta.network}, steps {meta.first_step} to {meta.first_step + meta.steps} of {meta.dt_ms:g} ms, "
            f"seed {meta.seed}"
        )
        if not trace.complete:
            yield "INCOMPLETE: the run is still going on or was cut off; this is what it had flushed"
    else:
        yield f"not written by neuromorph; last event at {trace.stop:g} ms"
    yield ""
    yield from _columns(trace.summary())
    if trace.recorded_states:
        yield ""
        table = [("state", "unit", "rows", "neurons", "every (ms)")]
        for population, variable in trace.recorded_states:
            states = trace.state(population, variable)
            rows, neurons = states.shape
            name = f"{population}.{variable}"
            table.append((name, states.unit or "1", f"{rows:,}", f"{neurons:,}", f"{states.table.step:g}"))
        yield from _columns(table)
    for title, tree in (("run", _nested(trace)), ("provenance", trace.provenance)):
        if tree:
            yield ""
            yield f"{title}:"
            lines = list(_tree(tree, "  "))
            yield from lines[:_MOST]
            if len(lines) > _MOST:
                yield f"  ... and {len(lines) - _MOST} more (--key PATH shows one)"


def _events(trace: Trace, population: str, n: int) -> Iterator[str]:
    part = next(trace.stream(population, block=max(n, 1)), None)
    yield f"{population}: {trace.count(population):,} events"
    if part is None:
        return
    table = [("time (ms)", "step", "neuron", "value")]
    for k in range(min(n, len(part))):
        step = "-" if part.steps is None else str(part.steps[k])
        value = "1" if part.values is None else f"{part.values[k]:.9g}"
        table.append((f"{part.times[k]:g}", step, str(part.ids[k]), value))
    yield from _columns(table)


def _state(trace: Trace, name: str, n: int) -> Iterator[str]:
    known = {f"{population}.{variable}": (population, variable) for population, variable in trace.recorded_states}
    population, variable = known.get(name, tuple(name.rpartition(".")[::2]))
    states = trace.state(population, variable)
    yield str(states)
    shown = min(8, states.shape[1])
    table = [("time (ms)", *(f"neuron {i}" for i in states.ids[:shown]), *(["..."] if shown < states.shape[1] else []))]
    for time, row in zip(states.times[:n], states[:n], strict=False):
        table.append((f"{time:g}", *(f"{x:.6g}" for x in row[:shown])))
    yield from _columns(table)


def _lookup(trace: Trace, key: str) -> Any:
    if key in trace.run:
        return trace.run[key]
    value: Any = trace.provenance
    for part in key.removeprefix("provenance/").split("/"):
        if not isinstance(value, Mapping) or part not in value:
            known = ", ".join([*trace.run, *trace.provenance]) or "nothing"
            raise _missing(trace, key, known)
        value = value[part]
    return value


def _missing(trace: Trace, key: str, known: str) -> Exception:
    from neuromorph.errors import TraceError

    return TraceError(f"{trace.path}: the run keeps no {key!r}; it keeps {known}", key=key)


def _nested(trace: Trace) -> dict[str, Any]:
    """The run's extras with their units, big ones as their shape only."""
    shown = {}
    for path in trace.run:
        attributes, shape = trace.run.attrs(path), trace.run.shape(path)
        unit = attributes.get("unit", attributes.get("units", ""))
        value = _short(trace.run[path]) if np.prod(shape) <= 8 else f"array {shape}"
        shown[path] = f"{value} {unit}".rstrip()
    return shown


def _short(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= 8 else f"array {value.shape}"
    return f"{value:.6g}" if isinstance(value, float) else value


def _tree(tree: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _tree(value, indent + "  ")
            continue
        text = str(_short(value)).replace("\n", " / ")
        yield f"{indent}{key}: {text if len(text) <= _LONGEST else text[:_LONGEST] + ' ...'}"


def _columns(table: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows as aligned columns, the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in table if k < len(row)) for k in range(len(table[0]))]
    for row in table:
        cells = [
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join(cells).rstrip()
