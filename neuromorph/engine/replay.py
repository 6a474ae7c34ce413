"""What sources emit, as the fields of the items that their kernels read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neuromorph.lowering.program import EventList, EventTable, Replay

from .items import LOOKUP, REPLAY, make_item
from .memory import Array, address


def kernel_name(replay: Replay) -> str:
    """The fixed kernel that emits these events."""
    return "lookup" if isinstance(replay, EventTable) else "replay"


def event_fields(replay: Replay, dtype: str) -> tuple[npt.NDArray[np.int64], list[Array]]:
    """The fields :func:`event_slice` of a source's item, and the arrays that they point into.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the run.
    """
    if isinstance(replay, EventTable):
        ids = np.ascontiguousarray(replay.ids, np.int32)
        return np.array([address(ids), len(ids)], np.int64), [ids]
    step_ptr = np.ascontiguousarray(replay.step_ptr, np.int64)
    indices = np.ascontiguousarray(replay.indices, np.uint32)
    values = None if replay.values is None else np.ascontiguousarray(replay.values, dtype)
    fields = [address(step_ptr), len(step_ptr) - 1, address(indices), address(values)]
    return np.array(fields, np.int64), [array for array in (step_ptr, indices, values) if array is not None]


def event_slice(replay: Replay) -> slice:
    """Where the fields of a source's item stand that say which events it emits."""
    if isinstance(replay, EventTable):
        return slice(LOOKUP.index("ids"), LOOKUP.index("steps") + 1)
    return slice(REPLAY.index("step_ptr"), REPLAY.index("given") + 1)


def replay_item(
    replay: Replay, fields: npt.NDArray[np.int64], size: int, common: dict[str, int]
) -> npt.NDArray[np.int64]:
    """The item of a source.

    Parameters
    ----------
    fields : int64
        Of :func:`event_fields`.
    size : int
        Elements of the population; more than the table has columns if it is widened to lanes.
    common : dict
        All other fields, but those of the table.
    """
    if isinstance(replay, EventTable):
        ids, steps = fields.tolist()
        columns = replay.table.shape[1]
        table = {"table": address(replay.table), "columns": columns, "lanes": size // columns}
        return make_item(LOOKUP, **common, **table, ids=ids, steps=steps)
    step_ptr, steps, indices, given = fields.tolist()
    return make_item(REPLAY, **common, step_ptr=step_ptr, steps=steps, indices=indices, given=given)


def woven(samples: Sequence[Replay]) -> Replay:
    """Events of several samples, one for each lane, as those of a widened source."""
    first = samples[0]
    if isinstance(first, EventTable):
        lists = [each.ids for each in samples if isinstance(each, EventTable)]
        ids = np.full((max(map(len, lists)), len(lists)), -1, np.int32)
        for lane, each in enumerate(lists):
            ids[: len(each), lane] = each
        return EventTable(first.table, ids)
    return _woven_lists([each for each in samples if isinstance(each, EventList)])


def _woven_lists(samples: list[EventList]) -> EventList:
    lanes = len(samples)
    length = max(len(each.step_ptr) for each in samples)
    steps = np.concatenate([np.repeat(np.arange(len(s.step_ptr) - 1), np.diff(s.step_ptr)) for s in samples])
    counts = [len(s.indices) for s in samples]
    lane = np.repeat(np.arange(lanes), counts)
    elements = np.concatenate([s.indices.astype(np.int64) for s in samples]) * lanes + lane
    order = np.lexsort((elements, steps))
    given = [s.values for s in samples if s.values is not None]
    values = np.concatenate(given)[order] if given else None
    step_ptr = np.searchsorted(steps[order], np.arange(length)).astype(np.int64)
    return EventList(step_ptr, elements[order].astype(np.uint32), values)
