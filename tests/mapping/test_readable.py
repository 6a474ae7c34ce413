"""Numbers for people have a unit that suits them."""

from __future__ import annotations

import pytest

from neuromorph.mapping.readable import age, joules, percent, seconds, square_metres


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (seconds(2.5), "2.5 s"),
        (seconds(0.0025), "2.5 ms"),
        (seconds(3e-9), "3 ns"),
        (age(30.0), "30 s"),
        (age(3600.0), "1 hour"),
        (age(30 * 86400.0), "30 days"),
        (age(2 * 365 * 86400.0), "2 years"),
        (joules(1.5e-6), "1.5 uJ"),
        (joules(2e-12), "2 pJ"),
        (square_metres(2e-6), "2 mm2"),
        (square_metres(5e-12), "5 um2"),
        (percent(1, 8), "12.5%"),
        (percent(1, 30_000), "0.0033%"),
        (percent(0, 5), "0.0%"),
        (percent(0, 0), "-"),
    ],
)
def test_numbers(shown: str, text: str) -> None:
    assert shown == text
