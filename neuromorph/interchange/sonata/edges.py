"""Which edges become which projection, with weights in the unit of the port and delays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.sonata.attributes import DYNAMICS, Floats, Ints, read_dynamics
from neuromorph.interchange.sonata.circuit import Circuit, Edges
from neuromorph.interchange.sonata.groups import NodeGroup
from neuromorph.interchange.sonata.stdp import STDP, stdp_problems
from neuromorph.language.expr import Type

STATIC = ("static_synapse", "nest:static_synapse", "instantaneous")
"""Templates of synapses that do not change and add their weight when an event arrives."""

WEIGHT_FUNCTIONS = ("default_weight_fnc", "set_syn_weight", "wmax")
"""Functions of the Brain Modeling Toolkit that hand ``syn_weight`` through."""

INSTANT = ("instantaneous", "instanteneous", "static", "none", None)
"""What ``level_of_detail`` says of such synapses; the second is how SONATA's own examples spell it."""

DEFAULT_DELAY = 1.0
"""In ms, of edges that have none: what NEST's static_synapse and NEURON's NetCon take then."""

RECEPTOR = "receptor_type"

SECTIONS = ("target_sections", "distance_range", "sec_id", "sec_x")
"""Where on a morphology a synapse is."""

OTHERS = {
    "weight_sigma": "weights that a function of the simulator's makes",
    "synapse_model": "names of synapse models outside model_template",
}


Said = list[tuple[str, npt.NDArray[np.bool_], Mapping[str, Any]]]
"""Cells of ``dynamics_params``, which edges have them, and what they say."""

Labels = tuple[tuple[str | None, ...], Ints]
"""Texts, and the position of each edge's among them."""


@dataclass(frozen=True, eq=False)
class EdgeGroup:
    """Edges that become one projection.

    Attributes
    ----------
    name : str
    pre, post : str
        Populations of the network.
    port : str
    sources, targets : int64 (n,)
        Neurons in these populations.
    weights : float64 (n,)
        In SI units of the port.
    delays : float64 (n,)
        In ms.
    unit : Unit or number
        What a ``syn_weight`` of 1 is.
    plastic : mapping or None
        What ``dynamics_params`` say of synapses that are NEST's stdp_synapse; None: they are static.
    """

    name: str
    pre: str
    post: str
    port: str
    sources: Ints
    targets: Ints
    weights: Floats
    delays: Floats
    unit: Any
    plastic: Mapping[str, Any] | None = None


def edge_groups(
    circuit: Circuit,
    edges: Edges,
    groups: list[NodeGroup],
    dt: float | None,
    ignored: frozenset[str],
    problems: list[str],
) -> list[EdgeGroup]:
    """The projections that a population of edges becomes; what cannot be taken over is added to ``problems``.

    ``dt`` is the step in ms, if it is known.
    """
    if not edges.size:
        return []
    before = len(problems)
    said = _dynamics(circuit, edges, ignored, problems)
    plastic = _plastic(circuit, edges, ignored)
    weights, delays = _weights(edges, said, plastic, problems), _delays(edges, dt, ignored, problems)
    _refuse_attributes(circuit, edges, ignored, problems)
    if plastic.any() and dt is None:
        problems.append(f"edges {edges.name}: plastic synapses need a step; give from_sonata(dt=...)")
    if len(problems) > before or weights is None or delays is None:
        return []
    parts: list[EdgeGroup] = []
    of_source, source_place = _place(groups, edges.source, edges.source_ids)
    of_target, target_place = _place(groups, edges.target, edges.target_ids)
    ports, receptors = edges.attributes.labels("port"), _receptors(edges, said, ignored)
    for a, pre in enumerate(groups):
        for b, post in enumerate(groups):
            if pre.nodes != edges.source or post.nodes != edges.target:
                continue
            chosen = np.flatnonzero((of_source == a) & (of_target == b))
            if not len(chosen):
                continue
            if post.template is None:
                problems.append(f"edges {edges.name}: {len(chosen):,} end at virtual nodes, which take in nothing")
                continue
            for port, kept in _by_port(edges, post, chosen, weights, ports, receptors, problems):
                if post.template.neuron.port(port).type is Type.INT and np.any(weights[kept] % 1):
                    problems.append(
                        f"edges {edges.name}: port {port} of {post.name} takes ints, and weights are not whole"
                    )
                unit = post.template.neuron.port(port).unit if post.template.weight is None else post.template.weight
                size = np.abs(weights) if post.template.magnitudes else weights
                parts += [
                    EdgeGroup(
                        "",
                        pre.name,
                        post.name,
                        port,
                        source_place[alike],
                        target_place[alike],
                        size[alike] * post.template.scale(port),
                        delays[alike],
                        unit,
                        given,
                    )
                    for given, alike in _by_rule(kept, plastic, said)
                ]
    return [_named(edges.name, part, parts) for part in parts]


