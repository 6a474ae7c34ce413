"""The machine as plain data: chips, their links, tiles of processing elements, and every number with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .constants import Constants, load_constants

Multicast = Literal["router", "mesh"]

EAST, WEST, NORTH, SOUTH, INJECT, EJECT = range(6)
"""Directed links of one NoC cell: to the next cell in x or y, from its tile, to its tile."""
LINKS_PER_CELL = 6
_DIRECTIONS = ("east", "west", "north", "south", "from tile", "to tile")
NO_LINK, BOARD_LINK, LONG_LINK = -1, 0, 1
"""Values of :attr:`Machine.link_kind`."""


@dataclass(frozen=True, eq=False)
class Machine:
    """A SpiNNaker2-like machine: chips on a hexagonal grid, each a 2-D mesh of tiles around one event router.

    A processing element (PE) has the global index ``chip * pes_per_chip + 4 * tile + pe``. Every place where packets
    queue has a *link id*: on each chip first the directed NoC links (``cell * 6 + direction``, see :data:`EAST`), then
    the outgoing chip links 0..5, then the event router; chip c starts at ``c * links_per_chip``.

    Attributes
    ----------
    name : str
    constants : Constants
        Every number of the machine, with unit and source.
    boards : int
        Boards of 48 chips; 1 for a machine that is part of one board.
    chip_xy : int32 (chips, 2)
        Position on the hexagonal grid.
    neighbour : int32 (chips, 6)
        Chip at the far end of link d, -1 if there is none.
    link_kind : int8 (chips, 6)
        ``NO_LINK``, ``BOARD_LINK`` or ``LONG_LINK``.
    tile_xy : int32 (tiles, 2)
        Column and row of each tile in the NoC mesh, from 0.
    router_cells : int32 (r, 2)
        Cells of the mesh that are the event router.
    mesh_shape : (int, int)
        Columns and rows of the NoC mesh.
    usable : bool (pes_per_chip,)
        PEs of every chip that applications may use.
    multicast : {"router", "mesh"}
        How a packet is copied on a chip. "router" (SpiNNaker2): it goes to the event router, which sends one packet to
        each destination tile. "mesh": the NoC itself forks packets along an x-first tree from the source tile.
    """

    name: str
    constants: Constants
    boards: int
    chip_xy: npt.NDArray[np.int32]
    neighbour: npt.NDArray[np.int32]
    link_kind: npt.NDArray[np.int8]
    tile_xy: npt.NDArray[np.int32]
    router_cells: npt.NDArray[np.int32]
    mesh_shape: tuple[int, int]
    usable: npt.NDArray[np.bool_]
    multicast: Multicast = "router"

    @property
    def chips(self) -> int:
        """Number of chips."""
        return len(self.chip_xy)

    @property
    def tiles(self) -> int:
        """Tiles of one chip."""
        return len(self.tile_xy)

    @property
    def pes_per_tile(self) -> int:
        """PEs of one tile."""
        return self.constants.count("chip.pes_per_tile")

    @property
    def pes_per_chip(self) -> int:
        """PEs of one chip, those that applications may not use included."""
        return len(self.usable)

    @property
    def pes(self) -> int:
        """PEs of the machine, those that applications may not use included."""
        return self.chips * self.pes_per_chip

    @cached_property
    def usable_pes(self) -> npt.NDArray[np.int32]:
        """Global indices of the PEs that applications may use, int32, ascending."""
        one = np.flatnonzero(self.usable)
        return (np.arange(self.chips)[:, None] * self.pes_per_chip + one).ravel().astype(np.int32)

    @property
    def pe_sram(self) -> int:
        """Bytes of one PE's memory, code included."""
        return self.constants.count("memory.pe_sram")

    @property
    def router_entries(self) -> int:
        """Entries of one chip's multicast table."""
        return self.constants.count("router.entries")

    @property
    def cells(self) -> int:
        """NoC cells of one chip: tiles, router cells and periphery."""
        return self.mesh_shape[0] * self.mesh_shape[1]

    @property
    def noc_links_per_chip(self) -> int:
        """Directed NoC links of one chip, links from and to the tiles included."""
        return self.cells * LINKS_PER_CELL

    @property
    def links_per_chip(self) -> int:
        """Link ids of one chip: NoC links, 6 chip links, event router."""
        return self.noc_links_per_chip + 7

    @property
    def links(self) -> int:
        """Link ids of the machine."""
        return self.chips * self.links_per_chip

    @cached_property
    def tile_cell(self) -> npt.NDArray[np.int32]:
        """NoC cell of each tile (``x + columns * y``), int32 (tiles,)."""
        return (self.tile_xy[:, 0] + self.mesh_shape[0] * self.tile_xy[:, 1]).astype(np.int32)

    def router(self, chip: int) -> int:
        """Link id of a chip's event router."""
        return chip * self.links_per_chip + self.noc_links_per_chip + 6

    @cached_property
    def link_class(self) -> npt.NDArray[np.int8]:
        """Class of every link id, int8 (links,): an index into :data:`LINK_CLASSES`, -1 where there is no link."""
        columns, rows = self.mesh_shape
        one = np.full((self.cells, LINKS_PER_CELL), 0, np.int8)
        x, y = np.arange(self.cells) % columns, np.arange(self.cells) // columns
        one[x == columns - 1, EAST] = one[x == 0, WEST] = one[y == rows - 1, NORTH] = one[y == 0, SOUTH] = -1
        one[:, INJECT:] = -1
        one[self.tile_cell, INJECT], one[self.tile_cell, EJECT] = 1, 2
        every = np.empty((self.chips, self.links_per_chip), np.int8)
        every[:, : self.noc_links_per_chip] = one.ravel()
        every[:, self.noc_links_per_chip : -1] = np.choose(self.link_kind + 1, [-1, 3, 4])
        every[:, -1] = 5
        return every.ravel()

    def link_name(self, link: int) -> str:
        """Where a link id is, in words."""
        chip, k = divmod(int(link), self.links_per_chip)
        where = f"chip {chip} {tuple(int(v) for v in self.chip_xy[chip])}"
        if k < self.noc_links_per_chip:
            cell, direction = divmod(k, LINKS_PER_CELL)
            x, y = cell % self.mesh_shape[0], cell // self.mesh_shape[0]
            return f"{where} NoC cell ({x}, {y}) {_DIRECTIONS[direction]}"
        k -= self.noc_links_per_chip
        return f"{where} event router" if k == 6 else f"{where} link {k} to chip {int(self.neighbour[chip, k])}"

    @cached_property
    def chip_distance(self) -> npt.NDArray[np.int16]:
        """Fewest chip links from chip to chip, int16 (chips, chips)."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        source, link = np.nonzero(self.neighbour >= 0)
        graph = csr_matrix(
            (np.ones(len(source)), (source, self.neighbour[source, link])), shape=(self.chips, self.chips)
        )
        return np.asarray(shortest_path(graph, unweighted=True), np.int16)

    @cached_property
    def router_distance(self) -> npt.NDArray[np.int32]:
        """NoC hops between each tile and the event router, int32 (tiles,)."""
        away = np.abs(self.tile_xy[:, None, :] - self.router_cells[None, :, :]).sum(2)
        return np.asarray(away.min(1), np.int32)

    def with_constants(self, **values: float) -> Machine:
        """A copy with other numbers, as in ``machine.with_constants(link__hop_weight=3)``."""
        return replace(self, constants=self.constants.replace(**values))

    def describe(self) -> str:
        """What the machine is, then every number with its status and source."""
        links = self.link_kind
        head = (
            f"{self.name}: {self.chips} chip(s) of {self.pes_per_chip} PEs, {int(self.usable.sum())} for applications; "
            f"{int((links == BOARD_LINK).sum())} directed board links, {int((links == LONG_LINK).sum())} long links"
        )
        return f"{head}\n\n{self.constants.describe()}"


LINK_CLASSES = ("NoC", "from tile", "to tile", "board link", "long link", "event router")
"""Classes of link ids, in the order of :attr:`Machine.link_class`."""


def spinnaker2(
    chips: int | None = None,
    *,
    boards: int | None = None,
    all_pes: bool = False,
    multicast: Multicast = "router",
    **constants: float,
) -> Machine:
    """A SpiNNaker2 machine.

    Parameters
    ----------
    chips : int, optional
        1 to 47: a compact connected part of one board, without wrap-around. 48: one board, whose links close to a
        torus. 144, 288, ...: triads of boards on a torus. Default 1.
    boards : int, optional
        Instead of ``chips``: 1, or a multiple of 3.
    all_pes : bool
        Use all 152 PEs of a chip, also those that the system software keeps (148 remain without it).
    multicast : {"router", "mesh"}
        See :class:`Machine`.
    **constants
        Other values for constants, dots as double underscores.

    Raises
    ------
    MappingError
        For a number of chips or boards that cannot be built; the message names the nearest that can.
    """
    numbers = load_constants("spinnaker2")
    if constants:
        numbers = numbers.replace(**constants)
    size = numbers.count("board.chips")
    if boards is not None:
        if chips is not None and chips != boards * size:
            raise MappingError(f"{boards} boards have {boards * size} chips, not {chips}: give only one", boards=boards)
        chips = boards * size
    chips = 1 if chips is None else chips
    boards = _boards(chips, size)
    chip_xy, board, wrap = _region(chips, boards, numbers)
    neighbour, kind = _links(chip_xy, board, wrap, numbers)
    (x0, x1), (y0, y1) = numbers["chip.grid_x"].value, numbers["chip.grid_y"].value
    router = numbers["chip.router_cells"].value
    holes = {*router, *numbers["chip.periphery_cells"].value}
    tiles = [(x - x0, y - y0) for y in range(y0, y1 + 1) for x in range(x0, x1 + 1) if (x, y) not in holes]
    usable = np.ones(numbers.count("chip.pes"), bool)
    if not all_pes:
        first = numbers.count("chip.system_tile") * numbers.count("chip.pes_per_tile")
        usable[first : first + numbers.count("chip.pes") - numbers.count("chip.usable_pes")] = False
    return Machine(
        name="SpiNNaker2",
        constants=numbers,
        boards=boards,
        chip_xy=chip_xy,
        neighbour=neighbour,
        link_kind=kind,
        tile_xy=np.array(tiles, np.int32),
        router_cells=np.array([(x - x0, y - y0) for x, y in router], np.int32),
        mesh_shape=(x1 - x0 + 1, y1 - y0 + 1),
        usable=usable,
        multicast=multicast,
    )


def valid_chips(at_least: int) -> int:
    """The smallest number of chips, at least ``at_least``, of which a machine can be built."""
    size = load_constants("spinnaker2").count("board.chips")
    if at_least <= size:
        return max(at_least, 1)
    return -(-at_least // (3 * size)) * 3 * size


def _boards(chips: int, size: int) -> int:
    if chips < 1:
        raise MappingError(f"a machine has at least 1 chip, not {chips}", chips=chips)
    if chips <= size:
        return 1
    if chips % (3 * size):
        raise MappingError(
            f"no machine has {chips} chips: one board has up to {size}, more chips come as triads of boards, "
            f"{3 * size} chips each. The next possible number is {valid_chips(chips)}",
            chips=chips,
            possible=valid_chips(chips),
        )
    return chips // size


def _board_shape(numbers: Constants) -> npt.NDArray[np.int32]:
    rows = numbers["board.rows"].value
    return np.array([(x, y) for y, (a, b) in enumerate(rows) for x in range(a, b + 1)], np.int32)


def _region(chips: int, boards: int, numbers: Constants) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Any]:
    """Positions, board numbers and the lattice of the wrap-around (two vectors, or None)."""
    shape = _board_shape(numbers)
    if boards == 1:
        wrap = None
        if chips == len(shape):
            wrap = np.array(numbers["board.triad_offsets"].value[1:])
        else:
            shape = _compact(shape, chips)
        return shape, np.zeros(chips, np.int32), wrap
    triads = boards // 3
    height = max(h for h in range(1, int(triads**0.5) + 1) if triads % h == 0)
    pitch = numbers.count("board.triad_pitch")
    width = triads // height
    size = np.array([width * pitch, height * pitch])
    corners = [
        np.array(offset) + pitch * np.array([i, j])
        for j in range(height)
        for i in range(width)
        for offset in numbers["board.triad_offsets"].value
    ]
    xy = np.concatenate([(corner + shape) % size for corner in corners]).astype(np.int32)
    return xy, np.repeat(np.arange(boards, dtype=np.int32), len(shape)), np.diag(size)


def hex_distance(dx: npt.NDArray[np.int_], dy: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Links between two chips ``(dx, dy)`` apart on the infinite grid with link vectors (1, 0), (1, 1), (0, 1)."""
    return np.where(dx * dy >= 0, np.maximum(np.abs(dx), np.abs(dy)), np.abs(dx) + np.abs(dy))


