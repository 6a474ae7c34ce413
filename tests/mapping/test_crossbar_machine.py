"""Crossbar machines as data: files, impossible machines, and the fit for ADCs."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from neuromorph.errors import MappingError, TargetError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.crossbar.costs.energy import COMPONENTS
from neuromorph.mapping.crossbar.costs.timing import product_seconds
from neuromorph.mapping.crossbar.machine import machine as machine_module
from neuromorph.mapping.crossbar.machine.adc_fit import adc_area, adc_energy
from neuromorph.mapping.crossbar.machine.machine import CrossbarMachine, load_machine, machine_names
from neuromorph.mapping.crossbar.machine.prices import PRICED, PRICES

REAL = [name for name in machine_names() if name != "ideal"]


def test_the_machines_that_users_are_promised_exist() -> None:
    assert set(machine_names()) == {
        "ideal",
        "isaac",
        "puma",
        "raella",
        "neurram",
        "hermes",
        "m1076",
        "wtm2101",
        "nor_flash",
    }


@pytest.mark.parametrize(
    ("name", "rows", "weights_beside", "cells", "conversions", "phases", "weights_on_chip"),
    [
        ("isaac", 128, 16, 8, 8, 16, 12 * 8 * 168 * 128 * 16),
        ("puma", 128, 16, 8, 8, 16, None),
        ("raella", 512, 170, 6, 3, 8, None),
        ("neurram", 128, 256, 2, 1, 2, 48 * 128 * 256),
        ("hermes", 256, 256, 2, 1, 1, 64 * 256 * 256),
        ("m1076", 1024, 1024, 2, 1, 1, 79_691_776),
        ("wtm2101", 1792, 1024, 1, 1, 1, 1_835_008),
        ("nor_flash", 256, 256, 2, 1, 1, None),
    ],
)
def test_geometry_follows_from_the_published_numbers(
    name: str, rows: int, weights_beside: int, cells: int, conversions: int, phases: int, weights_on_chip: int | None
) -> None:
    m = load_machine(name)
    assert (m.rows, m.weight_columns, m.cells_per_weight) == (rows, weights_beside, cells)
    assert (m.conversions_per_weight, m.phases) == (conversions, phases)
    if weights_on_chip is not None:
        assert m.arrays * m.rows * m.weight_columns == weights_on_chip


@pytest.mark.parametrize("name", REAL)
def test_real_machines_quantise_and_tell_every_price(name: str) -> None:
    m = load_machine(name)
    assert m.priced
    assert m.effects.quantise
    assert m.effects.adc
    assert {n for n in m.constants if n.split(".")[0] in PRICED} == set(PRICES)
    assert m.describe().count("\n") > len(m.constants)


def test_the_ideal_machine_has_no_effect_and_no_price() -> None:
    m = load_machine("ideal")
    assert not m.priced
    assert m.effects == type(m.effects)()
    assert (m.cell_levels, m.weight_bits, m.input_bits, m.dac.bits, m.adc.bits) == (None,) * 5
    assert m.level_step == m.slices == m.phases == 1


def test_a_level_is_the_share_of_the_range_between_two_neighbours() -> None:
    m = load_machine("isaac", cell_levels=5, g_min=1e-6, g_max=9e-6)
    assert m.level_step == pytest.approx(2e-6)


def test_numbers_for_the_reader_are_those_that_no_model_reads() -> None:
    root = Path(machine_module.__file__).parent.parent
    files = (path for path in sorted(root.rglob("*.py")) if path.name != "prices.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    machine, energy = "machine/machine.py", "costs/energy.py"
    built = {"energy": energy, "power": energy, "area": "costs/area.py", "dac": machine, "adc": machine}
    for name in machine_names():
        for key, constant in load_constants(f"crossbar_{name}").items():
            section, last = key.split(".")
            read = f'"{key}"' in text
            if section in built:  # these names are put together where they are read
                source = (root / built[section]).read_text(encoding="utf-8")
                read |= f'"{last}"' in source or f"{{section}}.{last}" in source
            assert read != constant.reference, f"{name}: {key}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows is 0; it must be a whole number of at least 1"),
        ({"columns": -4}, "columns is -4"),
        ({"tiles": 2.5}, r"tiles is 2\.5"),
        ({"chips": 0}, "chips is 0"),
        ({"input_bits": -1}, "input_bits is -1; it must be a whole number from 1 to 32, or None for any value"),
        ({"cell_levels": 1}, "cell_levels is 1; it must be a whole number from 2"),
        ({"weight_bits": True}, "weight_bits is True"),
        ({"g_min": 1e-3}, r"g_max is 0\.00075188 S and g_min 0\.001 S; the highest level must conduct more"),
        ({"v_read": float("nan")}, "v_read is nan"),
        ({"r_row": -1.0}, r"r_row is -1\.0; it must be a number of at least 0"),
        ({"encoding": "pairs"}, "encoding is 'pairs'; there is differential, offset, signed"),
        ({"device": "flash"}, "device is 'flash'; there is sonos_40nm, pcm_joshi"),
        ({"drive": "both"}, "drive is 'both'; there is rows, columns"),
        ({"mesh": (2, 2)}, "a mesh of 2 x 2 has no room for 168 tiles"),
        ({"cell_bits": 3}, r"a cell of 4 levels cannot hold cell_bits = 3 \(8 levels\)"),
        ({"columns": 7}, "a weight takes 8 cells side by side, and an array has 7 columns"),
    ],
)
def test_impossible_machines_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MappingError, match=f"crossbar machine isaac: {message}"):
        load_machine("isaac", **changes)


def test_impossible_converters_are_refused_all_at_once() -> None:
    m = load_machine("isaac")
    with pytest.raises(MappingError) as caught:
        replace(m, adc=replace(m.adc, bits=-8, kind="flash", seconds=-1.0), dac=replace(m.dac, columns_per_converter=0))
    for part in ("adc.bits is -8", "adc.kind is 'flash'; there is sar", "adc.seconds is -1.0", "dac.columns_per_conv"):
        assert part in str(caught.value)


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(MappingError, match=r"no crossbar machine 'isac'; there is hermes, ideal, isaac, m1076, neurr"):
        load_machine("isac")
    with pytest.raises(MappingError, match="has no field colums; it has name, constants, rows, columns"):
        load_machine("isaac", colums=3)


def test_prices_can_be_replaced_and_nothing_else_that_way() -> None:
    m = load_machine("isaac").repriced(energy__adc=2.0, time__phase=50)
    assert m.constants.si("energy.adc") == pytest.approx(2e-12)
    assert m.constants.si("time.phase") == pytest.approx(50e-9)
    with pytest.raises(MappingError, match=r"isaac: array\.rows is no price .*load_machine\('isaac', rows=64\)"):
        m.repriced(array__rows=64)


def _own(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    source = Path(machine_module.__file__).parents[2] / "machines" / "crossbar_nor_flash.toml"
    text = source.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"mine{len(list(tmp_path.iterdir()))}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_the_users_own_is_a_machine(tmp_path: Path) -> None:
    path = _own(tmp_path, ("rows = { value = 256", "rows = { value = 64"))
    for given in (path, str(path)):
        m = load_machine(given)
        assert (m.name, m.rows, m.columns) == ("mine0", 64, 512)
    assert isinstance(m, CrossbarMachine)


def test_a_file_that_lacks_something_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"no machine .*nowhere\.toml"):
        load_machine(tmp_path / "nowhere.toml")
    with pytest.raises(MappingError, match=r"no constant 'array\.rows'; it has array\.lines, array\.columns"):
        load_machine(_own(tmp_path, ("[array]\nrows", "[array]\nlines")))
    with pytest.raises(MappingError) as caught:
        load_machine(
            _own(tmp_path, ("shift_add =", "shift_adds ="), ('value = 10, unit = "ns"', 'value = 10, unit = "pJ"'))
        )
    for part in (
        "energy.shift_add is missing (adding one converted digit",
        "energy.shift_adds is no price",
        "time.code is in 'pJ'; it must be in 's' or 'ms'",
    ):
        assert part in str(caught.value)
    with pytest.raises(MappingError, match="is no TOML file"):
        load_machine(_own(tmp_path, ("[array]", "[array")))
    with pytest.raises(MappingError, match=r"array\.rows = 3 must be written \{ value"):
        load_machine(_bare(tmp_path))
    with pytest.raises(TargetError, match="no effect 'rust'; there are quantise, programming"):
        load_machine(_own(tmp_path, ('value = ["quantise"', 'value = ["rust", "quantise"')))


def _bare(tmp_path: Path) -> Path:
    path = tmp_path / "bare.toml"
    path.write_text("[sources]\n[array]\nrows = 3\n", encoding="utf-8")
    return path


NODES = {
    (32, 1e8): ((4, 0.92, 3274), (6, 1.07, 3417), (7, 1.31, 3637), (8, 1.71, 3939), (9, 2.34, 4324), (10, 3.31, 4796)),
    (32, 1.28e9): (
        (4, 0.92, 5190),
        (6, 1.07, 5416),
        (7, 1.31, 5765),
        (8, 1.93, 6469),
        (9, 5.53, 8865),
        (10, 16.4, 12275),
    ),
    (40, 1e8): ((4, 1.41, None), (6, 1.62, None), (7, 2.00, None), (8, 2.61, None), (9, 3.56, None), (10, 5.04, None)),
    (22, 1e8): ((4, 0.46, None), (6, 0.53, None), (7, 0.65, None), (8, 0.85, None), (9, 1.16, None), (10, 1.64, None)),
    (14, 1e8): ((4, 0.20, None), (6, 0.23, None), (7, 0.28, None), (8, 0.36, None), (9, 0.49, None), (10, 0.70, None)),
}
"""Energies (pJ) and areas (um2) of the fit's authors' program, as printed."""


@pytest.mark.parametrize(("node", "rate"), NODES)
def test_the_adc_fit_gives_its_authors_figures(node: int, rate: float) -> None:
    for bits, picojoules, square in NODES[node, rate]:
        unit = 0.1 if picojoules > 10 else 0.01
        found = adc_energy(bits, rate, node * 1e-9) * 1e12
        assert abs(found - picojoules) <= unit / 2 * 1.05, (bits, found)
        if square is not None:
            assert round(adc_area(bits, rate, node * 1e-9) * 1e12) == square


def test_the_adc_fit_ends_at_four_bits_and_above_zero() -> None:
    whole = [adc_energy(bits, 1e8, 32e-9) for bits in range(1, 17)]
    assert whole[0] == whole[3]
    assert all(low < high for low, high in pairwise(whole[3:]))
    assert adc_area(8, 1e8, 32e-9, energy=2e-12) > adc_area(8, 1e8, 32e-9, energy=1e-12)
    for wrong in ({"bits": 0}, {"rate": -1.0}, {"node": 0.0}, {"bits": float("nan")}):
        (name,) = wrong
        with pytest.raises(MappingError, match=f"ADC fit: {name} is"):
            adc_energy(**({"bits": 8, "rate": 1e8, "node": 32e-9} | wrong))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("puma", 2304e-9), ("raella", 1.10e-6), ("hermes", 133e-9), ("m1076", 6.4e-6), ("wtm2101", 36.7e-6)],
)
def test_a_product_takes_the_published_time(name: str, seconds: float) -> None:
    assert product_seconds(load_machine(name)) == pytest.approx(seconds, rel=1e-3)


def test_components_are_told_once() -> None:
    assert len(set(COMPONENTS)) == len(COMPONENTS)
