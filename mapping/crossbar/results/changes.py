"""How the events of one run differ from those of a digital run of the same data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.engine.target import Batch
from neuromorph.errors import TargetError
from neuromorph.trace import Trace, compare


@dataclass(frozen=True)
class Change:
    """How one population differs from the digital run.

    Attributes
    ----------
    population : str
    events : (int, int)
        In the digital run and here.
    differing : int
        Events that only one of the two has, or that have another value; from counts alone, at least so many.
    sample : int or None
        Of a batch, that with the first difference; None in a run that is no batch, and without any difference.
    step, neuron : int or None
        Where the first difference is, the step counted from the beginning of its sample; None if there is none, or if
        only counts are known.
    """

    population: str
    events: tuple[int, int]
    differing: int
    sample: int | None = None
    step: int | None = None
    neuron: int | None = None

    @property
    def share(self) -> float:
        """Events that differ, over the events of the digital run."""
        return self.differing / max(self.events[0], 1)

    @property
    def where(self) -> str:
        """The first difference in words; empty where there is none or it is not known."""
        if not self.differing or (self.sample is None and self.step is None):
            return ""
        sample = [] if self.sample is None else [f"sample {self.sample}"]
        return ", ".join(sample + ([] if self.step is None else [f"step {self.step}", f"neuron {self.neuron}"]))


def changes_of(reference: Trace | Batch, found: Trace | Batch) -> tuple[Change, ...]:
    """How each population differs from a digital run of the same data.

    Parameters
    ----------
    reference, found : Trace or Batch
        Of one kind. Batches with traces are compared event by event, others by the counts of each sample and neuron.

    Raises
    ------
    TargetError
        If they are not of one kind, or are of other samples.
    """
    if isinstance(reference, Batch) != isinstance(found, Batch):
        kinds = " and a ".join(type(each).__name__ for each in (reference, found))
        raise TargetError(f"a {kinds} cannot be compared: give two traces, or two batches of the same samples")
    if isinstance(reference, Batch) and isinstance(found, Batch):
        if (reference.samples, reference.steps) != (found.samples, found.steps):
            raise TargetError(
                f"batches of {reference.samples} samples of {reference.steps} steps and of {found.samples} of "
                f"{found.steps} cannot be compared: run the same samples"
            )
        if reference.trace is None or found.trace is None:
            return tuple(_counted(name, reference, found) for name in reference.counts)
        return _listed(reference.trace, found.trace, reference.steps)
    assert isinstance(reference, Trace)
    assert isinstance(found, Trace)
    return _listed(reference, found, None)


def _listed(reference: Trace, found: Trace, steps: int | None) -> tuple[Change, ...]:
    made = []
    for each in compare(reference, found).populations:
        if each.events is None:
            continue
        first = each.first
        sample = step = neuron = None
        if first is not None and first.step is not None:
            step, neuron = first.step, first.neuron
            sample, step = divmod(step, steps) if steps else (None, step)
        made.append(Change(each.population, each.events, each.differing, sample, step, neuron))
    return tuple(made)


def _counted(name: str, reference: Batch, found: Batch) -> Change:
    a, b = reference.counts[name], found.counts[name]
    apart = np.abs(a - b)
    samples = np.flatnonzero(apart.any(1))
    return Change(name, (int(a.sum()), int(b.sum())), int(apart.sum()), int(samples[0]) if len(samples) else None)
