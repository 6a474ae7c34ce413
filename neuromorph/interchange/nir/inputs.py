"""Inputs of a NIR graph that its file leaves out."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from neuromorph.interchange.nir.file import Graph, Node
from neuromorph.interchange.nir.linear import LINEAR, Shape


def with_inputs(graph: Graph) -> Graph:
    """The graph with an input ``input_x`` before each linear node ``x`` that nothing reaches, if its size is known.

    So does the nir package, from 1.0.8 on, with every graph that it makes or reads. A neuron that nothing reaches needs
    none: it may fire by itself.
    """
    reached = {b for _, b in graph.edges}
    roots = (node for name, node in graph.nodes.items() if name not in reached and node.type in LINEAR)
    shapes = {node.name: shape for node in roots if (shape := input_shape(node)) is not None}
    if not shapes:
        return graph
    warnings.warn(
        f"NIR graph: nothing reaches {', '.join(shapes)}; each gets an input of its own, as in the nir package",
        stacklevel=3,
    )
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, shape in shapes.items():
        made = f"input_{name}"
        while made in nodes:
            made += "_"
        nodes[made] = Node(made, "Input", {"shape": np.array(shape)})
        edges.append((made, name))
    return replace(graph, nodes=nodes, edges=tuple(edges))


def input_shape(node: Node) -> Shape | None:
    """Shape that a linear node's own values say of its input; None if they do not."""
    values = node.values
    weight = np.shape(values.get("weight", ()))
    if node.type in ("Affine", "Linear") and len(weight) > 1:
        return (*weight[:-2], weight[-1])
    if node.type in ("Conv1d", "Conv2d") and len(weight) > 2 and values.get("input_shape") is not None:
        return (
            int(weight[1] * np.prod(values.get("groups", 1))),
            *(int(n) for n in np.atleast_1d(values["input_shape"])),
        )
    if node.type == "Flatten" and values.get("input_type") is not None:
        return tuple(int(n) for n in np.atleast_1d(values["input_type"]))
    each = {"Scale": "scale", "Delay": "delay"}.get(node.type, "")
    return np.shape(values[each]) or (1,) if values.get(each) is not None else None
