"""What the operators of HG-PIPE are made of: adapters, windows, products, caches, passes over a row, splits, copies.

Each function adds stages to a layout and returns the stream that comes out. Loops follow the public HLS sources
(Guo et al., ICCAD 2024): their order, their trip counts, and the iterations that read and write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, lcm

from ..design import Operator, Parallel
from ..graph import Memory, Run
from .layout import Layout, Owner, Stream, loop

IN = (0,)
OUT = (0,)


def adapt(
    layout: Layout,
    source: Stream,
    width: int,
    name: str,
    prefix: str,
    owner: Owner,
    *,
    depth: int | None = None,
    of: str = "",
    between_blocks: bool = False,
) -> Stream:
    """Other channels in a token: packed, or unpacked, or where neither width divides the other both, over their LCM.

    Parameters
    ----------
    name : str
        Of the stream that comes out.
    prefix : str
        Of the stages.
    depth : int, optional
        Of the FIFO that comes out.
    of : str
        What the adapter belongs to, where its pipeline has a length of its own.
    between_blocks : bool
        Whether what comes out goes to another block.
    """
    common = lcm(source.width, width)
    if common not in (source.width, width):
        packed = adapt(layout, source, common, f"{name}.packed", prefix, owner, of=of)
        return adapt(layout, packed, width, name, prefix, owner, depth=depth, of=of, between_blocks=between_blocks)
    result = replace(source, name=name, width=width)
    if between_blocks:
        layout.between_blocks(result)
    else:
        layout.stream(result, depth)
    if source.width > width:
        kind, loops = "unpack", (Run(1, IN, OUT), Run(source.width // width - 1, (), OUT))
    else:
        kind, loops = "pack", (Run(width // source.width - 1, IN), Run(1, IN, OUT))
    repeats = min(source.tokens, result.tokens)
    latency = layout.numbers.pipeline(kind, of)
    layout.stage(f"{prefix}.{kind}", kind, [loop(*loops, repeats=repeats, depth=latency)], [source.name], [name], owner)
    return result


def matched(layout: Layout, source: Stream, width: int, owner: Owner) -> Stream:
    """The stream itself if it has the width, or behind an adapter."""
    if source.width == width:
        return source
    return adapt(layout, source, width, f"{source.name}.w{width}", f"{source.name}.adapter", owner)


def product(
    layout: Layout,
    operator: Operator,
    parallel: Parallel,
    source: Stream,
    name: str,
    width: int,
    *,
    prefix: str,
    of: str = "",
    adapted: int | None = None,
    depth: int | None = None,
    matrix: Stream | None = None,
    memories: Sequence[Memory] = (),
    between_blocks: bool = False,
) -> Stream:
    """A matrix product of ``source`` with weights on chip, or with ``matrix``, which is cached whole first.

    An adapter, a window that plays each tile of rows once for every tile of columns, the multipliers, an adapter.

    Parameters
    ----------
    name, width : str, int
        Of the stream that comes out.
    prefix : str
        Of the stages and inner FIFOs.
    of : str
        Which pipelines: "dynamic", "patches", "classes".
    adapted, depth : int, optional
        Depths of the FIFOs behind the first adapter, which holds at least one tile of rows, so that the next one comes
        in while the window plays, and behind the last.
    matrix : Stream, optional
        Tokens of ``parallel.inputs`` x ``parallel.outputs`` values.
    memories : sequence of Memory
        Of the multipliers: weights.
    between_blocks : bool
        Whether what comes out goes to another block.
    """
    owner = Owner.of(operator)
    if adapted is not None:
        adapted = max(adapted, source.channels // parallel.inputs)
    rows = adapt(layout, source, parallel.inputs, f"{prefix}.adapted", f"{prefix}.in", owner, depth=adapted, of=of)
    steps, columns = operator.inputs // parallel.inputs, operator.outputs // parallel.outputs
    window = layout.fifo(f"{prefix}.window", rows.tile * rows.width * rows.bits)
    layout.stage(
        f"{prefix}.window",
        "window",
        [
            loop(
                Run(steps, IN, OUT),
                Run((columns - 1) * steps, (), OUT),
                repeats=rows.tiles,
                depth=layout.numbers.pipeline("window", of),
            )
        ],
        [rows.name],
        [window],
        owner,
        memories=[Memory("window", rows.tile * operator.inputs, rows.bits, rows.tile * parallel.inputs)],
    )
    operands = [window]
    if matrix is not None:
        operands.append(_cache(layout, operator, parallel, matrix, rows.tiles * columns * steps, prefix))
    sums = Stream(f"{prefix}.sums", rows.rows, operator.outputs, rows.tile, parallel.outputs, operator.output_bits)
    layout.stream(sums)
    reads = tuple(range(len(operands)))
    layout.stage(
        f"{prefix}.multiply",
        "multiply",
        [
            loop(
                Run(steps - 1, reads),
                Run(1, reads, OUT),
                repeats=rows.tiles * columns,
                depth=layout.numbers.pipeline("multiply", of),
            )
        ],
        operands,
        [sums.name],
        owner,
        multipliers=rows.tile * parallel.inputs * parallel.outputs,
        products=rows.rows * operator.inputs * operator.outputs,
        memories=memories,
    )
    return adapt(layout, sums, width, name, f"{prefix}.out", owner, depth=depth, of=of, between_blocks=between_blocks)


def _cache(layout: Layout, operator: Operator, parallel: Parallel, matrix: Stream, plays: int, prefix: str) -> str:
    """Load a matrix whole, then play it once for every tile of rows: the name of the FIFO that comes out."""
    lanes = parallel.inputs * parallel.outputs
    weights = layout.fifo(f"{prefix}.weights", lanes * matrix.bits)
    size = operator.inputs * operator.outputs
    layout.stage(
        f"{prefix}.cache",
        "cache",
        [
            loop(Run(size // lanes, IN), depth=layout.numbers.pipeline("cache_load")),
            loop(Run(plays - 1, (), OUT), Run(1, (1,), OUT), depth=layout.numbers.pipeline("cache_stream")),
        ],
        [matrix.name, f"{matrix.name}.begun"],
        [weights],
        Owner.of(operator),
        memories=[Memory("matrix", size, matrix.bits, lanes)],
    )
    return weights


def regroup(
    layout: Layout, source: Stream, tile: int, width: int, lanes: int, name: str, owner: Owner, depth: int
) -> Stream:
    """Other rows and channels in a token, through a buffer of the rows that both tilings share.

    The buffer is filled, then emptied, ``lanes`` values a cycle. A token says that an item has begun; what reads the
    stream takes it as it ends one, so that the two are never further apart than that FIFO is deep.
    """
    group, size = source.tile * source.width, tile * width
    flat = replace(source, rows=source.tiles, channels=source.tile * source.channels, tile=1, width=group)
    values = adapt(layout, flat, lanes, f"{name}.values", name, owner, of="values")
    result = layout.stream(replace(source, name=name, tile=tile, width=width), depth)
    rows = lcm(source.tile, tile)
    held, turn = rows * source.channels, ceil(size / lanes)
    load = loop(Run(held // lanes, IN), depth=layout.numbers.pipeline("reorder_load"))
    store = loop(Run(turn - 1), Run(1, (), OUT), repeats=held // size, depth=layout.numbers.pipeline("reorder_store"))
    first = loop(Run(1, IN, (1,)), Run(held // lanes - 1, IN), depth=layout.numbers.pipeline("reorder_load"))
    begun = layout.fifo(f"{name}.begun", 1, layout.numbers.depth("begun"))
    layout.stage(
        f"{name}.reorder",
        "reorder",
        [first, store, *[load, store] * (source.rows // rows - 1)],
        [values.name],
        [name, begun],
        owner,
        memories=[Memory("rows", held, source.bits, lanes)],
    )
    return result


def three_passes(
    layout: Layout,
    operator: Operator,
    source: Stream,
    name: str,
    *,
    depth: int | None = None,
    memories: Sequence[Memory] = (),
    prefix: str,
) -> Stream:
    """LayerNorm or softmax: a pass that reads a tile of rows, one that works on it, one that writes it."""
    result = layout.stream(replace(source, name=name, bits=operator.output_bits), depth)
    count = source.row_tokens
    layout.stage(
        prefix,
        operator.kind,
        [
            loop(
                Run(count, IN),
                Run(count),
                Run(count, (), OUT),
                repeats=source.tiles,
                depth=layout.numbers.pipeline(operator.kind),
            )
        ],
        [source.name],
        [name],
        Owner.of(operator),
        memories=memories,
    )
    return result


def lookup(layout: Layout, operator: Operator, source: Stream, entries: int) -> Stream:
    """Requantisation, with GeLU or without: a table, looked up value by value."""
    result = layout.stream(replace(source, name=operator.name, bits=operator.output_bits))
    lanes = source.tile * source.width
    layout.stage(
        operator.name,
        operator.kind,
        [loop(Run(source.tokens, IN, OUT), depth=layout.numbers.pipeline(operator.kind))],
        [source.name],
        [result.name],
        Owner.of(operator),
        memories=[Memory("table", entries, operator.output_bits, lanes, "table")],
    )
    return result


def copy(layout: Layout, source: Stream, names: Mapping[str, int | None], stage: str, owner: Owner) -> list[Stream]:
    """The same tokens into several FIFOs, by name with their depths."""
    results = [layout.stream(replace(source, name=name), depth) for name, depth in names.items()]
    layout.stage(
        stage,
        "copy",
        [
            loop(
                Run(source.tokens, IN, tuple(range(len(results)))),
                depth=layout.numbers.pipeline("copy"),
            )
        ],
        [source.name],
        list(names),
        owner,
    )
    return results


def split(layout: Layout, source: Stream, names: Sequence[str], stage: str, owner: Owner, depth: int) -> list[Stream]:
    """The channels of each head into a FIFO of its own."""
    heads = len(names)
    results = [layout.stream(replace(source, name=name, channels=source.channels // heads), depth) for name in names]
    runs = [Run(source.row_tokens // heads, IN, (head,)) for head in range(heads)]
    layout.stage(
        stage,
        "split",
        [loop(*runs, repeats=source.tiles, depth=layout.numbers.pipeline("split"))],
        [source.name],
        list(names),
        owner,
    )
    return results


def merge(layout: Layout, sources: Sequence[Stream], name: str, stage: str, owner: Owner) -> Stream:
    """The channels of all heads side by side."""
    first = sources[0]
    result = layout.stream(replace(first, name=name, channels=first.channels * len(sources)))
    runs = [Run(first.row_tokens, (head,), OUT) for head in range(len(sources))]
    layout.stage(
        stage,
        "merge",
        [loop(*runs, repeats=first.tiles, depth=layout.numbers.pipeline("merge"))],
        [source.name for source in sources],
        [name],
        owner,
    )
    return result


def add(layout: Layout, operator: Operator, residual: Stream, main: Stream, name: str) -> Stream:
    """The residual, rescaled, and the main branch, one token of each, to the next block."""
    result = layout.between_blocks(replace(main, name=name, bits=operator.output_bits))
    layout.stage(
        operator.name,
        "add",
        [loop(Run(main.tokens, (0, 1), OUT), depth=layout.numbers.pipeline("add"))],
        [residual.name, main.name],
        [name],
        Owner.of(operator),
    )
    return result


def select(layout: Layout, source: Stream, name: str, stage: str, owner: Owner) -> Stream:
    """The first row only: the class token."""
    result = layout.stream(replace(source, name=name, rows=1, tile=1))
    layout.stage(
        stage,
        "select",
        [
            loop(
                Run(source.row_tokens, IN, OUT),
                Run(source.tokens - source.row_tokens, IN),
                depth=layout.numbers.pipeline("select"),
            )
        ],
        [source.name],
        [name],
        owner,
    )
    return result
