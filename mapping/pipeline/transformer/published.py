"""Designs that were built and published, from their machine files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from neuromorph.errors import MappingError

from ...constants import Constants, load_constants
from ..design import Parallel
from ..graph import StageGraph
from ..starts import with_starts
from ..timing import Rules
from .design import TransformerDesign
from .shape import Bits, VisionTransformer

PREFIX = "hgpipe_"


def published(name: str | Path) -> tuple[TransformerDesign, dict[str, Parallel], dict[str, int]]:
    """A published design, its parallelism by operator and its FIFO depths by FIFO.

    Parameters
    ----------
    name : str or Path
        "deit-tiny-vck190" (Guo et al., ICCAD 2024); or a file of the same form.

    Returns
    -------
    design : TransformerDesign
    parallel : dict of str to Parallel
    depths : dict of str to int
        What :meth:`TransformerDesign.graph` takes.

    Raises
    ------
    MappingError
        If there is no such file, or it does not fit its own shape.

    Examples
    --------
    >>> design, parallel, depths = published("deit-tiny-vck190")
    >>> len(design.graph(parallel, depths).stages)
    1078
    """
    data = published_figures(name)
    sizes = ("tokens", "channels", "heads", "blocks", "hidden", "patch_inputs", "classes")
    kinds = ("weights", "activations", "edge_weights", "edge_activations", "residual")
    shape = VisionTransformer(
        data["shape.name"].value,
        **{size: data.count(f"shape.{size}") for size in sizes},
        bits=Bits(**{kind: data.count(f"bits.{kind}") for kind in kinds}),
        output_bits=_output_bits(data),
    )
    design = TransformerDesign(
        shape,
        data.count("width.tile"),
        data.count("width.input"),
        data.count("width.residual"),
        data.count("width.output"),
    )
    parallel = {
        operator.name: Parallel(*data[f"parallel.{role(operator.name)}"].value) for operator in design.operators
    }
    default = design.numbers.depth("other")
    graph = design.graph(parallel)
    depths = {
        fifo.name: data.count(key) if (key := f"depth.{role(fifo.name)}") in data else default for fifo in graph.fifos
    }
    unused = {key for key in data if key.startswith("depth.")} - {f"depth.{role(fifo)}" for fifo in depths}
    if unused:
        raise MappingError(
            f"{data.machine}: no FIFO of {design.name} is called {', '.join(sorted(unused))}", name=data.machine
        )
    return design, parallel, depths


def published_figures(name: str | Path) -> Constants:
    """The whole machine file of a published design: "figures.interval" and others, to compare with.

    Raises
    ------
    MappingError
        If there is no such file.
    """
    return load_constants(name if isinstance(name, Path) else PREFIX + name.replace("-", "_"))


def published_rules(name: str | Path) -> Rules:
    """Rules under which a published design is simulated; of "deit-tiny-vck190" they were chosen knowing its RTL log.

    Parameters
    ----------
    name : str or Path
        As of :func:`published`. What the file does not say is as in :class:`Rules`.

    Raises
    ------
    MappingError
        If there is no such file, or it says what no rules can be.
    """
    data = published_figures(name)
    return Rules(**{each.name: data[key].value for each in fields(Rules) if (key := f"rules.{each.name}") in data})


def with_published_starts(name: str | Path, graph: StageGraph) -> StageGraph:
    """The graph of a published design in which stages are not further ahead of others than its file assumes.

    Of "deit-tiny-vck190": the transposition of V is at most 2 images ahead of its cache, which image 9 of its RTL log
    supports and its sources do not state.

    Raises
    ------
    MappingError
        If there is no such file, or it assumes nothing about how far stages are ahead.
    """
    data = published_figures(name)
    first, later = data["starts.first"].value, data["starts.later"].value
    there = {_place(stage.name): stage.name for stage in graph.stages if role(stage.name) == later}
    pairs = [(stage.name, there[_place(stage.name)]) for stage in graph.stages if role(stage.name) == first]
    return with_starts(graph, pairs, data.count("starts.ahead"))


def _place(name: str) -> tuple[str, ...]:
    """Block and head of a stage."""
    return name.split(".")[0], *re.findall(r"\.head\d+", name)


def role(name: str) -> str:
    """What a FIFO or operator is, whatever its block and head: "attn3.q.head1" is "attn.q.head"."""
    return re.sub(r"^(attn|mlp)\d+", r"\1", re.sub(r"\.head\d+", ".head", name))


def _output_bits(data: Constants) -> Mapping[str, int]:
    """Bits by operator: a list has one number a block, or one."""
    found: dict[str, int] = {}
    for key, constant in data.items():
        if not key.startswith("output_bits."):
            continue
        block, _, part = key.removeprefix("output_bits.").partition(".")
        numbered = block in ("attn", "mlp")
        for number, bits in enumerate(constant.value):
            found[f"{block}{number if numbered else ''}.{part}"] = bits
    return found