def _by_rule(kept: Ints, plastic: npt.NDArray[np.bool_], said: Said) -> list[tuple[Mapping[str, Any] | None, Ints]]:
    """Static edges, and plastic ones by their ``dynamics_params``."""
    parts: list[tuple[Mapping[str, Any] | None, Ints]] = [(None, kept[~plastic[kept]])]
    rest = plastic.copy()
    for _, of, given in said if plastic.any() else ():
        parts.append((given, kept[(of & rest)[kept]]))
        rest &= ~of
    parts.append(({}, kept[rest[kept]]))
    return [(given, alike) for given, alike in parts if alike.size]


def _named(name: str, part: EdgeGroup, parts: list[EdgeGroup]) -> EdgeGroup:
    labels = [name]
    between = [p for p in parts if (p.pre, p.post) == (part.pre, part.post)]
    if len({(p.pre, p.post) for p in parts}) > 1:
        labels += [part.pre, part.post]
    if len({p.port for p in between}) > 1:
        labels.append(part.port)
    alike = [p for p in between if p.port == part.port]
    if len(alike) > 1:  # by their rules of plasticity
        labels.append(str(next(k for k, p in enumerate(alike) if p is part)))
    return replace(part, name=":".join(labels))


def _place(groups: list[NodeGroup], nodes: str, ids: Ints) -> tuple[Ints, Ints]:
    """For each node its group and its place there."""
    own = [k for k, group in enumerate(groups) if group.nodes == nodes]
    size = max((int(groups[k].ids.max()) for k in own), default=-1) + 1
    size = max(size, int(ids.max(initial=-1)) + 1)
    of, place = np.full(size, -1, np.int64), np.zeros(size, np.int64)
    for k in own:
        of[groups[k].ids] = k
        place[groups[k].ids] = np.arange(len(groups[k].ids))
    return of[ids], place[ids]


