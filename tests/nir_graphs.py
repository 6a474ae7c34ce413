"""NIR graphs for tests: made by hand, drawn at random, and evaluated node by node by a plain loop.

Import as ``from nir_graphs import chain`` (pytest has this folder on its path).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from neuromorph import Network, Reference, from_nir, second
from neuromorph.interchange import latency
from neuromorph.interchange.nir.firing import RESETS

DT = 1e-3
SIZE = 3  # of every layer of a drawn graph
KINDS = ("Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")


@dataclass
class Graph:
    """A graph in memory, as a NIRGraph shows itself."""

    nodes: dict[str, dict[str, Any]]
    edges: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        return {"type": "NIRGraph", "nodes": self.nodes, "edges": self.edges}


def node(kind: str, **values: Any) -> dict[str, Any]:
    return {"type": kind, **values}


def put(shape: Any) -> dict[str, Any]:
    return node("Input", shape=np.array(shape))


def out(shape: Any) -> dict[str, Any]:
    return node("Output", shape=np.array(shape))


def chain(shape: tuple[int, ...], **nodes: dict[str, Any]) -> Graph:
    """Input, the nodes one after another, output."""
    names = ["input", *nodes, "output"]
    return Graph({"input": put(shape), **nodes, "output": out((1,))}, list(pairwise(names)))


def relay(n: int) -> dict[str, Any]:
    """Fires in the step in which more than 0.5 arrives, and keeps nothing."""
    return node("Threshold", threshold=np.full(n, 0.5))


def parameters(rng: np.random.Generator, kind: str, n: int) -> dict[str, np.ndarray]:
    """Values of a neuron that fires now and then."""
    values = {
        "tau": rng.uniform(4, 9, n) * DT,
        "tau_syn": rng.uniform(2, 5, n) * DT,
        "tau_mem": rng.uniform(4, 9, n) * DT,
        "r": rng.uniform(1, 2, n) / (DT if kind in ("I", "IF") else 1),
        "v_leak": rng.uniform(-0.2, 0.4, n),
        "w_in": rng.uniform(1, 3, n),
        "v_threshold": rng.uniform(0.5, 1, n),
        "v_reset": rng.uniform(-0.3, 0.1, n),
        "threshold": rng.uniform(0.2, 0.8, n),
    }
    names = {
        "Threshold": "threshold", "I": "r", "IF": "r v_threshold v_reset", "LI": "tau r v_leak",
        "LIF": "tau r v_leak v_threshold v_reset", "CubaLI": "tau_syn tau_mem r v_leak w_in",
        "CubaLIF": "tau_syn tau_mem r v_leak w_in v_threshold v_reset",
    }[kind]  # fmt: skip
    return {name: values[name] for name in names.split()}


def array(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(0.5, 1.5, shape)


def primitives() -> dict[str, tuple[tuple[int, ...], Any]]:
    """Every type of node but the ends, of the nir package: the shape of its input, and one of it."""
    import nir

    rng = np.random.default_rng(0)
    image, line, n = (2, 6, 5), (3, 8), (4,)
    pool = {"kernel_size": np.array([2, 3]), "stride": np.array([2, 1]), "padding": np.array([1, 0])}

    def a() -> np.ndarray:
        return array(rng, *n)

    leaky = {"v_leak": a(), "v_threshold": a() + 1, "v_reset": -a()}
    return {
        "Affine": (n, nir.Affine(array(rng, 3, 4), array(rng, 3))),
        "Linear": (n, nir.Linear(array(rng, 3, 4))),
        "Scale": (n, nir.Scale(a())),
        "Delay": (n, nir.Delay(np.array([0.0, 1, 4, 2]) * 0.5e-3)),
        "Flatten": (image, nir.Flatten({"input": np.array(image)}, 0, -1)),
        "Conv1d": (line, nir.Conv1d(8, array(rng, 5, 3, 3), 2, 1, 2, 1, array(rng, 5))),
        "Conv2d": (image, nir.Conv2d((6, 5), array(rng, 3, 2, 3, 3), (2, 1), (0, 1), (1, 2), 1, array(rng, 3))),
        "Conv2d same": (image, nir.Conv2d((6, 5), array(rng, 3, 2, 3, 3), 1, "same", 1, 1, np.zeros(3))),
        "SumPool2d": (image, nir.SumPool2d(**pool)),
        "AvgPool2d": (image, nir.AvgPool2d(**pool)),
        "Threshold": (n, nir.Threshold(a())),
        "I": (n, nir.I(a() * 1e3)),
        "IF": (n, nir.IF(a() * 1e3, leaky["v_threshold"], leaky["v_reset"])),
        "LI": (n, nir.LI(a() * 1e-2, a(), leaky["v_leak"])),
        "LIF": (n, nir.LIF(a() * 1e-2, a(), **leaky)),
        "CubaLI": (n, nir.CubaLI(a() * 1e-3, a() * 1e-2, a(), leaky["v_leak"], a())),
        "CubaLIF": (n, nir.CubaLIF(a() * 1e-3, a() * 1e-2, a(), w_in=a(), **leaky)),
    }


@dataclass
class Cell:
    """NIR's neurons, step by step by forward Euler."""

    kind: str
    values: dict[str, np.ndarray]
    reset: str = "zero"
    v: Any = 0.0
    i: Any = 0.0
    above: Any = False

    def step(self, arriving: np.ndarray) -> np.ndarray:
        """What it sends."""
        p, kind = self.values, self.kind
        if kind == "Threshold":
            return (arriving > p["threshold"]).astype(float)
        drive = arriving
        if kind.startswith("Cuba"):
            self.i = self.i + DT / p["tau_syn"] * (p["w_in"] * arriving - self.i)
            drive = self.i
        if kind in ("I", "IF"):
            v = self.v + DT * p["r"] * drive
        else:
            tau = p["tau"] if "tau" in p else p["tau_mem"]
            v = self.v + DT / tau * (p["v_leak"] - self.v + p["r"] * drive)
        self.v, sent = (v, v) if "v_threshold" not in p else self._fire(v)
        return np.asarray(sent)

    def _fire(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        threshold, back = self.values["v_threshold"], self.values["v_reset"]
        jump = threshold - back
        if self.reset == "snntorch_delay":
            v = v - jump * self.above
        elif self.reset == "snntorch_delay_zero":
            v = np.where(self.above, back, v)
        tested = v - jump * self.above if self.reset == "snntorch" else v
        sent = (tested > threshold).astype(float)
        if self.reset == "multiple":
            sent *= np.maximum(np.floor(v / jump), 1)
        if self.reset == "zero":
            v = np.where(sent > 0, back, v)
        elif not self.reset.startswith("snntorch_delay"):
            v = v - sent * jump
        self.above = v > threshold
        return v, sent


@dataclass
class Link:
    """What lies between two layers: delays of the source's elements in steps, then matrices, then a constant."""

    pre: str
    post: str
    names: list[str]
    delays: np.ndarray
    matrix: np.ndarray
    constant: np.ndarray


@dataclass
class Drawn:
    """A graph, and what its layers and links are."""

    graph: Graph
    cells: dict[str, tuple[str, dict[str, np.ndarray]]]
    links: list[Link]
    reset: str

    def evaluate(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What every layer sends, (steps, SIZE): a step after another, a layer after another."""
        sent = {name: np.zeros((len(x), SIZE)) for name in ("input", *self.cells)}
        sent["input"][:] = x
        made = {name: Cell(kind, values, self.reset) for name, (kind, values) in self.cells.items()}
        for t in range(len(x)):
            for name, cell in made.items():
                total = np.zeros(SIZE)
                for link in self.links:
                    if link.post == name:
                        late = np.where(t >= link.delays, sent[link.pre][t - link.delays, np.arange(SIZE)], 0.0)
                        total = total + link.matrix @ late + link.constant
                sent[name][t] = cell.step(total)
        return sent


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    """Layers of any kind; forward through maps and delays, onto themselves, and back with enough delay."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, reset = draw(st.integers(1, 4)), draw(st.sampled_from(RESETS))
    names = [f"c{k}" for k in range(count)]
    kinds = {name: draw(st.sampled_from(KINDS)) for name in names}
    cells = {name: (kind, parameters(rng, kind, SIZE)) for name, kind in kinds.items()}
    nodes: dict[str, dict[str, Any]] = {"input": put(SIZE)}
    nodes |= {name: node(kind, **values) for name, (kind, values) in cells.items()}
    links: list[Link] = []
    for k, name in enumerate(names):
        before = ["input", *names[:k]]
        sources = draw(st.lists(st.sampled_from(before), min_size=1, max_size=2))
        sources += [name] * draw(st.integers(0, 1)) + names[k + 1 :][: draw(st.integers(0, 1))]
        for pre in sources:
            links.append(_link(draw, rng, pre, name, nodes, later=pre in names[k + 1 :], number=len(links)))
    for link in links:
        if link.pre == link.post:
            link.delays = np.maximum(link.delays, 1)  # a recurrence arrives one step late
    nodes["output"] = out(SIZE)
    edges = [edge for link in links for edge in pairwise((link.pre, *link.names, link.post))]
    edges += [(names[-1], "output")]
    keys = list(rng.permutation(list(nodes)))
    edges = [edges[k] for k in rng.permutation(len(edges))]
    return Drawn(Graph({str(key): nodes[key] for key in keys}, edges), cells, links, reset)


def _link(
    draw: st.DrawFn, rng: np.random.Generator, pre: str, post: str, nodes: dict[str, Any], later: bool, number: int
) -> Link:
    kinds = draw(st.lists(st.sampled_from(["Linear", "Affine", "Scale", "Delay"]), min_size=1, max_size=3))
    link = Link(pre, post, [], np.zeros(SIZE, int), np.eye(SIZE), np.zeros(SIZE))
    for place, kind in enumerate((["Delay"] if later else []) + kinds):
        w, b = rng.normal(0.2, 0.6, (SIZE, SIZE)), rng.normal(0, 0.1, SIZE)
        if kind == "Delay":  # of each element on its own before anything else
            first = not link.names or {nodes[n]["type"] for n in link.names} == {"Delay"}
            steps = rng.integers(5, 7, SIZE) if later and not place else rng.integers(0, 3, SIZE)
            steps = steps if first else np.full(SIZE, steps[0])
            link.delays = link.delays + steps
            made = node("Delay", delay=steps * DT)
        elif kind == "Scale":
            link.matrix, link.constant = b[:, None] * 9 * link.matrix, b * 9 * link.constant
            made = node("Scale", scale=b * 9)
        else:
            link.matrix, link.constant = w @ link.matrix, w @ link.constant
            made = node("Linear", weight=w)
            if kind == "Affine":
                link.constant = link.constant + b
                made = node("Affine", weight=w, bias=b)
        link.names.append(f"{pre}-{post}-{number}-{place}")
        nodes[link.names[-1]] = made
    return link


def run(net: Network, steps: int, *states: tuple[str, str]) -> Any:
    for population, state in states:
        net.record(net[population], state)
    return Reference(dtype="float64").compile(net, dt=DT * second).run(steps, progress=False)


def dense(net: Network, trace: Any, name: str, steps: int) -> np.ndarray:
    """Values of a population's events (steps, n), its latency taken off."""
    events, late = trace.events(name), latency(net[name])
    result = np.zeros((steps + late, net[name].size))
    values = np.ones(len(events.steps)) if events.values is None else np.asarray(events.values)
    inside = np.asarray(events.steps) < len(result)
    result[events.steps[inside], events.ids[inside]] = values[inside]
    return result[late:]


def outputs(graph: Any, x: np.ndarray, population: str = "output", **options: Any) -> np.ndarray:
    """What an output of the graph emits for the input ``x`` (steps, channels...)."""
    net = from_nir(graph, dt=DT * second, events=x, **options)
    return dense(net, run(net, len(x) + latency(net[population])), population, len(x))
