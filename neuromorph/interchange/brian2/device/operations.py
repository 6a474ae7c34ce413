"""Network operations: Python code of the user's that Brian 2 calls within its steps.

On the device they are called between steps, with everything that Brian 2 shows written out before, and taken in again
if they changed it. So an operation has to be the first or the last thing of its step, as operations are by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from brian2.core.base import BrianObject
from brian2.core.variables import ArrayVariable

from neuromorph.errors import CheckError
from neuromorph.interchange.brian2.device.monitors import KINDS
from neuromorph.interchange.brian2.device.task import Ended
from neuromorph.interchange.brian2.schedule import Schedule

Array = npt.NDArray[Any]
Shown = Mapping[tuple[str, str], Array]


@dataclass(frozen=True)
class Operations:
    """The network operations of a network, each with the steps of ours from one call to the next.

    Attributes
    ----------
    early, late : tuple of (NetworkOperation, int)
        Those before everything else in their steps, and those after it, each in Brian 2's order.
    """

    early: tuple[tuple[Any, int], ...]
    late: tuple[tuple[Any, int], ...]

    def __bool__(self) -> bool:
        return bool(self.early or self.late)

    def until(self, step: int, last: int) -> int:
        """Where a stretch of steps from ``step`` on is to end: where the next operation is called, or at the last."""
        ends = [last]
        ends += [(step // every + 1) * every for _, every in self.early]
        ends += [-(-step // every) * every + 1 for _, every in self.late]
        return min(ends)


def is_operation(thing: Any) -> bool:
    """Whether an object is a network operation."""
    return type(thing).__name__ == "NetworkOperation"


def operations_of(objects: Sequence[Any], schedule: Schedule) -> Operations:
    """The operations among the objects of a network.

    Parameters
    ----------
    objects : sequence of Brian 2 objects
        In the order of a step.
    schedule : Schedule

    Raises
    ------
    CheckError
        Of operations in the middle of a step, or with a step that is no multiple of the shortest.
    """
    acting = [thing for thing in objects if thing.active and _acts(thing)]
    early, late, problems = [], [], []
    for place, thing in enumerate(acting):
        if not is_operation(thing):
            continue
        every = schedule.every(thing)
        before = [o.name for o in acting[:place] if not is_operation(o)]
        after = [o.name for o in acting[place + 1 :] if not is_operation(o) and _is_touched(o)]
        if not every:
            problems.append(
                f"{thing.name}: its step of {float(thing.clock.dt_) * 1e3:g} ms is no multiple of the shortest in the "
                f"network, {schedule.dt * 1e3:g} ms"
            )
        elif not before:
            early.append((thing, every))
        elif not after:
            late.append((thing, every))
        else:
            problems.append(
                f"{thing.name}: it is called between {_some(before)} and {_some(after)}; a step of ours cannot be "
                "interrupted: give it when='before_start' and a low order=, or when='after_end' and a high one"
            )
    if problems:
        raise CheckError("this Brian 2 network cannot run here", problems)
    return Operations(tuple(early), tuple(late))


def call(operations: Iterable[tuple[Any, int]], step: int) -> None:
    """Call the operations whose turn is in this step."""
    for operation, every in operations:
        if step % every == 0 and operation.active:
            operation.run()


def shown(objects: Iterable[Any]) -> Shown:
    """A copy of all that operations could change: variables, and which objects are active."""
    found: dict[tuple[str, str], Array] = {}
    for thing in objects:
        found[thing.name, ""] = np.asarray(thing.active)
        if type(thing).__name__ in KINDS:
            continue
        for name, variable in getattr(thing, "variables", {}).items():
            if isinstance(variable, ArrayVariable) and getattr(variable.owner, "name", "") == thing.name:
                found[thing.name, name] = np.array(variable.get_value())
    return found


def same(one: Shown, other: Shown) -> bool:
    """Whether nothing has changed."""
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def run_between(
    run: Callable[[int, int, bool, bool], Ended],
    operations: Operations,
    network: Any,
    steps: tuple[int, int],
    tell_time: Callable[[int], None],
) -> Ended:
    """Run the steps of a network, and call its operations between them.

    Parameters
    ----------
    run : function
        Runs from a step to another; given whether nothing has changed since the last call, and whether to go on though
        the network was told to stop.
    operations : Operations
    network : brian2.Network
    steps : (first, last)
    tell_time : function
        Sets all clocks to a step.
    """
    step, last = steps
    left: Shown | None = None
    while True:
        tell_time(step)
        stopped = network._stopped
        call(operations.early, step)
        finish = network._stopped and not stopped  # Brian 2 makes the step in which it is told to stop
        end = step + 1 if finish else operations.until(step, last)
        still = left is not None and same(left, shown(network.sorted_objects))
        ended = run(step, end, still, finish)
        if ended.step < end:
            return ended
        step, left = end, shown(network.sorted_objects)
        tell_time(step - 1)
        call(operations.late, step - 1)
        if step == last or network._stopped:
            return ended


def _acts(thing: Any) -> bool:
    return bool(thing._code_objects) or type(thing).run is not BrianObject.run


def _is_touched(thing: Any) -> bool:
    """Whether what comes after an operation could see what it changes; monitors of events could not."""
    return type(thing).__name__ not in ("SpikeMonitor", "EventMonitor", "PopulationRateMonitor")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
