"""Boards as data: what an FPGA has of each resource, the shapes of its memories, and the clock that designs reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from neuromorph.errors import MappingError

from ..constants import Constants, load_constants

PREFIX = "board_"


@dataclass(frozen=True)
class Board:
    """An FPGA on its board.

    Attributes
    ----------
    name, part : str
        As "vck190", "XCVC1902".
    luts, flip_flops, dsps : int
        Look-up tables of six inputs, registers, multipliers in silicon.
    block_rams, ultra_rams : int
        Memories of 36 and of 288 kbit.
    clock : float
        Hz that pipelines like these have reached on it.
    half_blocks, ultra_blocks : tuple of (int, int)
        Words and bits of a word that half a block RAM, or an UltraRAM, can be.
    ultra_ports : int
        Ports of an UltraRAM, each of which reads or writes a word in a cycle.
    ultra_initial : bool
        Whether an UltraRAM can have contents from the start, as weights must.
    lut_words, shift_words : int
        Words of one bit that a LUT holds as memory, and as shift register.
    constants : Constants
        The machine file, with the source of every number.
    """

    name: str
    part: str
    luts: int
    flip_flops: int
    dsps: int
    block_rams: int
    ultra_rams: int
    clock: float
    half_blocks: tuple[tuple[int, int], ...]
    ultra_blocks: tuple[tuple[int, int], ...]
    ultra_ports: int
    ultra_initial: bool
    lut_words: int
    shift_words: int
    constants: Constants = field(compare=False, repr=False)

    def rate(self, interval: int) -> float:
        """Items a second at one item in ``interval`` cycles."""
        return self.clock / interval


def load_board(board: str | Path | Board, **values: float) -> Board:
    """Read ``machines/board_<name>.toml``, or a file of the user's own.

    Parameters
    ----------
    board : str, Path or Board
        "vck190", "zcu102", or a file of the same form. A ``Board`` is given back, with ``values`` if there are any.
    **values : float
        Other numbers, dots as ``__``: ``load_board("vck190", clock__reached=400)``.

    Raises
    ------
    MappingError
        There is no such board, or its file lacks a number.
    """
    if isinstance(board, Board):
        if not values:
            return board
        constants = board.constants
    else:
        known = sorted(path.stem.removeprefix(PREFIX) for path in _folder().glob(f"{PREFIX}*.toml"))
        if not isinstance(board, Path) and board not in known:
            raise MappingError(f"no board {board!r}; there is {', '.join(known)}, or a Path to a file", board=board)
        constants = load_constants(board if isinstance(board, Path) else f"{PREFIX}{board}")
    constants = constants.replace(**values) if values else constants
    return Board(
        name=constants.machine.removeprefix(PREFIX),
        part=str(constants["device.part"].value),
        luts=constants.count("device.luts"),
        flip_flops=constants.count("device.flip_flops"),
        dsps=constants.count("device.dsps"),
        block_rams=constants.count("device.block_rams"),
        ultra_rams=constants.count("device.ultra_rams"),
        clock=constants.si("clock.reached"),
        half_blocks=constants["memory.half_blocks"].value,
        ultra_blocks=constants["memory.ultra_blocks"].value,
        ultra_ports=constants.count("memory.ultra_ports"),
        ultra_initial=bool(constants["memory.ultra_initial"].value),
        lut_words=constants.count("memory.lut_words"),
        shift_words=constants.count("memory.shift_words"),
        constants=constants,
    )


def _folder() -> Path:
    return Path(__file__).parents[1] / "machines"
