"""Partitioning: which neurons share a processing element.

Every algorithm is a function ``(graph, limits, seed) -> part`` over plain data; ``partition`` runs one of them or the
best of several. The two limits of a part, bytes and neurons, are exact and never exceeded.
"""

from .api import ALGORITHMS, Partition, partition
from .balanced import balanced
from .check import check_partition
from .metrics import copies_per_spike, part_bytes, part_counts

__all__ = [
    "ALGORITHMS",
    "Partition",
    "balanced",
    "check_partition",
    "copies_per_spike",
    "part_bytes",
    "part_counts",
    "partition",
]
