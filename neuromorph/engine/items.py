"""Fields of the items that kernels read: int64 numbers and addresses, in this order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

STEP = (
    "lo",  # neurons [lo, hi) are this call's
    "hi",
    "seed",
    "first_id",  # global id of neuron 0
    "floats",  # addresses of the buffers of the layout
    "ints",
    "float_ring",  # (slots, float ports, stride): sums that will arrive
    "int_ring",  # (slots, int ports, stride)
    "ring_mask",  # slots - 1
    "mask",  # uint8 (stride,): who fired
    "fired",  # uint32 (rows, stride): indices of events, row = step & event_mask; written from lo on
    "values",  # float (rows, stride): values of graded events
    "counts",  # int64 (rows,): number of events of this call's segment
    "event_mask",  # rows of the event lists - 1
)
"""Advance a population and list its events."""

REPLAY = (
    "lo",
    "hi",
    "step_ptr",  # int64 (steps + 1,)
    "steps",
    "indices",  # uint32 (events,)
    "given",  # float (events,), or 0
    "stride",
    "fired",
    "values",
    "counts",  # as for STEP
    "wide",  # 4-byte words of a float
    "event_mask",
)
"""Emit the events of a source population."""

LOOKUP = (
    "lo",
    "hi",
    "table",  # float (rows, columns)
    "columns",
    "ids",  # int32 (steps, lanes): row, or -1
    "steps",
    "lanes",  # elements for each column, side by side: each lane emits a row of its own
    "stride",
    "fired",
    "values",
    "counts",  # as for STEP
    "wide",  # 4-byte words of a float
    "event_mask",
)
"""Emit a row of a table."""

FOLLOW = ("lo", "hi", "state", "stride", "fired", "counts", "event_mask")
"""Emit an event where a state, int32 (neurons,), of another population is not 0."""

RECORD_EVENTS = (
    "fired",
    "values",  # or 0
    "counts",
    "starts",
    "segments",
    "stride",
    "steps_out",  # int64 (capacity,)
    "ids_out",  # uint32 (capacity,)
    "values_out",  # float (capacity,)
    "length",  # where the number of events in the buffer stands
    "capacity",
    "most",  # events that one window can bring
    "stop",  # where to name the last step
    "wide",
    "event_mask",
)
"""Append a population's events to a buffer."""

RECORD_STATE = ("lo", "hi", "size", "source", "every", "out", "first_row", "wide")
"""Copy a variable to a buffer (rows, size), every n-th step; the number of its first row stands at ``first_row``."""

COUNT = ("fired", "counts", "starts", "segments", "stride", "totals", "first", "last", "event_mask")
"""Count events by neuron in a window of steps."""

DRIVE = (
    "threads",
    "barrier",
    "stop",  # where a recorder names the last step
    "window",  # steps of updates between two meetings of the threads
    "updates",  # table of (function, item) pairs
    "n_updates",
    "deliveries",  # the same; runs group by group
    "groups",  # int64 (n_groups + 1,): where each group of deliveries begins
    "n_groups",
    "offset",
    "next",  # written: where the run ended
)
"""Run steps: see :mod:`neuromorph.engine.schedule`."""

BATCH = ("drive", "steps", "copies", "n_copies", "rows", "n_rows", "totals", "n_totals")
"""Run samples: the driver's item, and tables of (source, target, words) to restore, (all samples, target, words) to set
and (counter's item, totals of the first sample, bytes of a sample) to count."""


def make_item(fields: Sequence[str], **values: int) -> npt.NDArray[np.int64]:
    """An item: the values in the order of its fields, which must all be given, and no others."""
    if set(values) != set(fields):
        raise KeyError(f"an item with fields {tuple(fields)} was given {tuple(values)}")
    return np.array([values[name] for name in fields], np.int64)
