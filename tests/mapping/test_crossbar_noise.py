"""Random numbers of columns: what they are made of, their law, and that nothing else decides them."""

from __future__ import annotations

import numpy as np

from neuromorph.mapping.crossbar.reads.noise_kernels import GROUP, normals
from neuromorph.random import bits


def draw(seed: int = 7, first: int = 0, groups: int = 4, step: int = 3, sample: int = 2, read: int = 1) -> np.ndarray:
    words, out = np.zeros(groups * GROUP, np.uint32), np.zeros(groups * GROUP)
    numbers = (np.uint64(number) for number in (seed, first, groups, step, sample, read))
    normals(*numbers, words.ctypes.data, words, out)
    return out


def test_they_are_box_and_mullers_of_the_engines_random_words() -> None:
    got = draw().reshape(-1, 2, 16)
    words = bits(7, np.arange(4 * GROUP), 3 + (2 << 32), 1).reshape(-1, 2, 16)
    radius = np.sqrt(-2.0 * np.log((words[:, 0] + 0.5) * 2.0**-32))
    angle = 2.0 * np.pi * words[:, 1] * 2.0**-32
    np.testing.assert_allclose(got[:, 0], radius * np.cos(angle), rtol=0, atol=2e-8)
    np.testing.assert_allclose(got[:, 1], radius * np.sin(angle), rtol=0, atol=2e-8)


def test_a_column_has_its_number_whatever_is_drawn_beside_it() -> None:
    whole = draw(groups=6)
    assert np.array_equal(draw(first=2, groups=3), whole[2 * GROUP : 5 * GROUP])
    for change in ({"seed": 8}, {"step": 4}, {"sample": 3}, {"read": 2}):
        assert not np.isin(draw(groups=6, **change), whole).any()


def test_they_are_normal_and_independent() -> None:
    x = np.array([draw(step=step, groups=8) for step in range(400)])
    n = x.size
    assert abs(x.mean()) < 4 / n**0.5
    assert abs(x.var() - 1.0) < 4 * (2 / n) ** 0.5
    assert abs((x**4).mean() - 3.0) < 4 * (96 / n) ** 0.5
    assert abs(np.mean(np.abs(x) > 3.0) / 0.0026998 - 1.0) < 0.2
    assert np.abs(np.corrcoef(x.T) - np.eye(x.shape[1])).max() < 0.3
