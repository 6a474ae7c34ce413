"""Arrays in files: NumPy's, PyTorch's, safetensors, NIR graphs, traces and any other HDF5."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import FormatError, NeuromorphError
from neuromorph.formats.report.layers import Found, Layer, Skipped, layer, of_mapping

_HEADER = 100_000_000
"""Bytes that a header of safetensors may have, as its own reader has it."""
_SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BF16": "<u2", "BOOL": "?",
}  # fmt: skip
_INNER = ("state_dict", "model_state_dict", "model", "weights")
"""Where training scripts keep a model's state dict beside that of the optimiser."""


def read_layers(path: str | os.PathLike[str]) -> Found:
    """Read the arrays of a file, one at a time.

    Parameters
    ----------
    path : path
        ``.npy``, ``.npz``; ``.pt``, ``.pth``, ``.bin`` (a state dict that ``torch.save`` wrote; of a checkpoint, the
        model's part); ``.safetensors``; ``.nir`` (what the nodes hold); ``.h5``, ``.hdf5``, ``.net`` (of a trace, the
        values of events and recorded states; else every array).

    Raises
    ------
    FormatError
        If the file is not there, of another kind, or damaged.
    """
    file = Path(path)
    if not file.is_file():
        raise FormatError(f"{file}: {'is a folder' if file.is_dir() else 'no such file'}; give {KNOWN}")
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise FormatError(f"{file}: cannot read {file.suffix or 'a file without suffix'!r}; give {KNOWN}")
    return _checked(file, reader)


def _checked(path: Path, reader: Callable[[Path], Found]) -> Found:
    """What a reader finds; what is damaged may fail in any way, and does so here in one."""
    try:
        yield from reader(path)
    except (NeuromorphError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).split("\n", maxsplit=1)[0] or type(error).__name__
        raise FormatError(f"{path}: damaged, or not what its name says: {reason}") from error


def _numpy(path: Path) -> Found:
    opened = np.load(path, mmap_mode="r")
    if isinstance(opened, np.ndarray):
        yield layer(path.stem, opened, ints=True)
        return
    with opened:
        for name in opened.files:
            yield layer(name, opened[name])


def _torch(path: Path) -> Found:
    try:
        import torch

        from neuromorph.train import State
    except ImportError as error:
        raise FormatError(f"{path}: reading it needs PyTorch: pip install 'neuromorph[train]'") from error
    try:
        with torch.serialization.safe_globals([State]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # reading a damaged pickle may fail in any way
        reason = str(error).split("\n", maxsplit=1)[0]
        raise FormatError(
            f"{path}: damaged, or of other things than tensors and plain values ({reason}); of a module, save its "
            "state_dict()"
        ) from error
    if isinstance(content, Mapping):
        inner = next((content[name] for name in _INNER if isinstance(content.get(name), Mapping)), content)
        yield from of_mapping(inner)
    elif isinstance(content, list | tuple):
        yield from of_mapping(dict(enumerate(content)))
    else:
        yield layer(path.stem, content, ints=True)


def _safetensors(path: Path) -> Found:
    """8 bytes of length, a header in JSON, then the arrays (huggingface.co/docs/safetensors)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_HEADER, size - 8):
            raise FormatError(f"{path}: not a safetensors file, or cut off: a header of {length} bytes in {size}")
        try:
            header = json.loads(file.read(length))
            entries = {name: _entry(each) for name, each in header.items() if name != "__metadata__"}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"{path}: its header is not that of a safetensors file: {error!r}") from error
    data = np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else np.zeros(0, np.uint8)
    for name, (kind, shape, begin, end) in entries.items():
        if kind not in _SAFETENSORS:
            yield Skipped(name, f"{kind}, not a type that NumPy has")
            continue
        dtype = np.dtype(_SAFETENSORS[kind])
        needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if not 0 <= begin <= end <= data.size or end - begin != needed:
            raise FormatError(
                f"{path}: {name}: {kind} {shape} takes {needed} bytes, the header gives it {begin} to {end} of "
                f"{data.size}; the file is damaged or cut off"
            )
        values = np.frombuffer(data[begin:end].tobytes(), dtype).reshape(shape)
        yield layer(name, (values.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else values)


def _entry(each: Mapping[str, Any]) -> tuple[str, tuple[int, ...], int, int]:
    begin, end = each["data_offsets"]
    shape = tuple(int(n) for n in each["shape"])
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return str(each["dtype"]), shape, int(begin), int(end)


def _nir(path: Path) -> Found:
    from neuromorph.interchange.nir.file import read_graph

    graph, _ = read_graph(path)
    for node in graph.nodes.values():
        for name, value in node.values.items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim:  # ints are shapes
                yield layer(f"{node.name}.{name}", value)


def _hdf5(path: Path) -> Found:
    import h5py

    from neuromorph.trace.layout import is_trace

    if is_trace(os.fspath(path)):
        yield from _trace(path)
        return
    with h5py.File(path) as file:
        for name in _datasets(file):
            yield layer(name.replace("/", "."), file[name][()])


def _datasets(file: Any) -> list[str]:
    """Names of the arrays of numbers; links to other files are not followed."""
    import h5py

    names: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.shape:
            names.append(name)

    file.visititems(visit)
    return names


def _trace(path: Path) -> Iterator[Layer | Skipped]:
    from neuromorph.trace import Trace

    with Trace(path) as trace:
        for population in trace.recorded_events:
            values = trace.events(population).values
            if values is None:
                yield Skipped(f"{population} (events)", "spikes: every value is 1")
            else:
                yield layer(f"{population} (events)", values, ints=True)
        for population, variable in trace.recorded_states:
            yield layer(f"{population}.{variable}", np.asarray(trace.state(population, variable)[:]), ints=True)


_READERS: dict[str, Callable[[Path], Found]] = {
    **dict.fromkeys((".npy", ".npz"), _numpy),
    **dict.fromkeys((".pt", ".pth", ".bin"), _torch),
    ".safetensors": _safetensors,
    ".nir": _nir,
    **dict.fromkeys((".h5", ".hdf5", ".net"), _hdf5),
}
KNOWN = "arrays (.npy, .npz), a state dict (.pt, .safetensors), a NIR graph (.nir) or HDF5 (.h5)"
