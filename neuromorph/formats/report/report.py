"""What number formats make of arrays: bits, bytes and errors, layer by layer and in all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError
from neuromorph.formats import Int, NumberFormat, Spark, Statistics, kept_scale, statistics
from neuromorph.formats.report.choose import read_formats
from neuromorph.formats.report.layers import Layer, Skipped, layers_of
from neuromorph.formats.report.text import table
from neuromorph.units import Quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAGNITUDES = 256
"""Steps into which sizes of values are sorted: those of SPARK's 8 bits."""
_CHUNK = 1 << 18


@dataclass(frozen=True)
class LayerBits:
    """One array under every format.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
        As it is kept now.
    count : int
        Number of values.
    nbytes : int
        Bytes as it is kept now.
    largest : float
        max|x|.
    formats : dict of str to Statistics
    sizes : int64 (256,)
        How many values have ``rint(255 |x| / largest)`` = 0 .. 255.
    errors : dict of str to float64 (256,)
        Sum of ``|x - decoded|`` over the values of each of these sizes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    nbytes: int
    largest: float
    formats: Mapping[str, Statistics]
    sizes: npt.NDArray[np.int64]
    errors: Mapping[str, npt.NDArray[np.float64]]

    def relative(self, error: float) -> float:
        """An error as a part of the largest value; 0 where all values are."""
        return error / self.largest if self.largest else 0.0


@dataclass(frozen=True)
class Total:
    """All layers together under one format. Errors are relative to the largest value of their layer.

    Attributes
    ----------
    count : int
    short_share, lossy_share : float
        Of all values, as in :class:`Statistics`.
    mean_error, max_error : float
        The mean over all values, and the largest.
    bits_per_value : float
    payload_bytes : int
    """

    count: int
    short_share: float
    lossy_share: float
    mean_error: float
    max_error: float
    bits_per_value: float
    payload_bytes: int


@dataclass(frozen=True)
class BitsReport:
    """What :func:`bits_report` found. ``print`` it, keep it as JSON, or plot it.

    Attributes
    ----------
    subject : str
    formats : tuple of str
        Their names; the first is told in full.
    layers : tuple of LayerBits
    skipped : tuple of Skipped
        What was left out, and why.
    """

    subject: str
    formats: tuple[str, ...]
    layers: tuple[LayerBits, ...]
    skipped: tuple[Skipped, ...] = ()

    def __getitem__(self, name: str) -> LayerBits:
        """The layer of this name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"{name}; there are {', '.join(layer.name for layer in self.layers)}")

    def total(self, name: str | None = None) -> Total:
        """All layers under one format, by default the first."""
        chosen = self.formats[0] if name is None else name
        parts = [(layer, layer.formats[chosen]) for layer in self.layers]
        count = sum(layer.count for layer in self.layers)

        def mean(values: Sequence[float]) -> float:
            return math.fsum(x * layer.count for x, layer in zip(values, self.layers, strict=True)) / count

        return Total(
            count,
            mean([found.short_share for _, found in parts]),
            mean([found.lossy_share for _, found in parts]),
            mean([layer.relative(found.mean_error) for layer, found in parts]),
            max(layer.relative(found.max_error) for layer, found in parts),
            mean([found.bits_per_value for _, found in parts]),
            sum(found.payload_bytes for _, found in parts),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values: everything but the distribution of sizes. An SQNR without any error is None."""
        layers = [
            {
                "name": layer.name,
                "shape": list(layer.shape),
                "dtype": layer.dtype,
                "count": layer.count,
                "bytes": layer.nbytes,
                "largest": layer.largest,
                "formats": {name: _plain(asdict(found)) for name, found in layer.formats.items()},
            }
            for layer in self.layers
        ]
        total = {name: _plain(asdict(self.total(name))) for name in self.formats}
        skipped = [asdict(each) for each in self.skipped]
        return {"subject": self.subject, "layers": layers, "total": total, "skipped": skipped}

    def to_json(self) -> str:
        """:meth:`as_dict` as JSON."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw code lengths by layer, sizes of values, and the mean error that each size meets.

        Parameters
        ----------
        path : path, optional
            Where to write it; the suffix decides the kind of file.

        Raises
        ------
        FormatError
            If matplotlib is not installed.
        """
        from neuromorph.formats.report.plot import draw

        return draw(self, path)

    def __str__(self) -> str:
        return table(self)


def bits_report(
    source: Any,
    formats: str | Sequence[str | NumberFormat] = ("spark", "int8", "int4", "float32"),
    *,
    per_channel: bool | int = False,
    only: str | None = None,
    dt: Quantity | None = None,
    name: str | None = None,
) -> BitsReport:
    """Put arrays into number formats, and say what that takes and what it changes.

    Parameters
    ----------
    source : array, tensor, Network, torch.nn.Module, mapping, or what ``read_layers(path)`` gives
        See :func:`neuromorph.formats.report.layers_of`. Arrays that are no real numbers, hold a single number, nothing,
        or nan or infinity are left out and listed.
    formats : sequence of str or NumberFormat
        Names as :func:`neuromorph.formats.report.read_formats` knows them, or formats. The first is told in full.
    per_channel : bool or int
        One scale for each output instead of one for a layer, wherever it has more than one axis. An int: the axis of
        outputs, where it is not the usual one (the second of a projection's matrix, else the first).
    only : str, optional
        Pattern that names must match, such as ``"*.weight"``.
    dt : Quantity, optional
        Step of a network whose delays are times; default: 1 ms.
    name : str, optional
        Of the report; default: the network's, else the type of ``source``.

    Raises
    ------
    FormatError
        If a format is unknown or nothing is left to report.
    NetworkError
        If a network cannot be built.
    """
    chosen = read_formats(formats)
    subject = name or getattr(source, "name", None) or type(source).__name__
    found: list[LayerBits] = []
    skipped: list[Skipped] = []
    names: list[str] = []
    for each in layers_of(source, dt):
        names.append(each.name)
        if only is not None and not fnmatchcase(each.name, only):
            continue
        if isinstance(each, Skipped):
            skipped.append(each)
        else:
            found.append(_measured(each, chosen, per_channel))
    if not found:
        why = "; ".join(map(str, skipped[:5])) or (
            f"none matches {only!r}; there are {', '.join(names)}" if names else "none at all"
        )
        raise FormatError(f"{subject}: holds no array of numbers to report: {why}", skipped=tuple(skipped))
    return BitsReport(str(subject), tuple(chosen), tuple(found), tuple(skipped))


def _measured(layer: Layer, formats: Mapping[str, NumberFormat], per_channel: bool | int) -> LayerBits:
    values, axis = layer.values, _axis(layer, per_channel)
    largest = max(float(values.max()), -float(values.min()))
    sizes = _sizes(values.reshape(-1), largest)
    found, errors = {}, {}
    for name, form in formats.items():
        each = _with_kept_scale(form, values, axis)
        stored = _stored(values, each)
        try:
            found[name] = statistics(each, stored, axis)
            errors[name] = _errors(stored, each.encode(stored, axis=axis).decode(), sizes)
        except FormatError as error:
            raise FormatError(f"{layer.name}: {error}") from error
    counts = np.bincount(sizes, minlength=MAGNITUDES)
    return LayerBits(
        layer.name, values.shape, str(values.dtype), values.size, values.nbytes, largest, found, counts, errors
    )


def _stored(values: npt.NDArray[Any], form: NumberFormat) -> npt.NDArray[Any]:
    """Ints that a format has as levels stay such; others are floats, which it scales."""
    if values.dtype.kind == "f" or not isinstance(form, Spark | Int) or form.scale != "absmax":
        return values
    low = form.low - isinstance(form, Int)
    return values if low <= values.min() and values.max() <= form.high else values.astype(np.float64)


def _with_kept_scale(form: NumberFormat, values: npt.NDArray[Any], axis: int | None) -> NumberFormat:
    """SPARK with the scale by which the values are its numbers already, if there is one, as targets store weights."""
    if axis is not None or values.dtype.kind != "f" or not values.ndim:
        return form
    if not isinstance(form, Spark) or form.scale != "absmax" or form.sign != "plane":
        return form
    scale = kept_scale(values, form.rounding)
    return form if scale is None else replace(form, scale=scale)


def _sizes(values: npt.NDArray[Any], largest: float) -> npt.NDArray[np.uint8]:
    """``rint(255 |x| / largest)`` of each, chunk by chunk."""
    sizes = np.zeros(values.size, np.uint8)
    for start in range(0, values.size if largest else 0, _CHUNK):
        part = slice(start, start + _CHUNK)
        sizes[part] = np.rint(np.abs(values[part].astype(np.float64)) / largest * (MAGNITUDES - 1))
    return sizes


def _errors(
    values: npt.NDArray[Any], decoded: npt.NDArray[Any], sizes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Sum of ``|value - decoded|`` for each size, in float64, chunk by chunk."""
    sums = np.zeros(MAGNITUDES)
    flat, back = values.reshape(-1), decoded.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        away = np.abs(flat[part].astype(np.float64) - back[part])
        sums += np.bincount(sizes[part], away, MAGNITUDES)
    return sums


def _axis(layer: Layer, per_channel: bool | int) -> int | None:
    if per_channel is False or layer.channels is None:
        return None
    return layer.channels if per_channel is True else per_channel


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in values.items()}
