"""What the packets meet on their way: link loads, an analytic latency estimate, and a packet-level event model."""

from .analytic import LinkReport, link_report, md1_wait
from .event import Flow, Forest, forest, machine_forest, send_packets, simulate
from .replay import StepFlows, replay
from .timing import Timing, timing

__all__ = [
    "Flow",
    "Forest",
    "LinkReport",
    "StepFlows",
    "Timing",
    "forest",
    "link_report",
    "machine_forest",
    "md1_wait",
    "replay",
    "send_packets",
    "simulate",
    "timing",
]
