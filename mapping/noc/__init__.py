"""What the packets meet on their way: link loads, an analytic latency estimate, and a packet-level event model."""

from .analytic import LinkReport, link_report, md1_wait
from .event import Flow, send_packets, simulate
from .timing import Timing, timing

__all__ = ["Flow", "LinkReport", "Timing", "link_report", "md1_wait", "send_packets", "simulate", "timing"]
