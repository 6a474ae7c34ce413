"""Inputs of a NIR graph that its file leaves out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import prod

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.file import MOST_ELEMENTS, Graph, Node
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
    """Shape that a linear node's own values say of its input; None if they do not, or make no sense."""
    try:
        found = _said(node)
    except NetworkError:
        return None
    return found if found is not None and 0 < prod(found) <= MOST_ELEMENTS else None


def _said(node: Node) -> Shape | None:
    values = node.values
    weight: Shape = node.numbers("weight").shape if values.get("weight") is not None else ()
    if node.type in ("Affine", "Linear") and len(weight) > 1:
        return (*weight[:-2], weight[-1])
    if node.type in ("Conv1d", "Conv2d") and len(weight) > 2 and values.get("input_shape") is not None:
        return (weight[1] * prod(node.lengths("groups")), *node.lengths("input_shape"))
    if node.type == "Flatten" and values.get("input_type") is not None:
        return node.lengths("input_type")
    each = {"Scale": "scale", "Delay": "delay"}.get(node.type, "")
    if values.get(each) is None:
        return None
    shape: Shape = node.numbers(each).shape
    return shape or (1,)
