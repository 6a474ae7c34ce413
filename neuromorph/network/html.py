"""What a population, a projection, a network and a forecast look like in a notebook: short, however large they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from neuromorph.network.drawing import network_svg
from neuromorph.network.population import describe_shape, port_names

if TYPE_CHECKING:
    from neuromorph.network.forecast import Forecast
    from neuromorph.network.network import Network
    from neuromorph.network.population import Population
    from neuromorph.network.projection import Projection

MAX_ROWS = 20
DRAWN = 12


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table of at most ``MAX_ROWS`` rows that says how many it leaves out."""
    lines = ["<table><thead>", _row("th", head), "</thead><tbody>"]
    lines += [_row("td", row) for row in rows[:MAX_ROWS]]
    if len(rows) > MAX_ROWS:
        lines.append(f'<tr><td colspan="{len(head)}">and {len(rows) - MAX_ROWS:,} more</td></tr>')
    return "".join([*lines, "</tbody></table>"])


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"


def _short(value: object, limit: int = 60) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def population_html(population: Population) -> str:
    """Name, size, neuron and ports."""
    rows = [
        ("neuron", population.neuron.name),
        ("neurons", describe_shape(population)),
        ("ports", ", ".join(port_names(population)) or "none"),
        ("ids", f"{population.first_id:,} to {population.first_id + population.size - 1:,}"),
    ]
    return f"<div><b>population {escape(population.name)}</b>{table(('', ''), rows)}</div>"


def projection_html(projection: Projection) -> str:
    """Ends, rule, weight and delay."""
    from neuromorph.network.forecast import describe

    rows = [
        ("from", projection.pre.name),
        ("to", f"{projection.post.name}.{projection.port}"),
        ("rule", _short(projection.rule)),
        ("synapses", describe(projection.count)),
        ("weight", _weight(projection)),
        ("delay", "1 step" if projection.delay is None else _short(projection.delay)),
    ]
    if projection.synapse is not None:
        rows.append(("synapse", _short(projection.synapse)))
    if projection.third is not None:
        rows.append(("third factor", projection.third.name))
    return f"<div><b>projection {escape(projection.name)}</b>{table(('', ''), rows)}</div>"


def _weight(projection: Projection) -> str:
    own, factor = getattr(projection.rule, "weights", None) is not None, projection.weight
    if factor is None:
        return "the rule's" if own else "1"
    return f"the rule's times {_short(factor)}" if own else _short(factor)


def network_html(network: Network) -> str:
    """A drawing if it is small, and what it consists of."""
    populations = [(p.name, p.neuron.name, describe_shape(p)) for p in network.populations]
    projections = [
        (j.pre.name, f"{j.post.name}.{j.port}", j.rule_name, "" if j.synapse is None else j.synapse.name)
        for j in network.projections
    ]
    projections += [(r.pre.name, f"{r.post.name}.{r.port}", f"reads {r.variable}", "") for r in network.readings]
    parts = [f"<div><b>{escape(repr(network)[1:-1])}</b>"]
    if 0 < len(populations) <= DRAWN:
        parts.append(network_svg(network))
    parts.append(table(("population", "neuron", "size"), populations))
    if projections:
        parts.append(table(("from", "to", "rule", "synapse"), projections))
    return "".join([*parts, "</div>"])


def forecast_html(forecast: Forecast) -> str:
    """One row for each projection, and the sum."""
    from neuromorph.network.forecast import describe, size

    rows = [(p.name, p.rule, describe(p.count), str(p.bytes_per_synapse), size(p.nbytes)) for p in forecast.projections]
    end = str(forecast).splitlines()[-1]
    return f"<div>{table(('projection', 'rule', 'synapses', 'bytes each', 'memory'), rows)}<p>{escape(end)}</p></div>"
