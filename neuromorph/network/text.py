"""A network as text: equal texts are equal networks."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from hashlib import sha256
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.network.distributions import Distribution
from neuromorph.network.sources import Source
from neuromorph.units import Quantity

if TYPE_CHECKING:
    from neuromorph.network.network import Network


def network_text(network: Network) -> str:
    """Seed, populations with their neurons, projections with their rules, recordings; arrays by digest."""
    lines = [f"network {network.name}", f"seed {network.seed}"]
    models: dict[str, str] = {}
    for p in network.populations:
        text = describe(p.neuron) if isinstance(p.neuron, Source) else p.neuron.text()
        label = models.setdefault(text, f"model {len(models)}")
        where = "" if p.coordinates is None else f" at {describe(p.coordinates)}"
        events = "" if p.record_events else " not recorded"
        lines.append(f"population {p.name} {p.shape} {label}{where}{events}")
    for j in network.projections:
        ends = f"{j.pre.name} -> {j.post.name}.{j.port}"
        given = f"{describe(j.rule)} weight {describe(j.weight)} delay {describe(j.delay)}"
        if j.synapse is not None:
            given += f" synapse {models.setdefault(j.synapse.text(), f'model {len(models)}')}"
        if j.third is not None:
            given += f" third {j.third.name}"
        given += "".join(f" {path} of {population.name}" for path, population in j.events.items())
        lines.append(f"projection {j.name}: {ends} {given}")
    lines += [f"{r.subject} of {describe(r.index)} delay {r.delay}" for r in network.readings]
    lines += [f"record {network.populations[r.population].name}.{r.name} every {r.every}" for r in network.recordings]
    for s in network.synapse_recordings:
        chosen = "" if s.indices is None else f" of {describe(s.indices)}"
        lines.append(f"record {network.projections[s.projection].name}.{s.name} every {s.every}{chosen}")
    for text, label in models.items():
        lines += [f"{label}:", *("  " + line for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def describe(value: Any) -> str:
    """A value as text that is equal for equal values: exact numbers, digests of arrays, rules field by field."""
    if value is None or isinstance(value, bool | str):
        return repr(value)
    if isinstance(value, int | np.integer):
        return repr(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if isinstance(value, Quantity):
        return f"{describe(value.value)} {value.dim.symbol}"
    if hasattr(value, "tocoo"):
        coo = value.tocoo()
        return f"sparse {coo.shape} {describe(coo.row)} {describe(coo.col)} {describe(coo.data)}"
    if isinstance(value, np.ndarray):
        digest = sha256(np.ascontiguousarray(value).data).hexdigest()[:32]
        return f"{value.dtype.str}{value.shape} {digest}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(describe, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        given = ", ".join(f"{f.name}={describe(getattr(value, f.name))}" for f in fields(value) if f.init)
        return f"{type(value).__name__}({given})"
    if isinstance(value, Distribution) or not callable(value):
        return repr(value)
    return _function(value)


def _function(value: Any) -> str:
    """A function by what it does: its code, its defaults and what it encloses, not where it is in memory."""
    name = getattr(value, "__qualname__", type(value).__name__)
    code = getattr(value, "__code__", None)
    if code is None:
        return f"function {getattr(value, '__module__', '')}.{name}"
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    content = f"{_code(code)} {describe(value.__defaults__)} {describe(cells)}"
    return f"function {name} {sha256(content.encode()).hexdigest()[:16]}"


def _code(code: CodeType) -> str:
    inner = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {inner}"
