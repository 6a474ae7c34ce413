"""From levels to what cells really hold: programming, verification, faults, age, temperature, noise of reads.

All of it works on one block of one array at a time; :mod:`.chip` goes through a plan. Random numbers are those of
:mod:`._programming_kernels`: a cell's depend on the seed and its place alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine.devices import Device, load_device
from ..machine.effects import Effects
from ..machine.machine import CrossbarMachine

Float64 = npt.NDArray[np.float64]

SHARES = np.linspace(0.0, 1.0, 4097)
"""Where the kernels' tables of a device's curves have their entries."""
_NONE = np.zeros(len(SHARES))


@dataclass(frozen=True, eq=False)
class Cells:
    """How the cells of a machine behave under some effects.

    Attributes
    ----------
    machine : CrossbarMachine
    effects : Effects
    seed : int
        64 bits are used.
    """

    machine: CrossbarMachine
    effects: Effects
    seed: int

    @cached_property
    def low(self) -> float:
        """Conductance of level 0 as a share of the highest."""
        return self.machine.g_min / self.machine.g_max if self.effects.on_off else 0.0

    def step(self, top: float) -> float:
        """Share of the highest conductance that one level is, if level `top` stands for the highest."""
        return (1.0 - self.low) / top

    @cached_property
    def device(self) -> Device:
        """The device of the machine's cells.

        Raises
        ------
        MappingError
            If the machine names none.
        """
        given = self.machine.device
        if given is None:
            needed = set(self.effects.on()) & {"programming", "verify", "read_noise", "drift", "temperature"}
            raise MappingError(
                f"crossbar machine {self.machine.name} says nothing about the device of its cells, which the effects "
                f"{', '.join(sorted(needed))} need; load the machine with device='sonos_40nm' or another preset",
                machine=self.machine.name,
            )
        return load_device(given) if isinstance(given, str) else given

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What the results rest on that is not published."""
        time, found = self.effects.time, []
        if self.effects.drift and time > self.device.known_until:
            found.append(
                f"drift of {self.device.name} at {time:.3g} s is extrapolated: it was measured up to "
                f"{self.device.known_until:.3g} s"
            )
        return tuple(found)

    @cached_property
    def ages(self) -> bool:
        """Whether cells differ from what programming left in them."""
        return self.effects.drift or self.effects.temperature is not None

    def prepare(self) -> None:
        """Make every table, so that what a device lacks is told before any work.

        Raises
        ------
        MappingError
        """
        _ = self.read_table, self.write_table, self.drifted, self.gain, self.stuck

    @property
    def rounds(self) -> int:
        """Programmings of a cell at most."""
        return 1 if self.effects.verify is None else self.effects.verify.rounds

    @cached_property
    def stuck(self) -> Float64:
        """Shares of cells that are stuck low and high, float64 (2,)."""
        return np.array([self.effects.stuck_low, self.effects.stuck_high])

    @cached_property
    def write_table(self) -> Float64:
        """Programming error at :data:`SHARES`."""
        return self.device.programming_sd(SHARES) if self.effects.programming else _NONE

    @cached_property
    def read_table(self) -> Float64:
        """Standard deviation of a read at :data:`SHARES`, now."""
        return self._read(self.effects.time)

    def _read(self, time: float) -> Float64:
        return self.device.read_sd(SHARES, time) if self.effects.read_noise else _NONE

    @cached_property
    def drifted(self) -> tuple[Any, ...]:
        """Decay, and tables of the mean and spread of nu, of the shift and of the spread, now."""
        if not self.effects.drift:
            return (0.0, _NONE, _NONE, _NONE, _NONE)
        now = self.device.drift_at(SHARES, self.effects.time)
        return (now.decay, now.nu_mean, now.nu_sd, now.shift, now.spread)

    @cached_property
    def gain(self) -> Float64:
        """Factor of the temperature on conductances at :data:`SHARES`."""
        kelvin = self.effects.temperature
        return np.ones(len(SHARES)) if kelvin is None else self.device.temperature_factor(SHARES, kelvin)

    def write(
        self,
        place: tuple[int, int, int],
        levels: npt.NDArray[Any],
        top: float,
        held: npt.NDArray[Any],
        rounds: npt.NDArray[np.int64],
    ) -> int:
        """Program the cells of a block.

        Parameters
        ----------
        place : (array, row, column)
            Physical place of the block's first cell.
        levels : float (R, C)
            Targets.
        top : float
            Level that stands for the highest conductance.
        held : float (R, C)
            Written: what the cells hold right after programming, in levels.
        rounds : int64 (rounds + 1,)
            Added to: cells that were programmed so many times.

        Returns
        -------
        int
            Cells that verification gave up.
        """
        from ._programming_kernels import write

        if not self.effects.programming and not self.stuck.any():
            held[...] = levels
            rounds[1] += levels.size
            return 0
        verify, step = self.effects.verify, self.step(top)
        tolerance = np.inf if verify is None else verify.tolerance * step
        read = self._read(0.0) if verify else _NONE
        array, row, column = map(np.uint64, place)
        sd, stuck = self.write_table, self.stuck
        missed = write(
            self._key, array, row, column, levels, self.low, step, sd, read, tolerance, self.rounds, stuck, held, rounds
        )
        return int(missed)

    def age(self, place: tuple[int, int, int], levels: npt.NDArray[Any], top: float, held: npt.NDArray[Any]) -> None:
        """Bring programmed cells to the effects' time and temperature, in place; see :meth:`write`."""
        from ._programming_kernels import age

        array, row, column = map(np.uint64, place)
        low, step, gain, stuck = self.low, self.step(top), self.gain, self.stuck
        decay, nu, nu_sd, shift, spread = self.drifted
        age(self._key, array, row, column, levels, low, step, decay, nu, nu_sd, shift, spread, gain, stuck, held)

    def noise(self, size: npt.NDArray[Any], top: float, sigma: npt.NDArray[Any]) -> None:
        """Write the standard deviation of a read of each cell, in levels; `size` are levels without a sign."""
        from ._programming_kernels import hiss

        hiss(size, self.low, self.step(top), self.read_table, sigma)

    def readout(self, held: npt.NDArray[Any], top: float, combine: npt.NDArray[np.float32]) -> float:
        """What drift compensation reads: row by row at code 1, the magnitudes of what weights add to the columns.

        Returns
        -------
        float
            Sum over rows and weights, in shares of the highest conductance.
        """
        weights = held.reshape(-1, len(combine)) @ combine
        return float(np.abs(weights).sum(dtype=np.float64) * self.step(top))

    def converters(self, array: int) -> tuple[Float64, Float64]:
        """Offset (LSB) and gain of the converters of an array, float64 (converters,) each."""
        from ..reads.noise_kernels import GROUP
        from ._programming_kernels import converter_normals

        count = self.machine.converters
        room = -(-count // GROUP) * GROUP
        offset, gain = np.empty(room), np.empty(room)
        converter_normals(self._key, np.uint64(array), offset, gain)
        return offset[:count] * self.effects.adc_offset, 1.0 + gain[:count] * self.effects.adc_gain

    @property
    def _key(self) -> np.uint64:
        from ._programming_kernels import SALT

        return np.uint64(self.seed & 0xFFFFFFFFFFFFFFFF) ^ SALT
