"""Placement as it is meant to be used: several starts, annealing, and the best by the exact cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from .chips import metis_qap, spread
from .cost import model, placement_cost
from .orders import cuthill_mckee, hilbert, row_major
from .traffic import Traffic, sample

Ints = npt.NDArray[np.int32]
Placer = Callable[[Traffic, Machine, int], Ints]

_ANNEAL_PINS = 2_000_000
_ANNEAL_WORK = 6.0e8
_ANNEAL_MOVES = 1_000_000


def refine(
    traffic: Traffic,
    machine: Machine,
    placement: Ints,
    seed: int = 0,
    *,
    effort: float = 1.0,
    hot: float = 0.05,
    cold: float = 0.002,
    fixed: int = 0,
) -> Ints:
    """Anneal a placement on the exact cost (on a sample of the nets if there are very many).

    Parameters
    ----------
    traffic, machine, placement
        As for :func:`~neuromorph.mapping.place.placement_cost`.
    seed : int
    effort : float
        1: a few CPU seconds at most. The number of swaps tried is in proportion.
    hot, cold : float
        First and last temperature, in mean sizes of a change.
    fixed : int
        So many parts, the last ones, stay where they are.
    """
    from ._anneal_kernels import anneal as kernel
    from ._anneal_kernels import nets_of_parts

    light = sample(traffic, _ANNEAL_PINS, seed)
    slot = placement.astype(np.int32).copy()
    if light.n_nets == 0 or light.n_parts < 2 or fixed >= light.n_parts:
        return slot
    nets_ptr, nets = nets_of_parts(light.n_parts, light.source, light.ptr, light.parts)
    # Pins that one proposal looks at: those of the nets of two parts.
    pins = np.diff(light.ptr)[nets].sum() / light.n_parts * 2 + 20
    enough = min(300 * light.n_parts + 20_000, max(_ANNEAL_MOVES, 100 * light.n_parts))
    proposals = int(effort * min(enough, _ANNEAL_WORK / pins))
    if proposals < light.n_parts:
        # So dense that a move costs as much as judging the whole placement: nothing to gain in this time.
        return slot
    kernel(
        light.source, light.ptr, light.parts, light.weight, nets_ptr, nets, slot, machine.pes, machine.usable,
        machine.pes_per_chip, machine.neighbour, proposals, hot, cold, seed, fixed, *model(machine).arguments,
    )  # fmt: skip
    return slot


def anneal(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """The two-level placement, annealed."""
    return refine(traffic, machine, metis_qap(traffic, machine, seed), seed)


METHODS: Mapping[str, Placer] = {
    "row_major": row_major,
    "hilbert": hilbert,
    "cuthill_mckee": cuthill_mckee,
    "metis_qap": metis_qap,
    "anneal": anneal,
    "spread": spread,
}
"""Placement algorithms: functions of (traffic, machine, seed) that return the global PE of each part."""


def place(traffic: Traffic, machine: Machine, *, seed: int = 0, method: str = "portfolio") -> Ints:
    """Give every part a PE of its own.

    Parameters
    ----------
    traffic : Traffic
    machine : Machine
    seed : int
        The same seed gives the same placement.
    method : str
        "portfolio" (default): the best of row-major, Hilbert and METIS starts, annealed; by the exact cost it is never
        worse than row-major. Or a key of :data:`METHODS`.

    Returns
    -------
    int32 (parts,)
        Global PE index of each part.

    Raises
    ------
    MappingError
        If there are more parts than PEs, or no such method.
    """
    if method in METHODS:
        return METHODS[method](traffic, machine, seed)
    if method != "portfolio":
        raise MappingError(f"no placement method {method!r}; there is portfolio, {', '.join(METHODS)}", method=method)
    starts = [METHODS[name](traffic, machine, seed) for name in ("row_major", "hilbert", "metis_qap")]
    price = [placement_cost(traffic, start, machine).total for start in starts]
    best = int(np.argmin(price))
    refined = refine(traffic, machine, starts[best], seed)
    return refined if placement_cost(traffic, refined, machine).total < price[best] else starts[best]
