"""The tables of a report, and numbers for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import EventTable

from ..readable import joules, many, seconds
from .energy import CAUSES
from .layout import BYTE, LONGER, REGIONS, ProjectionLayout
from .ledger import LEVELS, PHASES
from .plastic.footprints import Footprint
from .tokens import SPENT

if TYPE_CHECKING:
    from neuromorph.engine.tables import Table
    from neuromorph.network.synapses import Synapses

    from .report import SpiNNaker2Report

EXACT, ASSUMED = "exact count", "model with assumed constants"
COUNTED = "count; losses and lateness modelled"


def summary(report: SpiNNaker2Report) -> str:
    """One line: what, where, and how long this computer took."""
    m = report.mapping
    stages = ", ".join(f"{name} {value:.3g} s" for name, value in (report.seconds | m.seconds).items())
    return (
        f"{report.network} on {report.target}: {many(report.neurons, 'neuron')} and "
        f"{many(report.synapses, 'synapse')} on {many(report.pes, 'PE')} of {many(report.chips, 'chip')}; "
        f"this computer: {stages}"
    )


def tables(report: SpiNNaker2Report) -> list[Table]:
    """Title, head and rows of every table: the mapping's, and the run's if there was one."""
    found = [_mapping_table(report), _memory_table(report), _storage_table(report), _dram_table(report)]
    if report.totals is not None and report.totals.steps:
        found += [_run_table(report), _token_table(report), _energy_table(report), _population_table(report)]
        found += [_hot_table(report), _comparison_table(report)]
    return [table for table in found if table[2]]


def _mapping_table(report: SpiNNaker2Report) -> Table:
    m = report.mapping
    keys = m.routing.keys
    share = keys.extra / keys.copies if keys.copies else 0.0
    rows = [
        ("partition", f"{m.method}: {m.copies_per_spike:.3g} other PEs reached by each event", EXACT),
        (
            "fullest PE",
            f"{int(m.bytes.max()):,} of {m.layout.sram:,} B ({m.pe_name(int(m.bytes.argmax()))})",
            EXACT,
        ),
        ("neurons a PE", f"{int(m.held.sum(0).max())} at most, limit {m.layout.neurons_per_pe}", EXACT),
        (
            "key groups",
            f"{keys.n_groups:,} of {m.routing.exact_groups:,} exact; {share:.2%} needless copies",
            EXACT,
        ),
        (
            "router tables",
            f"{int(report.table_entries.max(initial=0)):,} of {m.machine.router_entries:,} entries on the fullest "
            f"chip ({int(m.routing.raw_entries.max(initial=0)):,} before minimisation)",
            EXACT,
        ),
        ("routes", f"{m.check.packets:,} keys walked, {m.check.deliveries:,} deliveries, all as required", EXACT),
    ]
    return "Mapping", ("", "", "kind"), [*rows, *_forecast_rows(report)]


def _forecast_rows(report: SpiNNaker2Report) -> list[tuple[str, str, str]]:
    c = report.mapping.machine.constants
    slowest = int(_silent_step(report).max())
    high = c.si("level.high.clock")
    return [
        ("forecast: silent step", f"{slowest:,} cycles on the busiest PE, {slowest / high * 1e6:.3g} us", ASSUMED),
        (
            "forecast: every neuron fires",
            f"{_full_step(report) / high * 1e3:.3g} ms on the busiest PE against a tick of "
            f"{report.deployed.clock.tick * 1e3:g} ms",
            ASSUMED,
        ),
    ]


def _silent_step(report: SpiNNaker2Report) -> npt.NDArray[np.float64]:
    """Cycles of each PE in a step without events: updates, what synapses do by themselves, values they look at."""
    costs, keys, c = report.deployed.costs, report.mapping.routing.keys, report.mapping.machine.constants
    parts, words = report.mapping.parts, np.zeros(keys.n_groups)
    words[costs.word_groups] = costs.words
    received: Any = np.bincount(keys.parts, np.repeat(words, np.diff(keys.ptr)) * costs.receive, parts)
    sent = np.bincount(keys.source, words, parts) * c.count("cycles.packet_send")
    return np.asarray(costs.update + report.deployed.plastic.cycles + received + sent, np.float64)


def _full_step(report: SpiNNaker2Report) -> float:
    """Cycles of the busiest PE in a step in which every neuron sends."""
    costs, keys, c = report.deployed.costs, report.mapping.routing.keys, report.mapping.machine.constants
    parts = report.mapping.parts
    members = np.bincount(keys.group[keys.group >= 0], minlength=keys.n_groups)
    heard = np.bincount(keys.parts, weights=np.repeat(members, np.diff(keys.ptr)), minlength=parts)
    sends = np.bincount(keys.source, weights=members, minlength=parts) * c.count("cycles.packet_send")
    answered = report.deployed.plastic.returned
    return float((_silent_step(report) + sends + heard * costs.service + answered).max())


def _memory_table(report: SpiNNaker2Report) -> Table:
    regions = report.mapping.regions
    full = regions[int(regions.sum(1).argmax())]
    rows = [
        (name, f"{int(regions[:, k].mean()):,}", f"{int(regions[:, k].max()):,}", f"{int(full[k]):,}")
        for k, name in enumerate(REGIONS)
        if regions[:, k].any()
    ]
    rows.append(("sum", f"{int(report.bytes.mean()):,}", f"{int(report.bytes.max()):,}", f"{int(full.sum()):,}"))
    return "Memory of a PE by region (bytes)", ("region", "mean", "largest", "on the fullest PE"), rows


def _storage_table(report: SpiNNaker2Report) -> Table:
    m = report.mapping
    rows = []
    for s in report.lowered.projections:
        form, look = m.layout.projections[s.index], m.layout.sources[s.pre]
        weight = f"{form.stored or _size(form.weight_bits)} weights" if form.weight_bits else "one weight"
        if isinstance(s, Footprint):
            weight = "for values that synapses look at" if s.seen else f"{s.fields} B of states and places"
        kind = {"dense": "dense rows", "sparse": "sparse rows", "kernel": "rows regenerated from kernels"}[form.kind]
        rows.append(
            (
                s.name,
                f"{s.count:,}",
                f"{kind}, {weight}",
                _each(s, form),
                f"{look.mode}, {look.entry_bytes} B",
            )
        )
    return "Synapses", ("projection", "synapses", "storage", "each", "look-up of a source"), rows


def _size(bits: int) -> str:
    """A number of bits, as bytes where it is whole ones."""
    return f"{bits} bits" if bits % BYTE else f"{bits // BYTE} B"


def _each(synapses: Synapses, form: ProjectionLayout) -> str:
    """Memory of a synapse; the mean where lengths vary."""
    if form.long_codes is None:
        return _size(form.word_bits)
    share = int(form.long_codes.sum()) / max(synapses.count, 1)
    return f"{form.word_bits + LONGER * share:.4g} bits ({1 - share:.0%} short codes)"


def _run_table(report: SpiNNaker2Report) -> Table:
    t, clock = report.run(), report.deployed.clock
    longest = float(report.step_times.max(initial=0))
    cycles = t.cycles.sum((0, 2))
    work = ", ".join(f"{name} {share:.0%}" for name, share in zip(PHASES, cycles / max(cycles.sum(), 1), strict=True))
    used = t.cycles.sum((1, 2))
    levels = ", ".join(f"{name} {u / max(used.sum(), 1):.0%}" for name, u in zip(LEVELS, used, strict=True))
    late = int(t.late_steps.sum())
    count = COUNTED if report.dropped or (clock.ticked and late) else EXACT
    rest = f", {seconds(t.behind)} of it after the last tick" if t.behind else ""
    rows = [
        ("steps", f"{t.steps:,}", EXACT),
        ("time on the machine", seconds(t.seconds) + rest, ASSUMED),
        ("a step", f"{seconds((t.seconds - t.behind) / t.steps)} on average, {seconds(longest)} at most", ASSUMED),
        (
            f"against the tick of {seconds(clock.tick)}",
            f"{many(late, 'PE-step')} longer, on {many(int((t.late_steps > 0).sum()), 'PE')}"
            + (" (steps start anyway: late PEs catch up)" if clock.ticked else " (the barrier waits)"),
            ASSUMED,
        ),
        ("cycles", f"{int(cycles.sum()):,}: {work}; level {levels}", ASSUMED),
        (
            "packets",
            f"{report.packets:,} sent, {report.sent:,} copies: {report.delivered:,} delivered, "
            f"{report.dropped:,} dropped",
            count,
        ),
        (
            "event FIFOs",
            f"{int(t.crowded.sum()):,} PE-steps brought more than {report.mapping.layout.options.fifo} packets: "
            + ("full FIFOs drop" if clock.dropping else "full FIFOs stall the network"),
            count,
        ),
        ("synaptic events", f"{report.synaptic_events:,}", count),
        ("energy", f"{joules(report.energy.total if report.energy else 0)}, {report.power:.3g} W", ASSUMED),
    ]  # fmt: skip
    if report.samples:
        rows.append((f"each of {report.samples:,} samples", ", ".join(_per_sample(report).values()), ASSUMED))
    return "Run", ("", "", "kind"), rows


def _per_sample(report: SpiNNaker2Report) -> dict[str, str]:
    t, n = report.run(), max(report.samples, 1)
    assert report.energy is not None
    return {
        "time": seconds(t.seconds / n),
        "energy": joules(report.energy.total / n),
        "packets": f"{report.packets / n:.4g} packets",
        "events": f"{report.synaptic_events / n:.4g} synaptic events",
    }


def per_sample_lines(report: SpiNNaker2Report) -> tuple[str, ...]:
    """Processing elements and memory, and time and energy of one sample of the batch, one line each."""
    of = _per_sample(report)
    used = int(report.bytes.max())
    return (
        f"PEs               {report.pes} of {many(report.chips, 'chip')}",
        f"memory            {used:,} bytes on the fullest PE, {int(report.bytes.sum()):,} in all",
        f"time              {of['time']} on the machine for each sample",
        f"energy            {of['energy']} for each sample",
        f"traffic           {of['packets']} and {of['events']} for each sample",
    )


def _dram_table(report: SpiNNaker2Report) -> Table:
    """Tables in DRAM; no rows without any."""
    m, c = report.mapping, report.mapping.machine.constants
    dram, rows = m.dram, []
    for k, population in enumerate(report.lowered.populations):
        if isinstance(population.replay, EventTable):
            each, held = int(dram.row_bytes[k].sum()), int((dram.row_bytes[k] > 0).sum())
            rows.append(
                (
                    f"{population.name}: {len(population.replay.table):,} rows of {population.size:,}",
                    f"{each * len(population.replay.table):,} B for {many(held, 'PE')}; a "
                    f"row is {each:,} B, there after {seconds(float(dram.wait[dram.row_bytes[k] > 0].max()))}",
                    "bytes exact; time a model with assumptions",
                )
            )
    if m.decoder is not None:
        rows.append(
            (
                f"decoder: {int(m.decoder.rows.sum()):,} rows",
                f"{int(m.decoder.table_bytes.sum()):,} B for {many(len(m.decoder.pes), 'PE')}",
                EXACT,
            )
        )
    if rows:
        busiest = int(dram.used.max())
        room = c.count("memory.dram_interfaces") * dram.capacity * m.machine.chips
        rows.append(
            ("in use", f"{dram.total:,} of {room:,} B, {busiest:,} of {dram.capacity:,} at one interface", EXACT)
        )
    return "LPDDR4", ("table", "", "kind"), rows


def _token_table(report: SpiNNaker2Report) -> Table:
    """Mean, spread and most of each token; what its time goes into."""
    tokens = report.tokens
    if tokens is None:
        return "", (), []

    def spread(name: str, values: npt.NDArray[Any], show: Callable[[float], str], kind: str) -> tuple[str, ...]:
        return name, show(float(values.mean())), show(float(values.std())), show(float(values.max())), kind

    rows = [spread("time", tokens.time, seconds, ASSUMED)]
    if tokens.depth:
        rows.append(spread(f"time through {tokens.depth + 1} steps", tokens.latency, seconds, ASSUMED))
    rows.append(spread("energy", tokens.energy, joules, ASSUMED))
    for title, columns in (("events", tokens.events), ("packets", tokens.packets)):
        rows += [
            spread(f"{title} of {name}", values, _short, EXACT) for name, values in columns.items() if values.any()
        ]
    rows.append(spread("copies of packets", tokens.copies, _short, EXACT))
    for title, columns in (("input", tokens.input_events), ("recurrent", tokens.recurrent_events)):
        named = ((f"{title} synaptic events of {name}", values) for name, values in columns.items())
        rows += [spread(name, values, _short, EXACT) for name, values in named if values.any()]
    rows += [
        spread(f"cycles: {name}", values, _short, ASSUMED) for name, values in tokens.cycles.items() if values.any()
    ]
    whole = float(tokens.time.sum())
    for name, values in tokens.spent.items():
        if values.any():
            bound = ", which bounds it" if name == tokens.bound else ""
            share = f"{float(values.sum()) / whole:.1%}"
            rows.append((f"time for {SPENT[name]}{bound}", share, "", "", ASSUMED))
    if report.decoder is not None:
        answers, decoder = report.decoder.decoding, report.decoder
        rows += [
            spread("decoder: bytes from LPDDR4", decoder.bytes[answers], _short, EXACT),
            spread("decoder: multiply-accumulates", decoder.macs[answers], _short, EXACT),
            spread("decoder: time", decoder.time[answers], seconds, ASSUMED),
            spread("decoder: of it LPDDR4", decoder.transfer[answers], seconds, ASSUMED),
            spread("decoder: of it the PEs", decoder.compute[answers], seconds, ASSUMED),
        ]
        assert report.energy is not None
        share = joules(sum(report.energy.decoder.values()) / max(int(answers.sum()), 1))
        rows.append(("decoder: energy", share, "", "", ASSUMED))
    title = f"A token, that is a step, once {tokens.depth} more have filled the pipeline" if tokens.depth else "A step"
    return f"{title} ({len(tokens):,} of them)", ("", "mean", "sd", "most", "kind"), rows


def _short(value: float) -> str:
    """A number for people."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _energy_table(report: SpiNNaker2Report) -> Table:
    energy = report.energy
    assert energy is not None
    total = energy.total or 1.0
    status = _status(report)
    rows = [(name, joules(value), f"{value / total:.1%}", status[name]) for name, value in energy.by_cause.items()]
    return "Energy by cause", ("cause", "energy", "share", "constants"), rows


