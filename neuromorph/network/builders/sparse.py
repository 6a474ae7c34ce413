"""Build explicit lists of synapses: into rows, ascending, repetition kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.native import compiled
from neuromorph.network.builders.random import row_pointers
from neuromorph.network.rules.rule import target_dtype

Array = npt.NDArray[Any]

_KERNELS = "neuromorph.network.builders.sparse_kernels"
is_sorted, place_stable = compiled(_KERNELS, "is_sorted", returns=bool), compiled(_KERNELS, "place_stable")


def from_pairs(pre: Array, post: Array, n_pre: int, n_post: int) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Sort pairs by source, then target, then given order.

    Returns
    -------
    row_ptr : int64 (n_pre + 1,)
    targets : uint16 or uint32 (pairs,)
    order : int32 or int64 (pairs,)
        ``order[k]`` is the given pair that became synapse k.
    """
    pre, post, count = np.ascontiguousarray(pre), np.ascontiguousarray(post), len(pre)
    wide = np.int32 if count < 1 << 31 else np.int64
    row_ptr = row_pointers(np.bincount(pre, minlength=n_pre))
    columns = row_pointers(np.bincount(post, minlength=n_post))
    by_post, order = np.empty(count, wide), np.empty(count, wide)
    place_stable(post, np.arange(count, dtype=wide), columns[:-1].copy(), by_post)
    place_stable(pre, by_post, row_ptr[:-1].copy(), order)
    del by_post
    return row_ptr, post[order].astype(target_dtype(n_post)), order


def from_rows(row_ptr: Array, indices: Array, n_post: int) -> tuple[npt.NDArray[np.int64], Array, Array | None]:
    """Compressed rows, as SciPy keeps them; ``order`` is None if they were in order already."""
    row_ptr = row_ptr.astype(np.int64)
    if is_sorted(row_ptr, np.ascontiguousarray(indices)):
        return row_ptr, indices.astype(target_dtype(n_post)), None
    n_pre = len(row_ptr) - 1
    pre = np.repeat(np.arange(n_pre), np.diff(row_ptr))
    return from_pairs(pre, indices, n_pre, n_post)
