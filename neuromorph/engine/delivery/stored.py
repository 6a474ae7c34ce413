"""A projection as the CPU engine keeps it: who it joins, and its synapses in a storage form of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.network.rules.rule import target_dtype
from neuromorph.network.synapses import Synapses

from .choice import Choice, choose
from .frame import Traffic

Array = npt.NDArray[Any]
Chooser = Callable[[Synapses, Traffic], Choice]


class Form(Protocol):
    """One way of storing synapses."""

    def arrays(self) -> dict[str, int]:
        """Bytes of each array."""
        ...

    def items(self, head: dict[str, int], traffic: Traffic, lo: int, hi: int) -> list[npt.NDArray[np.int64]]:
        """Items of the kernel that deliver to targets ``[lo, hi)``; ``head`` holds the fields of ``frame.HEAD``."""
        ...

    def source(self, traffic: Traffic) -> str:
        """The generated module of the kernel."""
        ...

    def rows(self) -> dict[str, Array | None]:
        """The same connections as the arrays of plain synapses, in the order of sums."""
        ...


@dataclass(frozen=True, eq=False)
class Stored:
    """One projection, stored.

    Attributes
    ----------
    name, index, pre, post, port, n_pre, n_post, weight_scale
        As in :class:`~neuromorph.network.synapses.Synapses`.
    count : int
        Synapses.
    min_delay, max_delay : int
        Steps.
    traffic : Traffic
    form : Form
    reason : str
        Why it has this form.
    """

    name: str
    index: int
    pre: int
    post: int
    port: int
    n_pre: int
    n_post: int
    weight_scale: float | None
    count: int
    min_delay: int
    max_delay: int
    traffic: Traffic
    form: Form
    reason: str

    def expanded(self) -> Synapses:
        """The same connections as plain rows."""
        ends = (self.name, self.index, self.pre, self.post, self.port, self.n_pre, self.n_post)
        return Synapses(*ends, **self.form.rows(), weight_scale=self.weight_scale)  # type: ignore[arg-type]


def store(synapses: Synapses, traffic: Traffic, chooser: Chooser = choose, *, consume: bool = False) -> Stored:
    """Bring a projection into the form that ``chooser`` names.

    Parameters
    ----------
    synapses : Synapses
    traffic : Traffic
    chooser : function of (synapses, traffic), optional
        Default: :func:`~.choice.choose`.
    consume : bool
        Nobody else needs the arrays of ``synapses``: those that are writeable may be written over.
    """
    choice = chooser(synapses, traffic)
    return Stored(
        name=synapses.name,
        index=synapses.index,
        pre=synapses.pre,
        post=synapses.post,
        port=synapses.port,
        n_pre=synapses.n_pre,
        n_post=synapses.n_post,
        weight_scale=synapses.weight_scale,
        count=synapses.count,
        min_delay=synapses.min_delay,
        max_delay=synapses.max_delay,
        traffic=traffic,
        form=_make(synapses, choice, consume),
        reason=choice.reason,
    )


def _make(synapses: Synapses, choice: Choice, consume: bool) -> Form:
    if choice.form == "geometry":
        from .geometry import make_geometry

        return make_geometry(synapses)
    if choice.form == "matrix":
        from .matrix import make_matrix

        return make_matrix(synapses)
    if choice.form == "bits":
        from .bits import make_bits

        return make_bits(synapses)
    from .lists import make_lists

    return make_lists(listed(synapses), consume)


def listed(synapses: Synapses) -> Synapses:
    """The same synapses with a list of targets."""
    plain = synapses.expanded()
    if plain.row_ptr is not None:
        return plain
    row_ptr = np.arange(plain.n_pre + 1, dtype=np.int64) * plain.n_post
    targets = np.tile(np.arange(plain.n_post, dtype=target_dtype(plain.n_post)), plain.n_pre)
    return replace(plain, row_ptr=row_ptr, targets=targets)
