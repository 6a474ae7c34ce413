"""Which nodes become which population: those of one SONATA population with one model, with their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.sonata.attributes import DYNAMICS, Ints, read_dynamics
from neuromorph.interchange.sonata.circuit import Circuit, Nodes
from neuromorph.interchange.sonata.templates import TEMPLATES, Template, refusal, unit_value, values_of
from neuromorph.language import Neuron
from neuromorph.units import Quantity

Models = Mapping[str, Neuron | Template]

VIRTUAL = "virtual"
POINTS = ("point_neuron", "point_process")
"""What SONATA calls the model types of point neurons, now and before."""


@dataclass(frozen=True, eq=False)
class NodeGroup:
    """Nodes that become one population.

    Attributes
    ----------
    name : str
        Of the population: that of SONATA's, with the model behind a dot if it has several.
    nodes : str
        SONATA's population.
    ids : int64 (n,)
        Node ids, ascending: neuron k is node ``ids[k]``.
    template : Template or None
        None: virtual nodes, which send given spikes.
    neuron : Neuron or None
        With the values of these nodes.
    """

    name: str
    nodes: str
    ids: Ints
    template: Template | None
    neuron: Neuron | None


def node_groups(circuit: Circuit, models: Models, ignored: frozenset[str], problems: list[str]) -> list[NodeGroup]:
    """Every population that a circuit's nodes become; what cannot be taken over is added to ``problems``.

    Parameters
    ----------
    circuit : Circuit
    models : mapping of str to Neuron or Template
        By the name of a population of nodes, whose neurons then are this, as it stands; or by model template.
    ignored : frozenset of str
        Attributes to leave out.
    problems : list of str
    """
    known = {*circuit.nodes, *(t for n in circuit.nodes.values() for t in _templates(n))}
    have = ", ".join(sorted(known))
    problems += [f"models: no population or model template {n!r}; there are {have}" for n in models if n not in known]
    made: list[NodeGroup] = []
    for nodes in circuit.nodes.values():
        made += _groups_of(circuit, nodes, models, ignored, problems)
    return made


def _templates(nodes: Nodes) -> list[str]:
    return [text for text in nodes.attributes.labels("model_template")[0] if text is not None]


def _groups_of(
    circuit: Circuit, nodes: Nodes, models: Models, ignored: frozenset[str], problems: list[str]
) -> list[NodeGroup]:
    types, type_codes = nodes.attributes.labels("model_type")
    virtual = np.isin(type_codes, [k for k, text in enumerate(types) if text == VIRTUAL])
    parts: list[tuple[str, Ints, Template | None, Neuron | None]] = []
    if virtual.any():
        parts.append((VIRTUAL, np.flatnonzero(virtual), None, None))
    if nodes.name in models and not virtual.all():
        given = models[nodes.name]
        template = given if isinstance(given, Template) else Template.of(given)
        parts.append((template.neuron.name, np.flatnonzero(~virtual), template, template.neuron))
    elif not virtual.all():
        parts += _by_template(circuit, nodes, ~virtual, models, ignored, problems)
    single = len(parts) == 1
    return [
        NodeGroup(nodes.name if single else f"{nodes.name}.{label}", nodes.name, ids, template, neuron)
        for label, ids, template, neuron in sorted(parts, key=lambda part: int(part[1][0]))
    ]


def _by_template(
    circuit: Circuit,
    nodes: Nodes,
    kept: npt.NDArray[np.bool_],
    models: Models,
    ignored: frozenset[str],
    problems: list[str],
) -> list[tuple[str, Ints, Template | None, Neuron | None]]:
    texts, codes = nodes.attributes.labels("model_template")
    types, type_codes = nodes.attributes.labels("model_type")
    parts: list[tuple[str, Ints, Template | None, Neuron | None]] = []
    for k, text in enumerate(texts):
        ids = np.flatnonzero(kept & (codes == k))
        if not len(ids):
            continue
        given = models.get(text) if text is not None else None
        template = Template.of(given) if isinstance(given, Neuron) else given or TEMPLATES.get(text or "")
        kinds = [types[t] for t in np.unique(type_codes[ids])]
        other = [kind for kind in kinds if kind not in POINTS and given is None]
        if template is None or other:
            problems += [f"nodes {nodes.name} ({len(ids):,}): {refusal(kind, text)}" for kind in (other or kinds)]
            continue
        label = (text or template.neuron.name).rpartition(":")[2]
        said = [] if DYNAMICS in ignored else _dynamics(circuit, nodes, ids, problems)
        shapes = _by_shape(template, ids, said)
        for shaped, members in shapes:
            neuron = _with_values(nodes, members, shaped, said, ignored, problems)
            parts.append((label if len(shapes) == 1 else shaped.neuron.name, members, shaped, neuron))
    return parts


Said = list[tuple[str, Ints, Mapping[str, Any]]]
"""Cells of ``dynamics_params``, the nodes that have them, and what they say."""


def _dynamics(circuit: Circuit, nodes: Nodes, ids: Ints, problems: list[str]) -> Said:
    """What the types of these nodes say of their dynamics."""
    cells, codes = nodes.attributes.labels(DYNAMICS)
    said: Said = []
    for k in np.unique(codes[ids]):
        cell = cells[k]
        if cell is None:
            continue
        try:
            given = read_dynamics(circuit.folder("point_neuron_models_dir", "models_dir"), cell)
        except NetworkError as error:
            problems.append(f"nodes {nodes.name}: {error}")
            continue
        said.append((cell, ids[codes[ids] == k], given))
    return said


def _by_shape(template: Template, ids: Ints, said: Said) -> list[tuple[Template, Ints]]:
    """Templates and the nodes that they are for: several where parameters decide about the equations."""
    if template.shaped is None:
        return [(template, ids)]
    rest = np.setdiff1d(ids, np.concatenate([np.empty(0, np.int64), *(of for _, of, _ in said)]))
    asked = [(template.shaped(given), of) for _, of, given in said] + [(template.shaped({}), rest)] * bool(len(rest))
    found: dict[Neuron, tuple[Template, list[Ints]]] = {}
    for shaped, of in asked:
        found.setdefault(shaped.neuron, (shaped, []))[1].append(of)
    return [(shaped, np.sort(np.concatenate(parts))) for shaped, parts in found.values()]


def _with_values(
    nodes: Nodes, ids: Ints, template: Template, said: Said, ignored: frozenset[str], problems: list[str]
) -> Neuron:
    """The template's neuron with what ``dynamics_params`` say of these nodes."""
    values: dict[str, npt.NDArray[np.float64]] = {}

    def column(name: str) -> npt.NDArray[np.float64]:
        return values.setdefault(name, np.full(len(ids), np.nan))

    for cell, of, given in said:
        here = np.isin(ids, of)
        if here.any():
            subject = f"nodes {nodes.name}, {cell if len(cell) < 60 else DYNAMICS}"
            for name, value in values_of(template, given, subject, problems).items():
                column(name)[here] = value
    if DYNAMICS not in ignored:
        for name in nodes.attributes.names:
            if name.startswith(f"{DYNAMICS}/"):
                numbers = nodes.attributes.numbers(name)[ids]
                short = name.partition("/")[2]
                if short not in template.parameters:
                    problems.append(f"nodes {nodes.name}: {template.neuron.name} has no parameter {short!r}")
                    continue
                ours, unit = template.parameters[short]
                has = ~np.isnan(numbers)
                column(ours)[has] = numbers[has] * unit_value(unit)
    return template.neuron(**{name: _value(template.neuron, name, array) for name, array in values.items()})


def _value(neuron: Neuron, name: str, array: npt.NDArray[np.float64]) -> Any:
    """Values as the neuron takes them: one where all are the same, its own where nothing is said."""
    from neuromorph.lowering.values import parameter_values

    unit = {spec.name: spec.unit for spec in neuron.params} | {spec.name: spec.unit for spec in neuron.states}
    unsaid = np.isnan(array)
    if unsaid.any():
        given = dict(neuron.values)
        if name in given:
            own = float(getattr(given[name], "value", given[name]))
        elif any(p.name == name for p in neuron.params):
            own = float(parameter_values(neuron, 1)[name])
        else:
            own = float(neuron.state(name).initial.payload)
        array = np.where(unsaid, own, array)
    number: Any = float(array[0]) if len(array) and (array == array[0]).all() else array
    return number if unit[name].dim.is_none else Quantity(number, unit[name].dim, unit[name])