def _by_port(
    edges: Edges,
    post: NodeGroup,
    chosen: Ints,
    weights: Floats,
    ports: Labels,
    receptors: Labels,
    problems: list[str],
) -> list[tuple[str, Ints]]:
    """Ports and the edges that arrive there: as an attribute ``port`` says, the receptor, or the sign of the weight."""
    template = post.template
    assert template is not None
    names = [port.name for port in template.neuron.ports]
    if not names:
        problems.append(f"edges {edges.name}: {template.neuron.name} has no port; nothing can arrive there")
        return []
    parts: list[tuple[str, Ints]] = []
    negative = weights[chosen] < 0
    pairs = ports[1][chosen] * len(receptors[0]) + receptors[1][chosen]
    for pair in np.flatnonzero(np.bincount(pairs)):
        here = pairs == pair
        port, receptor = ports[0][pair // len(receptors[0])], receptors[0][pair % len(receptors[0])]
        if port is not None:
            if port in names:
                parts.append((port, chosen[here]))
            else:
                problems.append(f"edges {edges.name}: port {port!r}; {post.name} has {', '.join(names)}")
        elif receptor in template.receptors:
            parts.append((template.receptors[receptor], chosen[here]))
        elif receptor in (None, "0") and not template.numbered:
            by_sign = [(sign, chosen[here & (negative == sign)]) for sign in (False, True)]
            parts += [(template.port_of(sign), kept) for sign, kept in by_sign if kept.size]
        else:
            have = ", ".join(template.receptors) or "0 alone"
            problems.append(f"edges {edges.name}: receptor_type {receptor}; {post.name} has {have}")
    merged: dict[str, list[Ints]] = {}
    for port, kept in parts:
        merged.setdefault(port, []).append(kept)
    return [(port, np.sort(np.concatenate(kept))) for port, kept in merged.items()]


def _dynamics(circuit: Circuit, edges: Edges, ignored: frozenset[str], problems: list[str]) -> Said:
    """Cells of ``dynamics_params``, which edges have them, and what they say."""
    if DYNAMICS in ignored:
        return []
    subject = f"edges {edges.name}"
    cells, codes = edges.attributes.labels(DYNAMICS)
    said: Said = []
    for k in np.unique(codes):
        cell = cells[k]
        if cell is None:
            continue
        try:
            given = read_dynamics(circuit.folder("synaptic_models_dir", "models_dir"), cell)
        except NetworkError as error:
            problems.append(f"{subject}: {error}; give the folder, or leave them out with ignore={{{DYNAMICS!r}}}")
            continue
        said.append((cell, codes == k, given))
    problems += [
        f"{subject}: {name} of single edges has no equivalent in a static synapse"
        for name in edges.attributes.names
        if name.startswith(f"{DYNAMICS}/")
    ]
    return said


def _receptors(edges: Edges, said: Said, ignored: frozenset[str]) -> Labels:
    """``receptor_type`` of each edge, of an attribute or of ``dynamics_params``."""
    if RECEPTOR in ignored:
        return (None,), np.zeros(edges.size, np.int64)
    texts, codes = edges.attributes.labels(RECEPTOR)
    found = [None if text is None else text.removesuffix(".0") for text in texts]
    for _, of, given in said:
        if RECEPTOR in given:
            codes = np.where(of, len(found), codes)
            found.append(str(given[RECEPTOR]))
    return tuple(found), codes


def _plastic(circuit: Circuit, edges: Edges, ignored: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Which edges are NEST's stdp_synapse."""
    texts, codes = edges.attributes.labels("model_template")
    rules = [] if "model_template" in ignored else _rules(circuit)
    return np.isin(codes, [k for k, text in enumerate(texts) if text in rules])


def _rules(circuit: Circuit) -> list[str]:
    """Names of stdp_synapse: its own, and those that reports of weights give to what they watch."""
    named = [
        str(report.get("model_template"))
        for report in circuit.reports.values()
        if report.get("module") == "weight_recorder" and report.get("nest_model") in STDP
    ]
    return [*STDP, *named]


def _weights(edges: Edges, said: Said, plastic: npt.NDArray[np.bool_], problems: list[str]) -> Floats | None:
    """syn_weight times nsyns, with the sign that dynamics_params give."""
    subject = f"edges {edges.name}"
    weights = edges.attributes.numbers("syn_weight")
    if np.isnan(weights).any():
        problems.append(f"{subject}: {int(np.isnan(weights).sum()):,} of {edges.size:,} have no syn_weight")
        return None
    nsyns = edges.attributes.numbers("nsyns")
    weights *= np.where(np.isnan(nsyns), 1.0, nsyns)
    for cell, of, given in said:
        if (static := of & ~plastic).any():
            weights[static] *= _sign(f"{subject}, {cell}", given, problems)
        if (of & plastic).any():
            problems += stdp_problems(f"{subject}, {cell}", given)
    if (negative := int((weights[plastic] < 0).sum())) > 0:
        problems.append(f"{subject}: {negative:,} plastic synapses have negative weights; they are from 0 to Wmax")
    return weights


def _sign(subject: str, given: Mapping[str, Any], problems: list[str]) -> float:
    for name, value in given.items():
        if name == "sign" and value in (1, -1):
            continue
        if name == RECEPTOR:
            continue
        if name == "level_of_detail" and value in INSTANT:
            continue
        problems.append(f"{subject}: {name} = {value!r} has no equivalent in a static synapse; sign is 1 or -1")
    return float(given.get("sign", 1))


def _delays(edges: Edges, dt: float | None, ignored: frozenset[str], problems: list[str]) -> Floats | None:
    delays = edges.attributes.numbers("delay")
    delays[np.isnan(delays)] = DEFAULT_DELAY
    least = 0.0 if dt is None else dt / 2  # what rounds to a step or more
    if delays.min() > least:
        return delays
    if "delay" in ignored and dt is not None:
        return np.maximum(delays, dt)
    problems.append(
        f"edges {edges.name}: a delay of {delays.min():g} ms; an event arrives a step later or more"
        + ("" if dt is None else f", and one is {dt:g} ms; take such delays as one step with ignore={{'delay'}}")
    )
    return None


def _refuse_attributes(circuit: Circuit, edges: Edges, ignored: frozenset[str], problems: list[str]) -> None:
    subject = f"edges {edges.name}"
    problems += [
        f"{subject}: model_template {text} has no equivalent; known are {', '.join((*STATIC, STDP[0]))}; take them as "
        "static with ignore={'model_template'}"
        for text in edges.attributes.labels("model_template")[0]
        if text is not None and text not in (*STATIC, *_rules(circuit)) and "model_template" not in ignored
    ]
    problems += [
        f"{subject}: weight_function {text} is code of a simulator's, which the files do not hold; take syn_weight as "
        "it stands with ignore={'weight_function'}"
        for text in edges.attributes.labels("weight_function")[0]
        if text is not None and text not in WEIGHT_FUNCTIONS and "weight_function" not in ignored
    ]
    for name in edges.attributes.names:
        hint = f"leave it out with ignore={{{name!r}}}"
        if name in ignored:
            continue
        if name in SECTIONS or name.startswith(("afferent_", "efferent_")):
            problems.append(
                f"{subject}: {name} says where on a morphology synapses are, and point neurons have none; {hint}"
            )
        elif name in OTHERS:
            problems.append(f"{subject}: {name}: {OTHERS[name]} have no equivalent; {hint}")
