"""Energy of a run on crossbars: every counted action times its price, by component, matrix and population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ...constants import Constant, Constants
from ..machine.adc_fit import adc_energy
from ..reads.ledger import MOST_BITS, Counts
from .neuron_work import WORD, NeuronWork
from .travel import travel

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from ..plan.plan import Plan

Float64 = npt.NDArray[np.float64]

COMPONENTS = (
    "cells",
    "drivers",
    "arrays",
    "sensing",
    "ADCs",
    "comparators",
    "digital sums",
    "buffers",
    "network",
    "neurons",
    "static",
)
"""cells: current through them; drivers: DACs and row wires; arrays: what a read takes whatever is in it; sensing:
holding and integrating columns; digital sums: slices, phases and partial sums; network: mesh hops and links between
chips; neurons: their step programs; static: power that is drawn all the time."""

STATUSES = ("published", "derived", "assumption")
"""How sure a number is, the surest first."""


@dataclass(frozen=True, eq=False)
class Term:
    """One kind of action with its price.

    Attributes
    ----------
    component : str
        One of :data:`COMPONENTS`.
    price : Constant
        The number that it rests on, with its source and status; where there are several, the least sure.
    joules : float64 (matrices,)
        Of each matrix; for neurons (populations,), for static power (1,).
    """

    component: str
    price: Constant
    joules: Float64


@dataclass(frozen=True, eq=False)
class Energy:
    """Joules of a run.

    Attributes
    ----------
    terms : tuple of Term
    matrices, populations : tuple of str
    """

    terms: tuple[Term, ...]
    matrices: tuple[str, ...]
    populations: tuple[str, ...]

    @property
    def total(self) -> float:
        """Everything together."""
        return float(sum(term.joules.sum() for term in self.terms))

    @property
    def by_component(self) -> dict[str, float]:
        """Joules of each of :data:`COMPONENTS`."""
        found = dict.fromkeys(COMPONENTS, 0.0)
        for term in self.terms:
            found[term.component] += float(term.joules.sum())
        return found

    @property
    def by_matrix(self) -> Float64:
        """Joules of each matrix by component, float64 (matrices, components); neurons and static power are in none."""
        found = np.zeros((len(self.matrices), len(COMPONENTS)))
        for term in self.terms:
            if term.component not in ("neurons", "static"):
                found[:, COMPONENTS.index(term.component)] += term.joules
        return found

    @property
    def by_population(self) -> dict[str, float]:
        """Joules of each population's digital neurons."""
        own = [term.joules for term in self.terms if term.component == "neurons"]
        sums = np.sum(own, axis=0) if own else np.zeros(len(self.populations))
        return dict(zip(self.populations, map(float, sums), strict=True))

    @property
    def by_status(self) -> dict[str, float]:
        """Joules by how sure their prices are: published, derived, assumption."""
        found = dict.fromkeys(STATUSES, 0.0)
        for term in self.terms:
            found[term.price.status] += float(term.joules.sum())
        return found

    @property
    def assumptions(self) -> tuple[tuple[Constant, float], ...]:
        """Assumed prices that carry some of it, with their joules, the heaviest first."""
        sums: dict[str, float] = {}
        prices = {term.price.name: term.price for term in self.terms if term.price.status == "assumption"}
        for term in self.terms:
            if term.price.name in prices:
                sums[term.price.name] = sums.get(term.price.name, 0.0) + float(term.joules.sum())
        heaviest = sorted(sums.items(), key=lambda item: -item[1])
        return tuple((prices[name], joules) for name, joules in heaviest if joules > 0.0)


def energy(
    counts: Counts, plan: Plan, *, work: Sequence[NeuronWork] | None = None, seconds: float | None = None
) -> Energy:
    """Energy of the actions that a run counted.

    Parameters
    ----------
    counts : Counts
    plan : Plan
        On the machine that has the prices.
    work : sequence of NeuronWork, optional
        Of each population (:func:`~.neuron_work.neuron_work`); without it, neurons cost nothing.
    seconds : float, optional
        For which static power is drawn (:func:`~.timing.latency`); without it, none is.

    Raises
    ------
    MappingError
        If the machine has no prices (the ideal one).

    Notes
    -----
    Cells: the sum of conductance times code, from what the cells hold, times the square of the read voltage and the
    time for which a unit of code conducts. For DACs that make voltages this is an upper bound, since their energy goes
    with the square of the code. Drivers: a DAC of kind "pulse" pays for a pulse of each bit of a digit, the others for
    one voltage or one pulse. ADCs: see :func:`conversion_energies`.
    """
    machine = plan.machine
    require_prices(machine)
    return Energy(tuple(_terms(counts, plan, machine, work, seconds)), counts.matrices, counts.populations)


def require_prices(machine: CrossbarMachine) -> None:
    """Raise a MappingError if a machine's file does not tell what actions cost."""
    if not machine.priced:
        raise MappingError(
            f"crossbar machine {machine.name} has no prices: energy, time and area are told for real machines, such as "
            "isaac or hermes, or for a file of your own with sections energy, power, time and area",
            machine=machine.name,
        )


