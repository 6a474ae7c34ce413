"""How synapses are stored for the CPU engine, and the kernels that deliver events through them.

Each storage form is a module: its arrays, and how its kernel is printed. :func:`choose` picks one for each projection.

- :mod:`.lists`: targets one after another, for everything.
- :mod:`.bits`: one bit for each pair, for dense connections of one weight and one delay.
- :mod:`.matrix`: weights from all to all.
- :mod:`.geometry`: convolutions and pooling.
"""

from .choice import Choice, choose
from .forecast import stored_forecast
from .frame import HEAD, Traffic
from .stored import Chooser, Form, Stored, store

__all__ = ["HEAD", "Choice", "Chooser", "Form", "Stored", "Traffic", "choose", "store", "stored_forecast"]
