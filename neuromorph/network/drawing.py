"""A small network as a drawing: populations in columns by how far they are from a source."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuromorph.network.network import Network

BOX = (110, 40)
GAP = (70, 24)
MARGIN = 30


def columns(network: Network) -> list[int]:
    """Column of each population: its distance from the populations that nothing reaches, breadth first."""
    forward: dict[int, list[int]] = {}
    reached = set()
    for pre, post in _pairs(network):
        if pre != post:
            forward.setdefault(pre, []).append(post)
            reached.add(post)
    column = [-1] * len(network.populations)
    for start in sorted(range(len(column)), key=lambda k: (k in reached, k)):
        if column[start] >= 0:
            continue
        column[start] = 0
        queue = [start]
        for here in queue:
            for there in forward.get(here, ()):
                if column[there] < 0:
                    column[there] = column[here] + 1
                    queue.append(there)
    return column


def _pairs(network: Network) -> list[tuple[int, int]]:
    """Which populations send something to which, or are seen by them."""
    sent = [(j.pre.index, j.post.index) for j in network.projections]
    return sent + [(r.pre.index, r.post.index) for r in network.readings]


def network_svg(network: Network) -> str:
    """Boxes for populations, arrows for projections, as inline SVG."""
    column = columns(network)
    filled: dict[int, int] = {}
    corner = []
    for c in column:
        row = filled.get(c, 0)
        filled[c] = row + 1
        corner.append((MARGIN + c * (BOX[0] + GAP[0]), MARGIN + row * (BOX[1] + GAP[1])))
    width = 2 * MARGIN + (max(column) + 1) * (BOX[0] + GAP[0]) - GAP[0]
    height = 2 * MARGIN + max(filled.values()) * (BOX[1] + GAP[1]) - GAP[1]
    marker = f"tip-{id(network):x}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="display:block" '
        'font-family="sans-serif" font-size="11" fill="none" stroke="currentColor">',
        f'<defs><marker id="{marker}" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,1 L7,4 L0,7"/></marker></defs>',
    ]
    parts += [
        f'<path d="{_arrow(corner, *pair)}" opacity="0.6" marker-end="url(#{marker})"/>'
        for pair in dict.fromkeys(_pairs(network))
    ]
    for p, (x, y) in zip(network.populations, corner, strict=True):
        middle = x + BOX[0] / 2
        parts.append(f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>')
        for line, text in ((17, p.name), (32, f"{p.size:,} {p.neuron.name}")):
            short = text if len(text) <= 18 else text[:17] + "…"
            parts.append(
                f'<text x="{middle}" y="{y + line}" text-anchor="middle" fill="currentColor" stroke="none">'
                f"{escape(short)}</text>"
            )
    return "".join([*parts, "</svg>"])


def _arrow(corner: list[tuple[int, int]], pre: int, post: int) -> str:
    """A curve from box to box, a loop above one box, an arc below on the way back."""
    (x1, y1), (x2, y2) = corner[pre], corner[post]
    half = BOX[1] / 2
    if pre == post:
        return f"M{x1 + 70},{y1} C{x1 + 80},{y1 - 26} {x1 + 30},{y1 - 26} {x1 + 40},{y1}"
    if x2 > x1:
        bend = (x2 - x1 - BOX[0]) / 2
        start, end = x1 + BOX[0], x2
        return f"M{start},{y1 + half} C{start + bend},{y1 + half} {end - bend},{y2 + half} {end},{y2 + half}"
    if x2 == x1:
        side = x1 + BOX[0]
        return f"M{side},{y1 + half + 6} C{side + 35},{y1 + half} {side + 35},{y2 + half} {side},{y2 + half - 6}"
    low = max(y1, y2) + BOX[1] + 18
    return f"M{x1 + 50},{y1 + BOX[1]} C{x1 + 30},{low} {x2 + 80},{low} {x2 + 60},{y2 + BOX[1]}"
