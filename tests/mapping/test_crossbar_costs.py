"""Energy, time and area of crossbars from counts: against sums by hand and published totals."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph import Dense, EventSource, Network, Param, Port, State, ms, neuron
from neuromorph import Event as Fires
from neuromorph.errors import MappingError
from neuromorph.lowering import lower
from neuromorph.mapping.crossbar import Crossbar
from neuromorph.mapping.crossbar.costs.area import area, chip_area
from neuromorph.mapping.crossbar.costs.energy import COMPONENTS, conversion_energies, energy, input_digits
from neuromorph.mapping.crossbar.costs.neuron_work import NeuronWork, neuron_work
from neuromorph.mapping.crossbar.costs.timing import conversion_rounds, latency, product_seconds
from neuromorph.mapping.crossbar.costs.travel import travel
from neuromorph.mapping.crossbar.machine.adc_fit import with_fitted_adc
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, load_machine
from neuromorph.mapping.crossbar.plan.plan import Activity, Blocks, Matrix, Plan
from neuromorph.mapping.crossbar.plan.rules import Rules
from neuromorph.mapping.crossbar.reads.ledger import ACTIONS, MOST_BITS, Counts, StepCounts

INT = np.int32


def a_matrix(index: int, post: int, sources: tuple[int, ...], rows: int, columns: int) -> Matrix:
    first = np.linspace(0, rows, len(sources) + 1).astype(INT)
    ports = np.zeros(columns, INT)
    place = np.arange(columns, dtype=INT)
    return Matrix(
        f"m{index}", index, post, 1, None, False, sources, first, rows, columns, ports, place, (), 1, np.zeros(1, INT)
    )


def a_plan(
    machine: CrossbarMachine,
    shapes: list[tuple[int, int]],
    *,
    tiles: list[int] | None = None,
    array: list[int] | None = None,
    turn: list[int] | None = None,
    sources: tuple[int, ...] = (0,),
    chips: int = 1,
) -> Plan:
    """One block for each matrix, of the sizes told; population 0 is outside, matrix k feeds population k + 1."""
    n = len(shapes)
    where = list(range(n)) if array is None else array
    ends = np.cumsum([0, *(size for shape in shapes for size in shape)])
    listed = np.concatenate([np.arange(size, dtype=INT) for shape in shapes for size in shape])
    zeros = np.zeros(n, INT)
    blocks = Blocks(
        matrix=np.arange(n, dtype=INT),
        array=np.array(where, INT),
        row_first=zeros,
        column_first=zeros,
        replica=zeros,
        turn=zeros if turn is None else np.array(turn, INT),
        row_list=2 * np.arange(n, dtype=INT),
        column_list=2 * np.arange(n, dtype=INT) + 1,
        list_ptr=ends.astype(np.int64),
        listed=listed,
    )
    arrays = max(where) + 1
    return Plan(
        machine=machine,
        network="net",
        matrices=tuple(a_matrix(k, k + 1, sources if k == 0 else (k,), *shape) for k, shape in enumerate(shapes)),
        blocks=blocks,
        arrays=arrays,
        tile_of_array=np.array(tiles if tiles is not None else [0] * arrays, INT),
        chips=chips,
        cells_per_weight=machine.cells_per_weight,
        rules=Rules(),
        order="given",
        convolution="unrolled",
        seed=0,
        activity=Activity(0.0, 0.0, "none"),
        hops=(0.0, 0.0),
    )


def counts_of(matrices: int = 1, populations: int = 2, **given: Any) -> Counts:
    """Counts of nothing but what is told."""
    made: dict[str, Any] = {"readout": "tile-skip", "steps": 1, "samples": 0}
    made |= {"matrices": tuple(f"m{k}" for k in range(matrices)), "populations": tuple(f"p{k}" for k in range(2))}
    for field in fields(Counts):
        if field.name in made:
            continue
        shape: tuple[int, ...] = (matrices,)
        if field.name == "conversions":
            shape = (matrices, MOST_BITS + 1)
        elif field.name in ("neuron_updates", "spikes"):
            shape = (populations,)
        made[field.name] = np.zeros(shape, np.float64 if field.name == "code_sum" else np.int64)
    for name, value in given.items():
        made[name] = value if isinstance(value, str | int | tuple) else np.asarray(value)
    return Counts(**made)


def conversions(bits: int, number: int) -> np.ndarray[Any, Any]:
    found = np.zeros((1, MOST_BITS + 1), np.int64)
    found[0, bits] = number
    return found


def isaac_phase() -> tuple[Plan, Counts]:
    """A phase of a full ISAAC array with every row driven and cells at the mean of both conductances."""
    m = load_machine("isaac")
    counts = counts_of(
        rows=[128],
        input_bits=[128],
        phases=[1],
        reads=[1],
        row_pulses=[128],
        code_sum=[128 * 128 * (m.g_min + m.g_max) / 2],
        conversions=conversions(8, 128),
        shift_adds=[128],
    )
    return a_plan(m, [(128, 16)]), counts


def test_a_phase_of_isaac_takes_the_published_296_pj() -> None:
    plan, counts = isaac_phase()
    found = energy(counts, plan)
    parts = {name: round(joules * 1e12, 1) for name, joules in found.by_component.items() if joules}
    assert parts == {"cells": 30.0, "drivers": 49.9, "ADCs": 213.4, "digital sums": 2.7, "buffers": 17.1}
    assert found.total * 1e12 - parts["buffers"] == pytest.approx(296, abs=0.3)


def test_energy_is_the_same_however_it_is_added_up() -> None:
    m = load_machine("hermes")
    plan = a_plan(m, [(100, 20), (50, 10)], tiles=[0, 9])
    rng = np.random.default_rng(1)
    whole = {name: rng.integers(1, 1000, 2) for name in ACTIONS if name != "conversions"}
    bits = rng.integers(0, 50, (2, MOST_BITS + 1))
    whole["input_bits"] = whole["rows"] * 7
    counts = counts_of(2, conversions=bits, code_sum=rng.random(2) * 1e-3, neuron_updates=np.array([0, 70]), **whole)
    work = (NeuronWork(0, 0, 0), NeuronWork(3, 4, 5))
    found = energy(counts, plan, work=work, seconds=1e-6)
    assert found.total == pytest.approx(sum(found.by_component.values()))
    assert found.total == pytest.approx(
        found.by_matrix.sum() + sum(found.by_population.values()) + found.by_component["static"]
    )
    assert found.total == pytest.approx(sum(found.by_status.values()))
    assert tuple(found.by_component) == COMPONENTS
    assert found.by_population["p0"] == 0.0
    c = m.constants
    expected = 70 * (3 * c.si("energy.add") + 4 * c.si("energy.multiply") + 5 * 32 * c.si("energy.register_bit"))
    assert found.by_population["p1"] == pytest.approx(expected)
    carried = found.assumptions
    assert [joules for _, joules in carried] == sorted((j for _, j in carried), reverse=True)
    assert sum(joules for _, joules in carried) == pytest.approx(found.by_status["assumption"])
    assert carried[0][0].name == "energy.read"
    assert "calibrated" in carried[0][0].why


PRICES = {
    "row_pulses": ("drivers", "energy.row_pulse"),
    "reads": ("arrays", "energy.read"),
    "comparisons": ("comparators", "energy.comparison"),
    "pulses": ("comparators", "energy.comparator_pulse"),
    "shift_adds": ("digital sums", "energy.shift_add"),
    "partial_adds": ("digital sums", "energy.partial_add"),
    "output_bits": ("buffers", "energy.output_bit"),
}


@pytest.mark.parametrize("machine", ["isaac", "puma", "raella", "hermes", "m1076", "wtm2101", "nor_flash"])
@pytest.mark.parametrize("action", PRICES)
def test_an_action_costs_its_price_and_nothing_else(machine: str, action: str) -> None:
    plan = a_plan(load_machine(machine), [(4, 2)])
    component, price = PRICES[action]
    c = plan.machine.constants
    paid = {component: 1000 * c.si(price)}
    if action == "comparisons":  # the column has to be sensed too, for one bit
        paid["sensing"] = 1000 * (c.si("energy.sense_bit") + c.si("energy.sense_code"))
    found = energy(counts_of(**{action: [1000]}), plan).by_component
    assert found == pytest.approx(dict.fromkeys(COMPONENTS, 0.0) | paid)


def test_energy_of_cells_follows_what_they_hold() -> None:
    plan, counts = isaac_phase()
    once = energy(counts, plan).by_component
    twice = energy(replace(counts, code_sum=2 * counts.code_sum), plan).by_component
    assert twice["cells"] == pytest.approx(2 * once["cells"])
    assert {k: v for k, v in twice.items() if k != "cells"} == {k: v for k, v in once.items() if k != "cells"}
    louder = replace(plan, machine=replace(plan.machine, v_read=0.4))
    assert energy(counts, louder).by_component["cells"] == pytest.approx(4 * once["cells"])


def test_a_spike_is_as_loud_as_the_highest_code() -> None:
    plan = a_plan(load_machine("m1076"), [(4, 2)])
    graded = counts_of(rows=[1], input_bits=[9], code_sum=[255e-6])
    spike = counts_of(rows=[1], input_bits=[1], code_sum=[1e-6])
    assert energy(spike, plan).by_component["cells"] == pytest.approx(energy(graded, plan).by_component["cells"])


@given(st.lists(st.integers(0, 10**6), min_size=len(ACTIONS), max_size=len(ACTIONS)), st.integers(1, 9))
def test_energy_is_linear_in_what_was_done(numbers: list[int], times: int) -> None:
    plan = a_plan(load_machine("neurram"), [(4, 2)])
    given_ = dict(zip(ACTIONS, ([n] for n in numbers), strict=True))
    given_["conversions"] = conversions(8, numbers[0])  # type: ignore[assignment]
    once = energy(counts_of(**given_), plan).total
    more = {name: np.asarray(value) * times for name, value in given_.items()}
    assert energy(counts_of(**more), plan).total == pytest.approx(times * once)


def test_a_price_of_the_users_own_changes_its_component_alone() -> None:
    plan, counts = isaac_phase()
    before = energy(counts, plan)
    constants = plan.machine.constants.replace(energy__adc=16.67)
    after = energy(counts, replace(plan, machine=replace(plan.machine, constants=constants)))
    assert after.by_component["ADCs"] == pytest.approx(10 * before.by_component["ADCs"])
    assert after.total - before.total == pytest.approx(9 * before.by_component["ADCs"])
    assert "energy.adc" in [price.name for price, _ in after.assumptions]


def test_conversions_cost_by_their_bits_as_the_machine_says() -> None:
    isaac, newton = (conversion_energies(load_machine(name)) for name in ("isaac", "neurram"))
    assert isaac[8] == isaac[0] == pytest.approx(1.667e-12)
    assert isaac[6] / isaac[8] == pytest.approx(1.07 / 1.93, rel=0.01)
    assert isaac[2] == isaac[4] < isaac[6]
    assert np.allclose(newton[1:], newton[8] * np.arange(1, MOST_BITS + 1) / 8)
    puma = conversion_energies(load_machine("puma"))
    assert puma[4] == pytest.approx(puma[8] / 4)
    hermes = conversion_energies(load_machine("hermes"))
    assert (hermes == hermes[0]).all()


def test_what_is_least_sure_stands_for_an_energy() -> None:
    plan = a_plan(load_machine("isaac"), [(4, 2)])
    sure = energy(counts_of(conversions=conversions(8, 5)), plan)
    fewer = energy(counts_of(conversions=conversions(5, 5)), plan)
    assert sure.assumptions == ()
    assert sure.by_status["published"] == pytest.approx(sure.total)
    assert [price.name for price, _ in fewer.assumptions] == ["adc.scaling"]
    assert fewer.by_status["assumption"] == pytest.approx(fewer.total)
    cells = energy(counts_of(code_sum=[1.0]), a_plan(load_machine("hermes"), [(4, 2)]))
    assert [price.name for price, _ in cells.assumptions] == ["cell.read_voltage"]


def test_digits_of_an_input_are_what_the_converter_takes() -> None:
    assert input_digits(7, 4) == (4, 3)
    assert input_digits(16, 1) == (1,) * 16
    assert input_digits(8, 8) == input_digits(8, None) == (8,)
    assert input_digits(1, 4) == (1,)


def test_neurram_pays_for_samples_and_integrations_of_each_digit() -> None:
    m = load_machine("neurram")
    plan = a_plan(m, [(128, 256)])
    graded = energy(counts_of(rows=[128], input_bits=[7 * 128], reads=[2], conversions=conversions(8, 512)), plan)
    c = m.constants
    neurons = 256 * (7 * c.si("energy.sense_bit") + 22 * c.si("energy.sense_code"))
    assert graded.by_component["sensing"] == pytest.approx(neurons)
    assert graded.by_component["arrays"] == pytest.approx(7 * c.si("energy.read_bit"))
    driven = energy(counts_of(rows=[128], input_bits=[7 * 128], row_pulses=[2 * 128]), plan).by_component["drivers"]
    assert driven == pytest.approx(7 * 128 * c.si("energy.row_pulse")), "a pulse for each bit of both digits"
    spikes = energy(counts_of(rows=[9], input_bits=[9], reads=[1], conversions=conversions(8, 256)), plan)
    assert spikes.by_component["sensing"] == pytest.approx(256 * (c.si("energy.sense_bit") + c.si("energy.sense_code")))


def test_the_ideal_machine_has_no_energy_time_or_area() -> None:
    plan = a_plan(load_machine("ideal"), [(4, 2)])
    for ask in (lambda: energy(counts_of(), plan), lambda: latency(counts_of(), plan), lambda: area(plan)):
        with pytest.raises(MappingError, match="crossbar machine ideal has no prices"):
            ask()


def test_phases_wait_for_the_slower_of_array_and_converters() -> None:
    m = load_machine("isaac")
    plan = a_plan(m, [(128, 16)])
    counts = counts_of(rows=[128], input_bits=[128 * 16], phases=[16], steps=1)
    assert latency(counts, plan).total == pytest.approx(1.6e-6)
    slow = replace(m, adc=replace(m.adc, seconds=2e-9))
    assert latency(counts, replace(plan, machine=slow)).total == pytest.approx(16 * 128 * 2e-9)
    spread = replace(m, adc=replace(m.adc, seconds=2e-9, columns_per_converter=16))
    assert conversion_rounds(replace(plan, machine=spread)).tolist() == [16]
    assert latency(counts, replace(plan, machine=spread)).total == pytest.approx(1.6e-6)
    taken = latency(replace(counts, readout="comparator"), replace(plan, machine=slow)).total
    assert taken == pytest.approx(1.6e-6), "comparators decide while the array conducts"


def test_signed_inputs_take_twice_the_phases_where_they_are_split() -> None:
    isaac, neurram = load_machine("isaac"), load_machine("neurram")
    assert product_seconds(isaac, negative=True) == pytest.approx(2 * product_seconds(isaac))
    assert product_seconds(neurram, negative=True) == product_seconds(neurram)
    assert product_seconds(isaac, bits=1) == pytest.approx(100e-9)
    assert product_seconds(neurram) == pytest.approx(11.34e-6)


def _series(phases: list[list[int]]) -> StepCounts:
    values = np.zeros((len(phases), len(phases[0]), len(ACTIONS) + 1))
    values[:, :, ACTIONS.index("phases")] = phases
    return StepCounts(values)


def test_matrices_work_side_by_side_unless_they_share_an_array_in_turns() -> None:
    m = load_machine("isaac")
    phases = [[1, 3], [2, 0], [0, 0]]
    counts = counts_of(2, rows=[1, 1], input_bits=[1, 1], phases=np.sum(phases, axis=0), steps=3)
    apart = latency(counts, a_plan(m, [(8, 2), (8, 2)]), steps=_series(phases))
    assert apart.steps * 1e9 == pytest.approx([300, 200, 0])
    shared = a_plan(m, [(8, 2), (8, 2)], array=[0, 0], turn=[0, 1])
    together = latency(counts, shared, steps=_series(phases))
    assert together.steps * 1e9 == pytest.approx([400, 200, 0])
    assert together.total == pytest.approx(together.steps.sum())
    without = latency(counts, shared)
    assert without.arrays == pytest.approx(600e-9)
    assert without.steps.size == 0


def test_values_travel_over_the_mesh_and_between_chips() -> None:
    m = load_machine("isaac")  # tiles in 14 columns
    plan = a_plan(m, [(8, 2), (8, 2), (8, 2)], tiles=[15, 3, 168 + 14], chips=2)
    found = travel(plan)
    assert found.input_hops.tolist() == [2.0, 3.0, 3 + 1]
    assert found.output_hops.tolist() == [0.0, 0.0, 0.0]
    assert found.input_links.tolist() == [0.0, 0.0, 1.0]
    c = m.constants
    counts = counts_of(3, rows=[0, 10, 10], input_bits=[0, 10, 10])
    network = energy(counts, plan).by_component["network"]
    assert network == pytest.approx(10 * (3 + 4) * c.si("energy.hop_bit") + 10 * c.si("energy.link_bit"))
    waited = latency(counts, plan, steps=_series([[0, 1, 1], [1, 0, 0]]))
    assert waited.network == pytest.approx((4 + 2) * c.si("time.hop"))


@neuron
class Leaky:
    """Forgets half of what it holds in every step."""

    a = Port()
    half = Param(0.5)
    v = State(0.0)
    v.next = half * v + a
    spike = Fires(when=v > 1.0)


def test_neurons_cost_the_operations_of_their_program() -> None:
    net = Network()
    net.population(EventSource(3))
    net.population(Leaky(), 4)
    replayed, leaky = neuron_work(lower(net, 1 * ms))
    assert replayed == NeuronWork(0, 0, 0)
    assert leaky.multiplications == 1
    assert leaky.additions >= 2, "a sum and a comparison"
    assert leaky.words >= 4, "state, parameter and port read, state written"
    m = load_machine("isaac")
    counts = counts_of(neuron_updates=[0, 40], steps=10)
    plan = a_plan(m, [(3, 4)])
    taken = latency(counts, plan, work=(replayed, leaky))
    assert taken.neurons == pytest.approx(10 * 4 * leaky.operations * 1e-9 / m.constants.count("chip.lanes"))


def test_a_run_costs_less_the_less_is_read() -> None:
    rng = np.random.default_rng(2)
    net = Network()
    steps, indices = np.nonzero(rng.random((12, 300)) < 0.01)
    source = net.population(EventSource(300, steps=steps, indices=indices), name="in")
    hidden = net.population(Leaky(), 20, name="hidden")
    net.project(source, hidden.a, Dense(rng.normal(0.3, 0.3, (300, 20))))
    net.project(hidden, hidden.a, Dense(rng.normal(0.0, 0.1, (20, 20))))
    joules, seconds = [], []
    for readout in ("dense", "row-gated", "tile-skip"):
        program = Crossbar("isaac", readout=readout).compile(net, dt=1 * ms)  # type: ignore[arg-type]
        program.run(12)
        report = program.report()
        work = neuron_work(report.lowered)
        taken = latency(report.counts, report.plan, steps=report.steps, work=work)
        found = energy(report.counts, report.plan, work=work, seconds=taken.total)
        assert len(taken.steps) == 12
        assert taken.total == pytest.approx(taken.steps.sum())
        assert found.total == pytest.approx(sum(found.by_component.values()))
        assert found.by_population["in"] == 0.0 < found.by_population["hidden"]
        joules.append(found.total)
        seconds.append(taken.arrays)
    assert joules[0] > joules[1] > joules[2] > 0.0
    assert seconds[0] == seconds[1] >= seconds[2] > 0.0


def test_area_of_whole_chips_and_of_what_is_used() -> None:
    m = load_machine("isaac")
    plan = a_plan(m, [(8, 2)] * 9, tiles=[0] * 8 + [1])
    found = area(plan)
    one = m.constants
    assert found.used["ADCs"] == pytest.approx(9 * 1260e-12)
    assert found.used["tiles"] == pytest.approx(2 * one.si("area.tile"))
    assert found.total == pytest.approx(sum(found.used.values()))
    assert found.chips_total == pytest.approx(sum(chip_area(m).values()))
    assert sum(chip_area(m).values()) * 1e6 == pytest.approx(85.4, rel=0.25), "published, registers of cores included"
    neurram = sum(chip_area(load_machine("neurram")).values()) / 48
    assert neurram == pytest.approx(1270e-12 * 256 / 0.28, rel=1e-3)


def test_an_adc_of_the_fit_takes_the_place_of_the_machines() -> None:
    isaac = load_machine("isaac")
    m = with_fitted_adc(isaac, 7, rate=100e6, columns_per_converter=32)
    assert (m.adc.bits, m.adc.seconds, m.converters) == (7, pytest.approx(10e-9), 4)
    assert conversion_energies(m)[7] * 1e12 == pytest.approx(1.31, abs=0.005)
    assert conversion_energies(m)[4] * 1e12 == pytest.approx(0.92, abs=0.005)
    assert chip_area(m)["ADCs"] == pytest.approx(m.arrays * 4 * 3637e-12, rel=1e-3)
    assert m.constants["energy.adc"].status == "derived"
    assert "7 bits, 32 nm, 100 MS/s" in m.constants["energy.adc"].why
    assert (isaac.adc.bits, isaac.constants.si("energy.adc")) == (8, pytest.approx(1.667e-12)), "untouched"
    assert conversion_rounds(a_plan(m, [(128, 16)])).tolist() == [32]
    with pytest.raises(MappingError, match="crossbar machine ideal has no prices"):
        with_fitted_adc(load_machine("ideal"), 8)
    with pytest.raises(MappingError, match="ADC fit: rate is 0"):
        with_fitted_adc(isaac, 8, rate=0)


def test_an_adc_of_other_bits_is_larger_by_the_fit() -> None:
    m = load_machine("nor_flash")
    wider = replace(m, adc=replace(m.adc, bits=10))
    assert chip_area(wider)["ADCs"] / chip_area(m)["ADCs"] == pytest.approx(4796 / 3939, rel=1e-3)
    assert chip_area(wider)["cells"] == chip_area(m)["cells"]