def _population_table(report: SpiNNaker2Report) -> Table:
    energy, t = report.energy, report.run()
    assert energy is not None
    rows = [
        (p.name, f"{p.size:,}", f"{int((report.mapping.held[k] > 0).sum()):,}", f"{int(t.spikes[k].sum()):,}",
         joules(energy.by_population[p.name]))
        for k, p in enumerate(report.lowered.populations)
    ]  # fmt: skip
    rows += [
        (f"  {s.name}", f"{s.count:,} synapses", "", f"{int(t.synapses[s.index].sum()):,} events",
         f"({joules(energy.by_projection[s.name])})")
        for s in report.lowered.projections
    ]  # fmt: skip
    return (
        "Energy by population, and within it by incoming projection",
        ("name", "size", "PEs", "packets", "energy"),
        rows,
    )


def _hot_table(report: SpiNNaker2Report) -> Table:
    rows = [(name, f"{held:,} neurons", f"{cycles:,.0f} cycles a step") for name, held, cycles in report.hot_spots()]
    rows += [(name, "", f"{count:,} packets") for name, count in report.busy_links()]
    return "Hot spots", ("where", "", "load"), rows


def _comparison_table(report: SpiNNaker2Report) -> Table:
    rows = [(c.quantity, c.shown(c.value), c.published, c.verdict, c.source) for c in report.comparisons]
    return "Beside published figures", ("quantity", "here", "published", "difference", "source"), rows


def _status(report: SpiNNaker2Report) -> dict[str, str]:
    """How sure the constants behind each cause of energy are."""
    c = report.mapping.machine.constants
    clock = report.deployed.clock.level
    levels = LEVELS if clock == "auto" else (clock,)
    names = {
        "core": [f"level.{level}.energy_per_cycle" for level in levels]
        + [name for name, constant in c.items() if name.startswith("cycles.") and not constant.reference],
        "sleep": [f"level.{'high' if clock == 'high' else 'low'}.pe_asleep"],
        "noc": ["energy.noc_bit_hop", "energy.router_bit", "packet.header"],
        "links": ["energy.board_link_bit", "energy.long_link_bit", "power.long_link", "link.overhead"],
        "dram": ["energy.dram_bit"],
        "chip base": ["power.chip_base"],
    }
    return {cause: ", ".join(sorted({c[name].status for name in names[cause]})) for cause in CAUSES}
