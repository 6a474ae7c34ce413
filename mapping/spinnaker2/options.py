"""What may be chosen about the memory of a PE."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.errors import TargetError

WORD = 4
"""Bytes."""


@dataclass(frozen=True)
class LayoutOptions:
    """Choices that change how many bytes a PE needs.

    Attributes
    ----------
    neurons_per_pe : int or None
        Most neurons on one PE; None: chosen with the row formats so that the fewest PEs are needed. It sets the width
        of a synapse's target field.
    fifo : int
        Packets that a PE's event FIFO holds; it lies in SRAM, and its size is the software's choice (the default is an
        assumption).
    flush : int
        Steps between two transfers of the recording buffer to DRAM.
    record : bool
        False: nothing is recorded on the PEs.
    directory : int
        Sending PEs that a PE's look-up directory has room for. The compiler raises it when a mapping needs more.
    directory_entry : {4, 8}
        Bytes of a directory entry. The compiler takes 8 when a mapping's keys are too spread for 4.
    key_bits : tuple of int or None
        By source population, bits that tell the neurons of one sending PE apart; None: as many as ``neurons_per_pe``
        needs. The compiler raises them when a mapping needs more.
    rows : {"auto", "indexed", "packed"}
        How rows are found: see :mod:`.layout`.
    decoder : int
        Bytes that a decoder needs on every PE.
    """

    neurons_per_pe: int | None = None
    fifo: int = 512
    flush: int = 8
    record: bool = True
    directory: int = 16
    directory_entry: int = 4
    key_bits: tuple[int, ...] | None = None
    rows: str = "auto"
    decoder: int = 0

    def __post_init__(self) -> None:
        for name in ("fifo", "flush", "directory"):
            if getattr(self, name) < 1:
                raise TargetError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.neurons_per_pe is not None and not 1 <= self.neurons_per_pe <= 4096:
            raise TargetError(f"neurons_per_pe is {self.neurons_per_pe}; it must be 1 to 4096")
        if self.directory_entry not in (4, 8):
            raise TargetError(f"directory_entry is {self.directory_entry}; it may be 4 or 8 bytes")
        if self.rows not in ("auto", "indexed", "packed"):
            raise TargetError(f"rows is {self.rows!r}; it may be 'auto', 'indexed' or 'packed'")
