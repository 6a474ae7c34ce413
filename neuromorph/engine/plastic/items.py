"""Fields of the items that plastic kernels read, as in :mod:`neuromorph.engine.items`."""

from __future__ import annotations

PLASTIC = (
    "states",  # int64 (states,): address of each state's values; of this thread's copy for those of source neurons
    "floats",  # parameters of all updates
    "ints",
    "views",  # int64 (views, 3): address of the values, elements of a row, mask of the rows
    "lag",  # steps that views of source neurons and of the third factor take
    "n_pre",
    "lo",  # targets [lo, hi) are this call's
    "hi",
    "sent",  # steps since the events were sent that act now
    "begin",  # int64 (n_pre,): this call's part of each row
    "end",
    "index",  # number of each synapse, in the rows that list them
    "origin",  # int64 (n_pre,): neuron that views see for each source, where one neuron's synapses have several
    "targets",
    "fired",  # uint32 (rows, stride): events of the source population, row = step & event_mask
    "values",
    "counts",  # int64 (segments, rows)
    "starts",  # int64 (segments,)
    "segments",
    "stride",
    "event_mask",
    "ring",  # (slots, ports, stride of the target population): sums that arrive
    "ring_mask",
    "row",  # ports * stride
    "port",  # offset of the port in a slot
    "offsets",  # int64 (outputs,): the same of each output's port
    "scale",  # bits of a float64: SI value of one unit of the weight
    "columns",  # int64 (n_post + 1,): where each target's synapses begin in column
    "column",  # number of each synapse, by target
    "column_source",  # its source
    "post_fired",  # uint32: where this call's events of the target population begin, in row 0
    "post_counts",  # int64 (rows,): how many they are
    "post_stride",
    "post_mask",
    "seed",  # of the numbers that synapses draw
)
"""Advance, deliver to and update the synapses of one delay whose targets are in a range."""

KEEP = ("source", "ring", "row", "mask", "lo", "hi", "wide")
"""Copy what a view with a lag sees of neurons [lo, hi) to the row of this step."""

RECORD_PICKED = ("values", "picks", "columns", "count", "every", "out", "first_row", "size", "wide")
"""Copy values number ``picks`` to ``columns`` of a row of a buffer (rows, size), every n-th step."""

COUNT_TARGETS = ("targets", "width", "count", "totals")
"""Count how many synapses each target has; totals are int64 (n_post,)."""

FILL_COLUMNS = ("targets", "width", "row_ptr", "n_pre", "next", "column", "column_width", "source", "source_width")
"""List the synapses of some rows by target; ``next`` holds the next free place of each target."""
