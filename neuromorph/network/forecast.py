"""What building will take, before anything is built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type, nodes
from neuromorph.language.neuron import Neuron
from neuromorph.network.conduction import DistanceDelay
from neuromorph.network.distributions import Distribution
from neuromorph.network.rules.rule import Count, target_dtype
from neuromorph.network.sources import Lookup
from neuromorph.network.values import MAX_DELAY, dimension, magnitude, seconds
from neuromorph.units import NONE

if TYPE_CHECKING:
    from neuromorph.language.synapse import Synapse
    from neuromorph.network.network import Network
    from neuromorph.network.population import Population
    from neuromorph.network.projection import Projection
    from neuromorph.units import Quantity


@dataclass(frozen=True, slots=True)
class PopulationForecast:
    """What one population will take.

    Attributes
    ----------
    name, neuron : str
    size : int
    bytes_each : int
        Of each neuron: states and own parameters as lowered and as they run, and the sums that will arrive.
    """

    name: str
    neuron: str
    size: int
    bytes_each: int

    @property
    def nbytes(self) -> int:
        """Bytes of all its neurons."""
        return self.size * self.bytes_each


@dataclass(frozen=True, slots=True)
class ProjectionForecast:
    """What one projection will take.

    Attributes
    ----------
    name : str
    rule : str
    count : Count
        Synapses.
    target_bytes, weight_bytes, delay_bytes : int
        Of each synapse's own target, weight (or index into shared weights) and delay.
    fixed_bytes : int
        Row pointers and what is shared.
    """

    name: str
    rule: str
    count: Count
    target_bytes: int
    weight_bytes: int
    delay_bytes: int
    fixed_bytes: int

    @property
    def bytes_per_synapse(self) -> int:
        """Bytes that each synapse has of its own."""
        return self.target_bytes + self.weight_bytes + self.delay_bytes

    @property
    def nbytes(self) -> int:
        """Expected bytes of the built projection."""
        return round(self.count.mean) * self.bytes_per_synapse + self.fixed_bytes

    @property
    def peak(self) -> int:
        """Bytes that building it may take at once (4 sd above the mean)."""
        return self.count.high * self.bytes_per_synapse + self.fixed_bytes + self.count.transient


@dataclass(frozen=True, slots=True)
class Forecast:
    """What building a network will take.

    Attributes
    ----------
    network : str
    populations : tuple of PopulationForecast
    projections : tuple of ProjectionForecast
    available : int
        Bytes that this process can still get.
    """

    network: str
    populations: tuple[PopulationForecast, ...]
    projections: tuple[ProjectionForecast, ...]
    available: int

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return sum(p.size for p in self.populations)

    @property
    def neuron_bytes(self) -> int:
        """Bytes of all neurons: their states, own parameters and arriving sums."""
        return sum(p.nbytes for p in self.populations)

    @property
    def synapses(self) -> float:
        """Expected number of synapses."""
        return sum(p.count.mean for p in self.projections)

    @property
    def nbytes(self) -> int:
        """Expected bytes of the built network's synapses."""
        return sum(p.nbytes for p in self.projections)

    @property
    def peak(self) -> int:
        """Most bytes held at once: the neurons', while projections are built in order."""
        held = peak = self.neuron_bytes
        for p in self.projections:
            peak = max(peak, held + p.peak)
            held += p.count.high * p.bytes_per_synapse + p.fixed_bytes
        return peak

    @property
    def fits(self) -> bool:
        """Whether the peak is within what is available."""
        return self.peak <= self.available

    def require(self) -> None:
        """Raise if the network does not fit.

        Raises
        ------
        NetworkError
            Names the largest population or projection and what would make it smaller.
        """
        if self.fits:
            return
        parts: list[PopulationForecast | ProjectionForecast] = [*self.populations, *self.projections]
        largest = max(parts, key=lambda p: p.nbytes)
        raise NetworkError(
            f"network {self.network}: building takes {size(self.peak)}, {size(self.available)} are available; "
            f"{_share(largest)} of it. {_remedies(largest)}; compile(..., allow_memory=True) tries all the same",
            peak=self.peak,
            available=self.available,
            largest=largest.name,
        )

    def __str__(self) -> str:
        rows = [("projection", "rule", "synapses", "B each", "memory")]
        rows += [
            (p.name, p.rule, describe(p.count), str(p.bytes_per_synapse), size(p.nbytes)) for p in self.projections
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        lines = [
            "  ".join(
                cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        end = (
            f"{self.network}: {self.neurons:,} neurons in {size(self.neuron_bytes)}, {self.synapses:,.0f} synapses in "
            f"{size(self.nbytes)}; building peaks at {size(self.peak)} of {size(self.available)} available"
        )
        return "\n".join([*lines, end])

    def _repr_html_(self) -> str:
        from neuromorph.network.html import forecast_html

        return forecast_html(self)


def forecast(network: Network, dt: Quantity | float | None = None, dtype: str = "float32") -> Forecast:
    """Forecast what a network takes; ``dt`` decides how wide and long delays are (without it, times take 1 B)."""
    step = None if dt is None else seconds(dt)
    return Forecast(
        network.name,
        tuple(_population(p, network.projections, step, dtype) for p in network.populations),
        tuple(_projection(p, step, dtype) for p in network.projections),
        available_memory(),
    )


def _population(
    population: Population, projections: Sequence[Projection], dt: float | None, dtype: str
) -> PopulationForecast:
    neuron, width = population.neuron, np.dtype(dtype).itemsize
    states, own = len(neuron.states), 0
    if isinstance(neuron, Neuron):  # sources have values of their own, which exist already
        names = {s.name for s in neuron.states}
        own = sum(name not in names and each_has_own(value) for name, value in neuron.values)
    copied = neuron.rows * width if isinstance(neuron, Lookup) and neuron.table.itemsize != width else 0
    longest = max((_longest_delay(p, dt) for p in projections if p.post is population), default=1)
    slots = 1 << (longest - 1).bit_length()
    ring = sum(8 if port.type is Type.INT else width for port in neuron.ports) * slots
    each = (states + own) * (8 + 2 * width) + copied + ring + 9  # as lowered, initial and present; events of two steps
    return PopulationForecast(population.name, neuron.name, population.size, each)


def _longest_delay(projection: Projection, dt: float | None) -> int:
    """Longest delay in steps as far as it is known before building."""
    own = getattr(projection.rule, "delays", None)
    given = projection.delay if own is None else own
    if given is None:
        return 1
    if isinstance(given, DistanceDelay):
        high, is_time = given.longest(projection.pre, projection.post), True
    elif isinstance(given, Distribution):
        high, is_time = given.bounds[1], dimension(given) != NONE
    else:
        values = np.asarray(magnitude(given))
        high, is_time = float(values.max(initial=0)), dimension(given) != NONE
    steps = high if not is_time else 1.0 if dt is None else high / dt
    return int(min(max(steps, 1.0), MAX_DELAY)) if np.isfinite(steps) else 1


def _projection(projection: Projection, dt: float | None, dtype: str) -> ProjectionForecast:
    from neuromorph.network.builders.assemble import CHUNK, stored_dtype
    from neuromorph.network.builders.parallel import available_threads

    pre, post, rule = projection.pre, projection.post, projection.rule
    count = projection.count
    target = 0 if count.dense else np.dtype(target_dtype(post.size)).itemsize
    fixed = 0 if count.dense else 8 * (pre.size + 1)
    own, kernel = getattr(rule, "weights", None), getattr(rule, "kernel_size", None)
    weight = width = stored_dtype(projection, dtype).itemsize
    if kernel is not None:
        fixed += kernel * width
        weight = np.dtype(target_dtype(kernel)).itemsize
    elif not each_has_own(own if own is not None else projection.weight):
        fixed += width
        weight = 0
    given = getattr(rule, "delays", None)
    given = projection.delay if given is None else given
    delay = _delay_width(projection, given, dt)
    if not each_has_own(given):
        fixed += delay
        delay = 0
    if each_has_own(projection.weight) or delay:  # drawn and converted chunk by chunk, one on each thread
        count = replace(count, transient=count.transient + min(count.high, CHUNK * available_threads()) * 32)
    made = ProjectionForecast(projection.name, projection.rule_name, count, target, weight, delay, fixed)
    return made if projection.synapse is None else _plastic(projection, projection.synapse, made, dtype)


def _plastic(projection: Projection, synapse: Synapse, built: ProjectionForecast, dtype: str) -> ProjectionForecast:
    """What a projection takes whose synapses change: states, initial weights, and a list of the synapses by target."""
    pre, post, width = projection.pre, projection.post, np.dtype(dtype).itemsize
    own = [state for state in synapse.states if state.place == "synapse"]
    back = [path.name for path in synapse.paths if path.end == "post"]
    changes = [e for path in back for e in (*synapse.rules(path).values(), *synapse.gives(path).values())]
    sources = {state.name for state in synapse.states if state.place == "pre"}
    seen = any(n.payload in sources or str(n.payload).startswith("pre.") for n in nodes(*changes))
    by_target = (4 if changes else 0) + (np.dtype(target_dtype(pre.size)).itemsize if seen else 0)
    by_target += sum(4 for name, given in projection.delays.items() if each_has_own(given))
    given = dict(synapse.values)
    initial = width * sum(np.ndim(magnitude(given[s.name])) > 0 for s in own if s.name in given)
    initial += width if built.weight_bytes else 0
    neurons = sum({"pre": pre.size, "post": post.size}.get(state.place, 0) for state in synapse.states)
    # as built, weights are float64; synapses of several delays are sorted by them
    transient = built.count.high * (built.weight_bytes and 8) + built.count.high * 24 * bool(built.delay_bytes)
    return replace(
        built,
        count=replace(built.count, transient=built.count.transient + transient),
        target_bytes=np.dtype(target_dtype(post.size)).itemsize,
        weight_bytes=width * len(own) + initial + by_target,
        delay_bytes=0,
        fixed_bytes=8 * (pre.size + post.size + 2) + width * neurons,
    )


def each_has_own(given: Any) -> bool:
    """Whether every synapse has its own."""
    return isinstance(given, Distribution | DistanceDelay) or (given is not None and np.ndim(magnitude(given)) > 0)


def _delay_width(projection: Projection, given: Any, dt: float | None) -> int:
    from neuromorph.network.builders.assemble import own_width

    if given is None or (dt is None and (isinstance(given, DistanceDelay) or dimension(given) != NONE)):
        return 1
    if isinstance(given, Distribution | DistanceDelay):
        return own_width(projection, dt or 1.0).itemsize
    values = np.asarray(magnitude(given))
    if not values.size:
        return 1
    high = values.max() if dimension(given) == NONE else values.max() / (dt or 1.0)
    return 1 if high < 255.5 else 2


def _share(part: PopulationForecast | ProjectionForecast) -> str:
    if isinstance(part, PopulationForecast):
        return f"population {part.name} ({part.size:,} {part.neuron} of {part.bytes_each} B) takes {size(part.nbytes)}"
    return (
        f"projection {part.name} ({part.rule}, {describe(part.count)} synapses of {part.bytes_per_synapse} B) takes "
        f"{size(part.peak)}"
    )


def _remedies(p: PopulationForecast | ProjectionForecast) -> str:
    """What would make a population or projection smaller, and by how much."""
    if isinstance(p, PopulationForecast):
        return f"Half as many neurons save {size(p.nbytes / 2)}"
    remedies = []
    for each, what in ((p.weight_bytes, "weight"), (p.delay_bytes, "delay")):
        if each and not (what == "weight" and p.rule.startswith("Conv")):
            remedies.append(f"one {what} for all its synapses saves {size(p.count.high * each)}")
    remedies.append(f"half as many synapses save {size(p.count.high * p.bytes_per_synapse / 2)}")
    text = "; ".join(remedies)
    return text[0].upper() + text[1:]


def available_memory() -> int:
    """Bytes that this process can still get: what the system says is available, less under a control group's limit.

    Files that the group has read or written and that can be dropped from memory count as available.
    """
    found = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = meminfo.read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    group = Path("/sys/fs/cgroup")
    limit, used = group / "memory.max", group / "memory.current"
    try:
        if limit.exists() and (text := limit.read_text().strip()) != "max":
            cached = [
                line.split()[1]
                for line in group.joinpath("memory.stat").read_text().splitlines()
                if line.startswith("inactive_file ")
            ]
            found.append(max(0, int(text) - int(used.read_text()) + sum(map(int, cached))))
    except (OSError, ValueError):  # no right to look: the system's figure must do
        pass
    if not found and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found) if found else 1 << 62


def size(nbytes: float) -> str:
    """Bytes for people: ``1.6 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} TB"


def describe(count: Count) -> str:
    """A count for people: ``1,000`` or ``1,000 ± 30``."""
    return f"{count.mean:,.0f}" if count.exact else f"{count.mean:,.0f} ± {count.sd:,.0f}"
