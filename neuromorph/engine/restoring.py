"""What every engine does to save its state and to take one back: find out what changed, and whether it fits."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckpointError
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.quantise import weights_text

from .checkpoint import Checkpoint, PopulationState
from .run_meta import versions

if TYPE_CHECKING:
    from neuromorph.network import Network

Array = npt.NDArray[Any]

_IDENTITY = {
    "key": "another network",
    "dt": "steps of another length",
    "dtype": "another float type",
    "weights": "another quantisation of weights",
}
"""What a checkpoint and the program that takes it must agree on."""


class Checkpointed(Protocol):
    """What a program has that can be checkpointed."""

    network: Network
    lowered: LoweredNetwork
    step: int

    @property
    def about(self) -> Mapping[str, str]:
        """The network's text and hash when it was compiled."""
        ...

    @property
    def target(self) -> Any:
        """The target, which may have ``weights``."""
        ...


def take(
    program: Checkpointed,
    neurons: Sequence[object],
    states: Iterable[tuple[Mapping[str, Array], Mapping[str, Array]]],
    extra: Mapping[str, Array] | None = None,
    plastic: Mapping[str, Mapping[str, Array]] | None = None,
) -> Checkpoint:
    """The checkpoint of a program.

    Parameters
    ----------
    neurons : sequence of Neuron or source
        Of each population, with the values that it has now.
    states : iterable of (states, arriving)
        Of each population; see :class:`PopulationState`.
    extra, plastic : mappings
        See :class:`Checkpoint`.
    """
    populations = {}
    for lowered, neuron, (values, arriving) in zip(program.lowered.populations, neurons, states, strict=True):
        changed = _changed_values(program, lowered.index, neuron)
        trimmed = {port: _without_empty_rows(sums) for port, sums in arriving.items()}
        populations[lowered.name] = PopulationState(values, trimmed, changed)
    about = {"text": program.about["network"], "target": repr(program.target), "versions": repr(versions())}
    return Checkpoint(
        **_identity(program),
        network=program.network.name,
        step=program.step,
        populations=populations,
        extra=dict(extra or {}),
        plastic=dict(plastic or {}),
        about=about,
    )


def checked(program: Checkpointed, source: Checkpoint | str | PathLike[str]) -> Checkpoint:
    """The checkpoint given or in a file, if it belongs to this program's network and arithmetic.

    Raises
    ------
    CheckpointError
        It cannot be read, or it is of another network, step length or arithmetic.
    """
    saved = source if isinstance(source, Checkpoint) else Checkpoint.load(source)
    subject = f"{saved!r}" if isinstance(source, Checkpoint) else fspath(source)
    for name, expected in _identity(program).items():
        found = getattr(saved, name)
        if found != expected:
            what = f"named {saved.network}" if name == "key" else f"{found or None!r}"
            have = f"{program.network.name}" if name == "key" else f"{expected or None!r}"
            advice = (
                "compile the network that was saved, and change parameters with set() after restoring"
                if name == "key"
                else f"compile with the {name} that it was saved with"
            )
            raise CheckpointError(
                f"{subject}: the checkpoint is of {_IDENTITY[name]} ({what}, here {have}); {advice}",
                found=found,
                expected=expected,
            )
    if saved.about.get("versions") != repr(versions()):
        warnings.warn(
            f"{subject} was saved by other versions ({saved.about.get('versions')}); the run may go on differently "
            "than there",
            RuntimeWarning,
            stacklevel=3,
        )
    return saved


def restored_neuron(program: Checkpointed, index: int, saved: PopulationState, present: object = None) -> Neuron | None:
    """The neuron of a population with the values that it had when it was saved; None for sources.

    ``present`` is the one that it has now, which stays if its values are those.
    """
    neuron = program.network.populations[index].neuron
    if not isinstance(neuron, Neuron):
        return None
    if not saved.values:
        return neuron
    if isinstance(present, Neuron) and _equal(_changed_values(program, index, present), saved.values):
        return present
    merged = {**dict(neuron.values), **saved.values}
    order = [*(param.name for param in neuron.params), *(state.name for state in neuron.states)]
    return replace(neuron, values=tuple((name, merged[name]) for name in order if name in merged))


def fill_ring(ring: Array, step: int, arriving: Array, subject: str) -> None:
    """Lay what arrives from ``step`` on into a ring (slots, neurons), whose other rows become zero.

    Raises
    ------
    CheckpointError
        More steps ahead than the ring reaches.
    """
    slots = len(ring)
    if len(arriving) > slots:
        raise CheckpointError(
            f"{subject}: events arrive up to {len(arriving)} steps ahead, and here the longest delay is {slots}: the "
            "checkpoint is of a machine on which packets were late. Restore it there",
            found=len(arriving),
            expected=slots,
        )
    ring[...] = 0
    for k, row in enumerate(arriving):
        ring[(step + k) % slots, : row.size] = row


def ring_rows(ring: Array, step: int, size: int) -> Array:
    """A ring (slots, at least ``size``) in the order of arrival, as a copy."""
    slots = len(ring)
    return np.asarray(ring[(step + np.arange(slots)) % slots, :size])


def network_key(text: str) -> str:
    """Hash of a network's text without its name and what it records: what its events depend on."""
    lines = [
        line.removesuffix(" not recorded") if line.startswith("population ") else line
        for line in text.splitlines()
        if not line.startswith(("network ", "record "))
    ]
    return sha256("\n".join(lines).encode()).hexdigest()


def stretches(first: int, last: int, every: int | None) -> Iterator[int]:
    """Where a run from ``first`` to ``last`` writes checkpoints: after every so many steps, and at its end."""
    if every is not None:
        yield from range(first + every, last, every)
    yield last


def _identity(program: Checkpointed) -> dict[str, Any]:
    lowered = program.lowered
    return {
        "key": network_key(program.about["network"]),
        "dt": lowered.dt,
        "dtype": lowered.dtype,
        "weights": weights_text(getattr(program.target, "weights", None)),
    }


def _changed_values(program: Checkpointed, index: int, neuron: object) -> dict[str, Array]:
    """Values of parameters and initial states that are not those of the network."""
    from neuromorph.lowering.values import given_numbers

    compiled = program.network.populations[index].neuron
    if not isinstance(neuron, Neuron) or not isinstance(compiled, Neuron) or neuron is compiled:
        return {}
    before, size = dict(compiled.values), program.lowered.populations[index].size
    return {
        name: given_numbers(neuron, name, size, program.lowered.seed, index)
        for name, value in neuron.values
        if name not in before or before[name] is not value
    }


def _equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def _without_empty_rows(sums: Array) -> Array:
    used = np.flatnonzero(sums.any(axis=1))
    return sums[: int(used[-1]) + 1 if used.size else 0]
