"""A trained recurrent network that reads Braille letters by touch, from its NIR graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange import from_nir
from neuromorph.network import Network
from neuromorph.units import second

_DATA = Path(__file__).parent / "data" / "braille"

#: Time step that the network was trained with.
DT = 1e-4 * second


def sample() -> npt.NDArray[np.uint8]:
    """Events of one touch of the letter A, shape (256 steps, 12 channels)."""
    return np.asarray(np.load(_DATA / "ds_test_sample0_input.npy"))


def recorded_activity() -> npt.NDArray[np.float32]:
    """Events of the hidden layer that snnTorch recorded for :func:`sample`, shape (256, 38)."""
    return np.asarray(np.load(_DATA / "snntorch_activity_noDelay_bias_zero.npy"))


def reader(events: npt.NDArray[Any]) -> Network:
    """The network (12 inputs, 38 recurrent neurons, 7 letters) with ``events`` as its input.

    Parameters
    ----------
    events : array, shape (steps, 12)
        Non-zero where a channel has an event.

    Returns
    -------
    Network
        Populations ``touch``, ``hidden`` and ``letters``. Step t of the sample is step t + 1 of ``hidden`` and t + 2 of
        ``letters``.
    """
    return from_nir(
        _DATA / "braille_noDelay_bias_zero.nir",
        dt=DT,
        events=events,
        names={"input": "touch", "lif1.lif": "hidden", "lif2": "letters"},
    )
