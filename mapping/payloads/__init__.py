"""Events as payloads: one run's events under many encodings, and what each costs on the way."""

from .coded import coded
from .encodings import LAYOUTS, Encoding, encodings
from .packets import Packets, Sent, packets_of, sent_events
from .replay import Errors, Outcome, PayloadComparison, replay
from .rerun import Rerun, reruns
from .table import draw, save_figure
from .values import VALUES, Range, ValueCode, value_code

__all__ = [
    "LAYOUTS",
    "VALUES",
    "Encoding",
    "Errors",
    "Outcome",
    "Packets",
    "PayloadComparison",
    "Range",
    "Rerun",
    "Sent",
    "ValueCode",
    "coded",
    "draw",
    "encodings",
    "packets_of",
    "replay",
    "reruns",
    "save_figure",
    "sent_events",
    "value_code",
]
