"""Effects as values: which are on, one alone, all but one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from neuromorph.errors import TargetError
from neuromorph.mapping.crossbar.machine.devices import PRESETS
from neuromorph.mapping.crossbar.machine.effects import Effects, Verify

ALL = Effects(
    quantise=True,
    programming=True,
    verify=Verify(),
    read_noise=True,
    drift=True,
    time=60.0,
    compensate=True,
    stuck_low=0.1,
    stuck_high=0.1,
    on_off=True,
    dac=True,
    adc=True,
    adc_offset=0.5,
    adc_gain=0.01,
    wires=True,
    temperature=300.0,
)


def test_none_is_none_and_all_is_all() -> None:
    assert Effects.none() == Effects()
    assert Effects().on() == ()
    assert str(Effects()) == "none"
    assert set(ALL.on()) == {f.name for f in fields(Effects)} - {"time"}
    assert all(f.name in (Effects.__doc__ or "") for f in fields(Effects))


@pytest.mark.parametrize("name", ALL.on())
def test_one_alone_and_all_but_one(name: str) -> None:
    needed = {"verify": {"programming"}, "compensate": {"drift"}}.get(name, set())
    needing = {"programming": {"verify"}, "drift": {"compensate"}}.get(name, set())
    assert set(ALL.only(name).on()) == {name} | needed
    assert ALL.only(name).time == 60.0
    assert getattr(ALL.only(name), name) == getattr(ALL, name)
    assert set(ALL.without(name).on()) == set(ALL.on()) - {name} - needing
    assert Effects().with_(**{n: getattr(ALL, n) for n in (name, *needed)}).on() == ALL.only(name).on()


def test_several_at_once() -> None:
    assert ALL.only("wires", "adc").on() == ("adc", "wires")
    assert ALL.without(*ALL.on()).with_(time=0.0) == Effects.none()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stuck_low": 1.5}, "stuck_low is 1.5"),
        ({"stuck_low": 0.6, "stuck_high": 0.6}, "together more than all cells"),
        ({"time": -1.0}, "time is -1.0 s"),
        ({"time": float("nan")}, "time is nan s"),
        ({"adc_offset": -1.0}, "adc_offset is -1.0 LSB"),
        ({"temperature": 0.0}, "temperature is 0.0 K"),
        ({"verify": Verify()}, "verify without programming"),
        ({"compensate": True}, "compensate without drift"),
        ({"noise": True}, "no effect 'noise'"),
    ],
)
def test_refusals(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        Effects().with_(**changes)


def test_an_effect_that_is_off_cannot_be_the_only_one() -> None:
    with pytest.raises(TargetError, match=r"wires is off; on are none\. Switch it on first"):
        Effects().only("wires")
    with pytest.raises(TargetError, match="no effect 'wire'"):
        Effects().without("wire")


@pytest.mark.parametrize("values", [{"tolerance": 0.0}, {"tolerance": float("inf")}, {"rounds": 0}, {"rounds": 256}])
def test_verification_in_bounds(values: dict[str, float]) -> None:
    with pytest.raises(TargetError, match=r"Verify: (tolerance|rounds) is"):
        Verify(**values)  # type: ignore[arg-type]


def test_every_effect_and_every_device_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "crossbar_cells.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {f.name for f in fields(Effects)} <= told
    assert set(PRESETS) <= told
