"""What a NIR file does not hold, and has to be said: the step, what a spike does, how equations are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.firing import DELAYED, RESETS
from neuromorph.interchange.nir.neurons import STEPPING
from neuromorph.units import TIME, Quantity, second, si_value

#: When an event arrives along a connection without a delay, unless it is recurrent.
FORWARD = ("same", "next")


@dataclass(frozen=True)
class Options:
    """How a graph is read; as numbers and words, which is how a graph's metadata hold it.

    Attributes
    ----------
    dt : float
        Seconds.
    reset, method, forward : str
    time_unit : float
        Seconds.
    """

    dt: float
    reset: str = "zero"
    method: str = "euler"
    forward: str = "same"
    time_unit: float = 1.0

    @property
    def step(self) -> float:
        """A step in the file's unit of time."""
        return self.dt / self.time_unit

    def metadata(self) -> dict[str, Any]:
        """For a graph's metadata."""
        return asdict(self)


def read_options(
    function: str,
    kept: Mapping[str, Any],
    dt: Quantity | None,
    reset: str | None,
    method: str | None,
    forward: str | None,
    time_unit: Quantity | None,
) -> Options:
    """What the caller says, or else what the graph's metadata say, or else the default.

    Raises
    ------
    NetworkError
        If an option is wrong, or nothing says how long a step is.
    """
    if dt is None and "dt" not in kept:
        raise NetworkError(
            f"{function}: a NIR graph holds no time step; give the one that the network was made for, as in dt=0.1 * ms"
        )
    made = Options(
        float(kept["dt"]) if dt is None else float(si_value(dt, TIME, f"{function}: dt")),
        str(kept.get("reset", "zero")) if reset is None else reset,
        str(kept.get("method", "euler")) if method is None else method,
        str(kept.get("forward", "same")) if forward is None else forward,
        float(kept.get("time_unit", 1.0))
        if time_unit is None
        else float(si_value(time_unit, TIME, f"{function}: time_unit")),
    )
    if made.reset not in RESETS:
        raise NetworkError(f"{function}: reset={made.reset!r}; give one of {', '.join(RESETS)}")
    if made.forward not in FORWARD:
        raise NetworkError(f"{function}: forward={made.forward!r}; give one of {', '.join(FORWARD)}")
    if made.method not in STEPPING:
        raise NetworkError(f"{function}: method={made.method!r}; give one of {', '.join(STEPPING)}")
    if made.reset in DELAYED and made.method != "euler":
        raise NetworkError(
            f"{function}: reset={made.reset!r} is part of a step of forward Euler; give method='euler', not "
            f"{made.method!r}"
        )
    if not (0 < made.dt < inf and 0 < made.time_unit < inf):
        raise NetworkError(
            f"{function}: dt={made.dt * second} and time_unit={made.time_unit * second}; give times above 0"
        )
    return made
