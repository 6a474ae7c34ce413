"""SpiNNaker2's geometry and its numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph.errors import MappingError
from neuromorph.mapping.constants import load_constants
from neuromorph.mapping.machine import (
    BOARD_LINK,
    LINK_CLASSES,
    LONG_LINK,
    Machine,
    hex_distance,
    spinnaker2,
    valid_chips,
)

OPPOSITE = [3, 4, 5, 0, 1, 2]


@pytest.mark.parametrize("chips", [1, 2, 3, 4, 7, 16, 30, 47, 48, 144, 288])
def test_every_link_leads_back(chips: int) -> None:
    machine = spinnaker2(chips)
    source, link = np.nonzero(machine.neighbour >= 0)
    goal = machine.neighbour[source, link]
    assert (machine.neighbour[goal, np.array(OPPOSITE)[link]] == source).all()
    kinds = machine.link_kind
    assert (kinds[goal, np.array(OPPOSITE)[link]] == kinds[source, link]).all()
    assert ((kinds >= 0) == (machine.neighbour >= 0)).all()
    assert (machine.chip_distance >= 0).all(), "every chip reaches every other"


def test_links_follow_the_link_vectors() -> None:
    machine = spinnaker2(16)
    vectors = np.array(machine.constants["board.link_vectors"].value)
    at = {(int(x), int(y)): c for c, (x, y) in enumerate(machine.chip_xy)}
    for c, (x, y) in enumerate(machine.chip_xy):
        for d, (dx, dy) in enumerate(vectors):
            assert machine.neighbour[c, d] == at.get((int(x + dx), int(y + dy)), -1)


def test_a_board_is_a_torus_of_48_chips_with_six_short_links_each() -> None:
    machine = spinnaker2(48)
    assert machine.chips == 48
    assert (machine.link_kind == BOARD_LINK).all()
    assert all(len(set(row)) == 6 for row in machine.neighbour.tolist())
    # A torus looks the same from every chip.
    profile = np.sort(machine.chip_distance, axis=1)
    assert (profile == profile[0]).all()
    # Distances are those of the plane folded by the lattice of (8, 4) and (4, 8).
    xy = machine.chip_xy.astype(int)
    delta = xy[None, :, :] - xy[:, None, :]
    folded = [
        hex_distance(delta[..., 0] + 8 * i + 4 * j, delta[..., 1] + 4 * i + 8 * j)
        for i in range(-2, 3)
        for j in range(-2, 3)
    ]
    assert (machine.chip_distance == np.min(folded, axis=0)).all()


def test_the_links_that_close_a_board_can_be_taken_as_long_ones() -> None:
    machine = spinnaker2(48, board__wrap_link_is_short=0)
    assert int((machine.link_kind == LONG_LINK).sum()) == 48
    assert (machine.neighbour == spinnaker2(48).neighbour).all()


def test_three_boards_are_a_torus_of_twelve_by_twelve() -> None:
    machine = spinnaker2(boards=3)
    assert machine.chips == 144
    assert sorted(map(tuple, machine.chip_xy.tolist())) == [(x, y) for x in range(12) for y in range(12)]
    # The outline of a board has eight links to each of its six sides.
    assert ((machine.link_kind == LONG_LINK).sum(1).reshape(3, 48).sum(1) == 48).all()
    profile = np.sort(machine.chip_distance, axis=1)
    assert (profile == profile[0]).all()


def test_small_machines_are_compact_and_do_not_wrap() -> None:
    for chips in range(1, 48):
        machine = spinnaker2(chips)
        xy = machine.chip_xy.astype(int)
        plane = hex_distance(*(xy[None, :, :] - xy[:, None, :]).transpose(2, 0, 1))
        assert (machine.chip_distance >= plane).all()
        assert len(set(map(tuple, xy.tolist()))) == chips
    assert int(spinnaker2(7).chip_distance.max()) == 2, "seven chips are a hexagon"


def test_a_chip_has_38_tiles_around_its_router() -> None:
    machine = spinnaker2()
    assert machine.tiles == 38
    assert machine.pes == 152
    assert len(machine.usable_pes) == 148
    assert len(spinnaker2(all_pes=True).usable_pes) == 152
    tiles = set(map(tuple, machine.tile_xy.tolist()))
    router = set(map(tuple, machine.router_cells.tolist()))
    assert len(tiles) == 38
    assert not tiles & router
    beside = {(x + dx, y + dy) for x, y in router for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))} - router
    assert len(beside) == 6, "the router has six NoC ports"
    assert beside <= tiles
    assert machine.router_distance.min() == 1


def test_link_ids_cover_every_place_once() -> None:
    machine = spinnaker2(3)
    classes = machine.link_class
    assert len(classes) == machine.links == 3 * (42 * 6 + 7)
    count = {name: int((classes == k).sum()) for k, name in enumerate(LINK_CLASSES)}
    # A 7 x 6 mesh has 6 x 6 + 7 x 5 = 71 links in each direction.
    assert count == {
        "NoC": 3 * 142,
        "from tile": 3 * 38,
        "to tile": 3 * 38,
        "board link": 6,
        "long link": 0,
        "event router": 3,
    }
    names = {machine.link_name(link) for link in np.flatnonzero(classes >= 0)}
    assert len(names) == int((classes >= 0).sum())
    assert machine.link_name(machine.router(2)).endswith("event router")


@pytest.mark.parametrize("chips", [0, -1, 49, 96, 145])
def test_impossible_machines_are_refused_with_the_next_possible(chips: int) -> None:
    with pytest.raises(MappingError) as error:
        spinnaker2(chips)
    assert error.value.chips == chips  # type: ignore[attr-defined]
    if chips > 48:
        assert str(valid_chips(chips)) in str(error.value)
    assert spinnaker2(valid_chips(chips)).chips >= max(chips, 1)


def test_every_number_has_unit_source_and_status() -> None:
    numbers = load_constants("spinnaker2")
    text = spinnaker2().describe()
    for name, constant in numbers.items():
        assert constant.source
        assert constant.citation
        assert constant.status in ("published", "derived", "assumption")
        assert constant.why or constant.status == "published", name
        assert name in text
    assert numbers.si("noc.clock") == 300e6
    assert numbers.count("memory.pe_sram") == 131072


def test_derived_numbers_follow_from_the_published_ones() -> None:
    si = load_constants("spinnaker2").si
    for level in ("low", "high"):
        base, pes, clock = si("power.chip_base"), si("chip.pes"), si(f"level.{level}.clock")
        asleep = (si(f"level.{level}.chip_asleep") - base) / pes
        busy = (si(f"level.{level}.chip_busy") - base) / pes
        assert si(f"level.{level}.pe_asleep") == pytest.approx(asleep, rel=1e-3)
        assert si(f"level.{level}.pe_busy") == pytest.approx(busy, rel=1e-3)
        assert si(f"level.{level}.energy_per_cycle") == pytest.approx(busy / clock, rel=1e-3)
        assert si(f"level.{level}.energy_per_cycle_above_sleep") == pytest.approx((busy - asleep) / clock, rel=1e-3)
    assert si("link.board_packets") == pytest.approx(si("link.board_rate") / si("link.board_packet"))
    assert si("link.long_packets") == pytest.approx(si("link.long_rate") * 0.8 / si("link.board_packet"), rel=1e-4)
    assert si("cycles.synaptic_event") == pytest.approx(si("level.high.clock") / si("measured.pe_events"))
    assert si("memory.dram_bandwidth") == pytest.approx(si("memory.dram_interfaces") * 25.6e9 / 8)
    assert si("chip.tiles") * si("chip.pes_per_tile") == si("chip.pes")


def test_numbers_can_be_replaced_and_say_so() -> None:
    machine = spinnaker2(2, link__hop_weight=3)
    assert machine.constants.si("link.hop_weight") == 3
    assert machine.constants["link.hop_weight"].citation == "set by the user"
    assert machine.with_constants(router__entries=10).router_entries == 10
    assert spinnaker2(2).constants.si("link.hop_weight") == 5
    with pytest.raises(MappingError, match="hop_weight"):
        spinnaker2(2, link__weight=3)


@pytest.mark.parametrize("value", [-3, float("nan"), "many", True])
def test_numbers_are_replaced_by_numbers_of_at_least_zero(value: Any) -> None:
    with pytest.raises(MappingError, match=r"cycles\.synaptic_event.* a number of at least 0"):
        spinnaker2(cycles__synaptic_event=value)


def test_machines_travel_between_processes() -> None:
    import pickle

    machine: Machine = pickle.loads(pickle.dumps(spinnaker2(4)))
    assert (machine.neighbour == spinnaker2(4).neighbour).all()
    assert machine.constants.si("noc.clock") == 300e6


def test_numbers_for_the_reader_are_those_that_no_model_reads() -> None:
    root = Path(spinnaker2.__code__.co_filename).parent
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py")) if "crossbar" not in path.parts
    )
    models = (root / "spinnaker2" / name for name in ("costs.py", "decoder_costs.py"))
    prices = "".join(path.read_text(encoding="utf-8") for path in models)  # they look prices up by their last name
    for name, constant in load_constants("spinnaker2").items():
        section, last = name.split(".")[0], name.split(".")[-1]
        read = f'"{name}"' in text
        read |= section == "cycles" and f'"{last}"' in prices
        read |= section == "level" and f"}}.{last}" in text
        read |= section == "measured" and f'"{last}"' in text
        assert read != constant.reference, name
    with pytest.raises(MappingError, match=r"link\.board_rate is there for the reader"):
        spinnaker2(link__board_rate=12)