def _terms(
    n: Counts, plan: Plan, machine: CrossbarMachine, work: Sequence[NeuronWork] | None, seconds: float | None
) -> Iterator[Term]:
    c = machine.constants
    bits, units = digit_means(n, machine)
    conducted = _weakest(c, "time.pulse", "cell.read_voltage", "cell.g_max")
    # A spike is the only code of its kind: a DAC that makes voltages drives it with the highest.
    louder = (2.0**machine.dac.bits - 1.0) / units if machine.dac.kind == "level" and machine.dac.bits else 1.0
    yield Term("cells", conducted, n.code_sum * louder * (machine.v_read**2 * c.si("time.pulse")))
    pulses = bits if machine.dac.kind == "pulse" else np.ones(len(bits))
    yield _priced(c, "drivers", "energy.row_pulse", n.row_pulses * pulses)
    yield _priced(c, "arrays", "energy.read", n.reads)
    yield _priced(c, "arrays", "energy.read_bit", n.reads * bits)
    sensed = n.conversions.sum(axis=1) + n.comparisons
    yield _priced(c, "sensing", "energy.sense_bit", sensed * bits)
    yield _priced(c, "sensing", "energy.sense_code", sensed * units)
    whole, of_bits = n.conversions.copy(), conversion_energies(machine)
    whole[:, [b for b in range(1, MOST_BITS + 1) if b != c.count("adc.bits")]] = 0
    yield Term("ADCs", c["energy.adc"], whole @ of_bits)
    yield Term("ADCs", _weakest(c, "energy.adc", "adc.scaling"), (n.conversions - whole) @ of_bits)
    yield _priced(c, "comparators", "energy.comparison", n.comparisons)
    yield _priced(c, "comparators", "energy.comparator_pulse", n.pulses)
    yield _priced(c, "digital sums", "energy.shift_add", n.shift_adds)
    yield _priced(c, "digital sums", "energy.partial_add", n.partial_adds)
    yield _priced(c, "buffers", "energy.input_bit", n.input_bits)
    yield _priced(c, "buffers", "energy.output_bit", n.output_bits)
    ways = travel(plan)
    yield _priced(c, "network", "energy.hop_bit", n.input_bits * ways.input_hops + n.output_bits * ways.output_hops)
    yield _priced(c, "network", "energy.link_bit", n.input_bits * ways.input_links + n.output_bits * ways.output_links)
    if work is not None:
        for name, each in (
            ("add", [w.additions for w in work]),
            ("multiply", [w.multiplications for w in work]),
            ("register_bit", [w.words * WORD for w in work]),
        ):
            yield _priced(c, "neurons", f"energy.{name}", n.neuron_updates * np.array(each, np.float64))
    if seconds is not None:
        tiles = len(np.unique(plan.tile_of_array))
        for name, number in (("array", plan.arrays), ("tile", tiles), ("chip", plan.chips)):
            yield _priced(c, "static", f"power.{name}", np.array([number * seconds]))


def _priced(c: Constants, component: str, name: str, actions: npt.NDArray[np.int64] | Float64) -> Term:
    return Term(component, c[name], np.asarray(actions * c.si(name), np.float64))


def _weakest(c: Constants, *names: str) -> Constant:
    """The one of some numbers that is least sure; the first of those that are alike."""
    return max((c[name] for name in names), key=lambda price: STATUSES.index(price.status))


def digit_means(counts: Counts, machine: CrossbarMachine) -> tuple[Float64, Float64]:
    """Mean bits of a phase's digit, and mean of the largest code of it (2^bits - 1), of each matrix.

    Spikes have one phase of one bit. A graded input is cut into digits of the DAC's bits; the last may be shorter.
    """
    wide = np.divide(counts.input_bits, counts.rows, out=np.ones(len(counts.rows)), where=counts.rows > 0)
    most = WORD if machine.input_bits is None else machine.input_bits  # a graded code's register holds its sign too
    if machine.input_code != "binary":  # short codes are stored in fewer bits, and driven as digits of the same width
        wide = np.where(wide > 1.0, most, wide)
    cut = [np.array(input_digits(min(max(round(bits), 1), most), machine.dac.bits)) for bits in wide]
    return np.array([d.mean() for d in cut]), np.array([(2.0**d - 1.0).mean() for d in cut])


def input_digits(bits: int, most: int | None) -> tuple[int, ...]:
    """Bits of the digits that an input's magnitude is cut into for a DAC, the last one what is left."""
    if most is None or bits <= most:
        return (bits,)
    whole, rest = divmod(bits, most)
    return (most,) * whole + (rest,) * (rest > 0)


def conversion_energies(machine: CrossbarMachine) -> Float64:
    """Joules of a conversion by the bits that it resolves, float64 (33,).

    ``energy.adc`` is the price at the machine file's ``adc.bits``; ``adc.scaling`` says how it follows the bits:
    "survey" as the fit of :mod:`.adc_fit` at the machine's node and rate, "linear" and "quadratic" as the bits and
    their square, "none" not at all. A conversion of 0 bits is one of an ideal ADC, and costs as much as at full bits.

    Raises
    ------
    MappingError
        For another scaling.
    """
    c = machine.constants
    full, scaling = c.count("adc.bits"), c["adc.scaling"].value
    bits = np.arange(MOST_BITS + 1, dtype=np.float64)
    bits[0] = full
    if scaling == "survey":
        rate, node = 1.0 / c.si("adc.time"), c.si("technology.node")
        share = np.array([adc_energy(b, rate, node) for b in bits]) / adc_energy(full, rate, node)
    elif scaling in ("none", "linear", "quadratic"):
        share = (bits / full) ** ("none", "linear", "quadratic").index(scaling)
    else:
        raise MappingError(
            f"crossbar machine {machine.name}: adc.scaling is {scaling!r}; there is survey, none, linear, quadratic",
            machine=machine.name,
        )
    return np.asarray(c.si("energy.adc") * share, np.float64)
