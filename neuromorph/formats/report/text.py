"""A report as text: one table of the format that it is about, one that sets the formats side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuromorph.formats.report.report import BitsReport

_NAME = 44
"""Characters of a layer's name that are shown."""
_SKIPPED = 10
"""Arrays without a report that are listed."""


def table(report: BitsReport) -> str:
    """Both tables and what was left out; errors are in percent of the largest value of their layer."""
    first = report.formats[0]
    many = len(report.layers)
    lines = [f"{report.subject}: {report.total().count:,} numbers in {many:,} array{'s' * (many > 1)}", ""]
    lines += _aligned(list(_code(report, first)))
    if len(report.formats) > 1:
        lines += ["", *_aligned(list(_beside(report)))]
    if report.skipped:
        lines += ["", "left out:"]
        lines += [f"  {each}" for each in report.skipped[:_SKIPPED]]
        lines += [f"  ... and {len(report.skipped) - _SKIPPED} more"] * (len(report.skipped) > _SKIPPED)
    return "\n".join(lines)


def _code(report: BitsReport, name: str) -> Iterator[tuple[str, ...]]:
    yield (
        name,
        "shape",
        "short",
        "lossy",
        "mean error",
        "largest error",
        "SQNR, dB",
        "of the code",
        "bits/value",
        "bytes",
    )
    for layer in report.layers:
        found = layer.formats[name]
        yield (
            _clipped(layer.name),
            "x".join(map(str, layer.shape)),
            _percent(found.short_share),
            _percent(found.lossy_share),
            _percent(layer.relative(found.mean_error)),
            _percent(layer.relative(found.max_error)),
            decibels(found.sqnr_db),
            decibels(found.code_sqnr_db),
            f"{found.bits_per_value:.2f}",
            f"{found.payload_bytes:,}",
        )
    if len(report.layers) > 1:
        total = report.total(name)
        yield (
            "all",
            "",
            _percent(total.short_share),
            _percent(total.lossy_share),
            _percent(total.mean_error),
            _percent(total.max_error),
            "",
            "",
            f"{total.bits_per_value:.2f}",
            f"{total.payload_bytes:,}",
        )


def _beside(report: BitsReport) -> Iterator[tuple[str, ...]]:
    yield ("bytes (SQNR, dB)", "as it is", *report.formats)
    for layer in report.layers:
        found = [layer.formats[name] for name in report.formats]
        cells = [f"{each.payload_bytes:,} ({decibels(each.sqnr_db)})" for each in found]
        yield (_clipped(layer.name), f"{layer.nbytes:,} {layer.dtype}", *cells)
    if len(report.layers) > 1:
        kept = sum(layer.nbytes for layer in report.layers)
        yield ("all", f"{kept:,}", *(f"{report.total(name).payload_bytes:,}" for name in report.formats))


def decibels(value: float) -> str:
    """An SQNR; one that is infinite is of numbers that the format has."""
    return f"{value:.1f}" if math.isfinite(value) else "exact"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%" if 0 < share < 0.01 else f"{100 * share:.1f}%"


def _clipped(name: str) -> str:
    return name if len(name) <= _NAME else "..." + name[3 - _NAME :]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