def _compact(shape: npt.NDArray[np.int32], chips: int) -> npt.NDArray[np.int32]:
    """``chips`` cells of a board: grown from its middle, always by the free cell nearest to those taken."""
    middle = shape[len(shape) // 2]
    taken = [int(np.flatnonzero((shape == middle).all(1))[0])]
    away = hex_distance(*(shape[:, None, :] - shape[None, :, :]).transpose(2, 0, 1))
    while len(taken) < chips:
        total = away[:, taken].sum(1).astype(float)
        total[away[:, taken].min(1) != 1] = np.inf
        taken.append(int(total.argmin()))
    chosen = shape[sorted(taken)]
    return np.asarray(chosen - chosen.min(0), np.int32)


def _links(
    xy: npt.NDArray[np.int32], board: npt.NDArray[np.int32], wrap: Any, numbers: Constants
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    index = {(int(x), int(y)): k for k, (x, y) in enumerate(xy)}
    shifts = [np.zeros(2, int)]
    if wrap is not None:
        shifts = [i * wrap[0] + j * wrap[1] for i in (0, -1, 1) for j in (0, -1, 1)]
    vectors = numbers["board.link_vectors"].value
    neighbour = np.full((len(xy), len(vectors)), -1, np.int32)
    for k, (x, y) in enumerate(xy):
        for d, (dx, dy) in enumerate(vectors):
            for shift in shifts:
                other = index.get((int(x + dx + shift[0]), int(y + dy + shift[1])))
                if other is not None:
                    neighbour[k, d] = other
                    break
    kind = np.where(neighbour < 0, NO_LINK, np.where(board[neighbour] == board[:, None], BOARD_LINK, LONG_LINK))
    # On one triad a board meets its own far side only through other boards, so equal boards always mean a short link,
    # except where a single board closes on itself: the machine file says what those links are.
    if len(set(board.tolist())) == 1 and wrap is not None and not numbers.count("board.wrap_link_is_short"):
        inside = np.array(vectors)[None, :, :] + xy[:, None, :]
        direct = np.array([[tuple(map(int, p)) in index for p in row] for row in inside])
        kind = np.where(direct, kind, LONG_LINK)
    return neighbour, kind.astype(np.int8)
