"""Devices for Brian 2: importing this module makes them known to it.

    import neuromorph.brian2
    set_device("neuromorph")

``"neuromorph"`` runs a script on the CPU; its options are those of :class:`neuromorph.CPU`, or ``target=`` with any
target, such as ``Reference()``, which compiles nothing. ``"neuromorph_spinnaker2"`` maps it onto simulated SpiNNaker2
chips; its options are those of :class:`neuromorph.mapping.spinnaker2.SpiNNaker2`. Floats are as wide as Brian 2's
preference ``core.default_float_dtype`` says on the CPU, 32 bits on chips.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import prefs
from brian2.devices.device import all_devices

from neuromorph.engine.cpu import CPU
from neuromorph.engine.target import Target
from neuromorph.errors import TargetError
from neuromorph.interchange.brian2.device.device import NeuromorphDevice

__all__ = ["NeuromorphDevice"]


def _cpu(target: Target | None = None, **options: Any) -> Target:
    if target is None:
        return CPU(**{"dtype": np.dtype(prefs.core.default_float_dtype).name} | options)
    if options:
        raise TargetError(f"target= and {', '.join(options)}=: give the options to the target")
    return target


def _spinnaker2(**options: Any) -> Target:
    from neuromorph.mapping.spinnaker2 import SpiNNaker2

    return SpiNNaker2(**options)


all_devices.setdefault("neuromorph", NeuromorphDevice(_cpu))
all_devices.setdefault("neuromorph_spinnaker2", NeuromorphDevice(_spinnaker2))
