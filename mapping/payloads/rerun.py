"""The run itself with the values that a code sends: which events come, and which do not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.engine import CPU
from neuromorph.trace import compare

from .coded import coded
from .replay import PayloadComparison
from .values import ValueCode

if TYPE_CHECKING:
    from neuromorph.network import Network
    from neuromorph.trace import Trace
    from neuromorph.units import Quantity


@dataclass(frozen=True)
class Rerun:
    """A run with coded values beside the run that sent floats.

    Attributes
    ----------
    code : str
    events : int
        Of all populations.
    missing, extra : int
        Events that the run with floats had, and this one has not; and the other way round.
    """

    code: str
    events: int
    missing: int
    extra: int

    @property
    def changed(self) -> float:
        """Share of the events of either run that the other does not have."""
        return (self.missing + self.extra) / max(self.events + self.missing, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**asdict(self), "changed": self.changed}


def reruns(network: Network, dt: Quantity, trace: Trace, compared: PayloadComparison) -> tuple[Rerun, ...]:
    """Run a network on the CPU once with each code that was compared, and hold its events against those of a trace.

    Parameters
    ----------
    network : Network
    dt : Quantity
    trace : Trace
        Of the network as it is; the runs are as long.
    compared : PayloadComparison
        For its codes and ranges.

    Raises
    ------
    NetworkError
        If values are given live.
    """
    codes: dict[str, ValueCode] = {each.encoding.values.name: each.encoding.values for each in compared.outcomes}
    found = []
    for name, code in codes.items():
        if code.exact:
            continue
        program = CPU().compile(coded(network, code, compared.ranges), dt=dt, progress=False)
        with program.run(trace.meta.steps, progress=False) as again:
            pairs = [each for each in compare(trace, again).populations if each.events is not None]
        found.append(
            Rerun(
                name,
                sum(each.events[1] for each in pairs if each.events is not None),
                sum(each.missing for each in pairs),
                sum(each.extra for each in pairs),
            )
        )
    return tuple(found)
