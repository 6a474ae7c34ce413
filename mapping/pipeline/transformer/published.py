"""Designs that were built and published, from their machine files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from neuromorph.errors import MappingError

from ...constants import Constants, load_constants
from ..design import Parallel
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
    data = load_constants(name if isinstance(name, Path) else PREFIX + name.replace("-", "_"))
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
