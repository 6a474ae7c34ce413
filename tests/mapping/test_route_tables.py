"""Table minimisation: equivalent by exhaustive look-up, and as small as brute force finds."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.mapping.route import Table, lookup, minimise

BITS = 8


def table_of(blocks: list[tuple[int, int, int]], shift: int = 32 - BITS) -> Table:
    """Entries (base, log2 size, action) of keys of ``32 - shift`` bits, moved to the top of 32-bit keys."""
    key = np.array([base << shift for base, _, _ in blocks], np.uint32)
    mask = np.array([(2**32 - (1 << (size + shift))) % 2**32 for _, size, _ in blocks], np.uint32)
    links = np.array([action & 63 for _, _, action in blocks], np.uint8)
    pes = np.array([[action, 7 * action, 0] for _, _, action in blocks], np.uint64).reshape(len(blocks), 3)
    return Table(key, mask, links, pes)


@st.composite
def blocks(draw: st.DrawFn, bits: int = BITS, actions: int = 4) -> list[tuple[int, int, int]]:
    """Disjoint aligned blocks, some keys left out, few distinct actions."""
    out, at = [], 0
    while at < 2**bits:
        room = min((at & -at).bit_length() - 1 if at else bits, (2**bits - at).bit_length() - 1)
        size = draw(st.integers(0, min(room, 4)))
        if draw(st.integers(0, 4)):
            out.append((at, size, draw(st.integers(1, actions))))
        at += 1 << size
    return out


def first_match(table: Table, key: int) -> int:
    for k in range(len(table)):
        if key & int(table.mask[k]) == int(table.key[k]):
            return k
    return -1


@settings(max_examples=80, deadline=None)
@given(blocks())
def test_every_key_keeps_its_action(rows: list[tuple[int, int, int]]) -> None:
    table = table_of(rows)
    small = minimise(table)
    assert len(small) <= len(table)
    keys = np.arange(2**BITS, dtype=np.uint32) << np.uint32(32 - BITS)
    before, after = lookup(table, keys), lookup(small, keys)
    for k, a, b in zip(keys.tolist(), before.tolist(), after.tolist(), strict=True):
        assert a == first_match(table, k)
        assert b == first_match(small, k)
        if a >= 0:
            assert small.links[b] == table.links[a]
            assert (small.pes[b] == table.pes[a]).all()


def smallest(want: dict[int, int], bits: int) -> int:
    """Fewest prefixes (longest match) that give every key in ``want`` its action, by trying every choice."""
    prefixes = [(length, value) for length in range(bits, -1, -1) for value in range(2**length)]
    actions = sorted(set(want.values()))
    for count in range(len(want) + 1):
        for chosen in itertools.combinations(prefixes, count):
            for given_actions in itertools.product(actions, repeat=count):
                for key, action in want.items():
                    # Prefixes come longest first, so the first that covers the key decides.
                    found = next(
                        (
                            a
                            for (length, value), a in zip(chosen, given_actions, strict=True)
                            if key >> bits - length == value
                        ),
                        None,
                    )
                    if found != action:
                        break
                else:
                    return count
    raise AssertionError("one prefix for each key always works")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 7), st.integers(1, 2), max_size=8))
def test_no_prefix_table_is_smaller(want: dict[int, int]) -> None:
    table = table_of([(key, 0, action) for key, action in sorted(want.items())], shift=29)
    assert len(minimise(table)) == smallest(want, 3)


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.integers(0, 7), st.integers(1, 3), max_size=6))
def test_no_prefix_table_is_smaller_with_three_actions(want: dict[int, int]) -> None:
    table = table_of([(key, 0, action) for key, action in sorted(want.items())], shift=29)
    assert len(minimise(table)) == smallest(want, 3)


def test_tables_of_one_action_need_one_entry() -> None:
    small = minimise(table_of([(k, 0, 1) for k in (0, 3, 77, 255)]))
    assert len(small) == 1
    assert minimise(table_of([])).key.shape == (0,)


def test_colliding_hashes_of_routes_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of([(k, 0, k % 3 + 1) for k in range(64)])
    want = minimise(table)
    monkeypatch.setattr("neuromorph.mapping.route.tables._MIX", np.zeros(4, np.uint64))
    found = minimise(table)
    keys = np.arange(64, dtype=np.uint32) << np.uint32(32 - BITS)
    assert len(found) == len(want)
    assert (found.pes[lookup(found, keys)] == table.pes[lookup(table, keys)]).all()


def test_order_of_the_entries_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    rows = [(k, 0, int(a)) for k, a in enumerate(rng.integers(1, 4, 256))]
    table = table_of(rows)
    shuffled = rng.permutation(256)
    other = Table(table.key[shuffled], table.mask[shuffled], table.links[shuffled], table.pes[shuffled])
    assert len(minimise(table)) == len(minimise(other)) < 256


def test_lookup_takes_the_first_of_several_matches_of_any_mask() -> None:
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 2**6, 40).astype(np.uint32)
    key = (rng.integers(0, 2**6, 40).astype(np.uint32)) & mask
    table = Table(key, mask, np.zeros(40, np.uint8), np.zeros((40, 3), np.uint64))
    keys = np.arange(64, dtype=np.uint32)
    want: npt.NDArray[np.int64] = np.array([first_match(table, k) for k in keys.tolist()])
    assert (lookup(table, keys) == want).all()
    assert lookup(table, np.zeros(0, np.uint32)).shape == (0,)


@pytest.mark.parametrize("depth", [10, 20])
def test_chains_of_nested_prefixes(depth: int) -> None:
    """A caterpillar trie: the sets of actions grow along the spine."""
    rows = [(1 << k, k, k + 1) for k in range(depth)] + [(0, 0, 99)]
    small = minimise(table_of(sorted(rows), shift=32 - depth))
    assert len(small) == depth + 1
