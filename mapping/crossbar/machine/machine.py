"""Crossbar machines as plain data: arrays, cells, converters and the chip around them, each number with its source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from neuromorph.errors import MappingError

from ...constants import Constants, load_constants
from .devices import PRESETS, Device
from .effects import Effects
from .prices import PRICED, check_prices

Encoding = Literal["differential", "offset", "signed"]
Subtract = Literal["analog", "digital"]
SignedInputs = Literal["split", "signed"]
Drive = Literal["rows", "columns"]
Arithmetic = Literal["levels", "wtm2101"]
DacKind = Literal["pulse", "level", "width"]
AdcKind = Literal["sar", "ramp", "charge"]
InputCode = Literal["binary", "spark", "spark-nearest"]
INPUT_CODES: tuple[InputCode, ...] = ("binary", "spark", "spark-nearest")
"""See :attr:`CrossbarMachine.input_code`."""

PREFIX = "crossbar_"
"""Machine files of crossbars are ``machines/crossbar_<name>.toml``."""


@dataclass(frozen=True)
class Converter:
    """A DAC of a row, or an ADC that several columns share.

    Attributes
    ----------
    bits : int or None
        Of one conversion (ADC) or of one phase (DAC); None for an ideal converter, which rounds nothing.
    kind : str
        DAC: "pulse" (a pulse for each bit that is 1), "level" (2^bits voltages), "width" (one pulse, as long as the
        code). ADC: "sar" (a decision for each bit), "ramp" (a step for each code, also counting oscillators), "charge"
        (NeuRRAM's neuron, which takes charge away step by step). How energy follows the bits of an ADC is told by
        ``adc.scaling`` of the machine file: see :mod:`.costs`.
    columns_per_converter : int
        Physical columns that share one ADC; for DACs, rows that share one.
    seconds : float
        Of one conversion at full bits; for DACs, what one phase adds to the array's own time.
    signed : bool
        Whether codes are signed: the ADC sees currents of both signs (after subtraction in the array), the DAC
        drives voltages of both signs.
    """

    bits: int | None
    kind: str
    columns_per_converter: int = 1
    seconds: float = 0.0
    signed: bool = False


@dataclass(frozen=True, eq=False)
class CrossbarMachine:
    """A chip of crossbar arrays. Make one with :func:`load_machine`, change it with ``dataclasses.replace``.

    Attributes
    ----------
    name : str
    constants : Constants
        Every number of the machine file, with unit, source and status; prices of actions (energy, time, area) are read
        from here by :mod:`.costs`, the geometry from the fields below.
    rows, columns : int
        Of one array: physical word and bit lines. A weight takes :attr:`cells_per_weight` neighbouring columns.
    cell_levels : int or None
        Conductance levels of a cell, None for any value.
    g_min, g_max : float
        Conductance of level 0 and of the highest level, S.
    v_read : float
        Voltage of a driven row, V.
    device : str, Device or None
        Preset of :mod:`.devices`, or a device of your own, that gives programming error, drift and read noise.
    encoding : {"differential", "offset", "signed"}
        Signed weights as pairs of cells, as levels around an offset that is subtracted digitally, or in cells that
        are signed themselves (a pair told as one, as WTM2101's tools tell it).
    subtract : {"analog", "digital"}
        Whether the columns of a pair are subtracted before the ADC, or their codes after it.
    weight_bits : int or None
        Bits of a signed weight, None for any value.
    cell_bits : int or None
        Weight bits that one cell holds; None where weights are not sliced.
    input_bits : int or None
        Bits of a graded input's magnitude, None for any value. Spikes are one bit on every machine.
    dac, adc : Converter
    signed_inputs : {"split", "signed"}
        Negative inputs in further phases of their own, or as negative voltages in the same phases.
    arrays_per_core, cores_per_tile, tiles : int
        Arrays that share an input buffer, such cores at one port of the network on chip, and tiles of a chip.
    mesh : (int, int)
        Columns and rows of the tiles' network on chip.
    r_row, r_column : float
        Resistance of a wire segment between two cells along a row and along a column, ohm.
    drive : {"rows", "columns"}
        Which lines inputs drive; outputs are sensed on the others.
    arithmetic : {"levels", "wtm2101"}
        "wtm2101": outputs follow the chip's integer rule (:mod:`.wtm2101`).
    effects : Effects
        What is on unless the target says otherwise.
    chips : int or None
        Chips at hand, None for as many as the network needs.
    input_code : {"binary", "spark", "spark-nearest"}
        How the magnitude of a graded input is stored and sent before a DAC drives its row: whole, or in SPARK with the
        paper's or with nearest rounding, which takes 4 bits where it is below 8 and loses what that code loses.
    """

    name: str
    constants: Constants = field(repr=False)
    rows: int
    columns: int
    cell_levels: int | None
    g_min: float
    g_max: float
    v_read: float
    device: str | Device | None
    encoding: Encoding
    subtract: Subtract
    weight_bits: int | None
    cell_bits: int | None
    input_bits: int | None
    dac: Converter
    adc: Converter
    signed_inputs: SignedInputs
    arrays_per_core: int
    cores_per_tile: int
    tiles: int
    mesh: tuple[int, int]
    r_row: float
    r_column: float
    drive: Drive
    arithmetic: Arithmetic
    effects: Effects
    chips: int | None = None
    input_code: InputCode = "binary"

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise MappingError(f"crossbar machine {self.name}: {'; '.join(problems)}", machine=self.name)

    @property
    def slices(self) -> int:
        """Digits of ``cell_bits`` bits that a weight's magnitude (offset: its whole code) is cut into."""
        if self.weight_bits is None or self.cell_bits is None:
            return 1
        bits = self.weight_bits if self.encoding == "offset" else self.weight_bits - 1
        return -(-bits // self.cell_bits)

    @property
    def cells_per_weight(self) -> int:
        """Neighbouring columns that one weight takes."""
        return self.slices * (2 if self.encoding == "differential" else 1)

    @property
    def weight_columns(self) -> int:
        """Weights that fit beside one another in an array."""
        return self.columns // self.cells_per_weight

    @property
    def conversions_per_weight(self) -> int:
        """Conversions of a column of weights in a phase: one a slice, two if pairs are subtracted after them."""
        return self.slices * (2 if self.encoding == "differential" and self.subtract == "digital" else 1)

    @property
    def converters(self) -> int:
        """ADCs of one array."""
        return -(-self.columns // self.adc.columns_per_converter)

    @property
    def phases(self) -> int:
        """Phases in which a graded input of one sign is driven; 1 for ideal converters."""
        if self.input_bits is None or self.dac.bits is None:
            return 1
        return -(-self.input_bits // self.dac.bits)

    @property
    def arrays_per_tile(self) -> int:
        """Arrays at one port of the network on chip."""
        return self.arrays_per_core * self.cores_per_tile

    @property
    def arrays(self) -> int:
        """Arrays of one chip."""
        return self.arrays_per_tile * self.tiles

    @property
    def level_step(self) -> float:
        """Conductance between two neighbouring levels, S: one level unit at an input code of 1 (all of the range if
        cells hold any value)."""
        return (self.g_max - self.g_min) / (1 if self.cell_levels is None else self.cell_levels - 1)

    @property
    def priced(self) -> bool:
        """Whether the machine file tells what actions cost; the ideal machine's does not."""
        return "energy.row_pulse" in self.constants

    def repriced(self, **prices: float) -> CrossbarMachine:
        """The same machine with other prices: ``repriced(energy__adc=2.0)``, in the units of its file.

        Raises
        ------
        MappingError
            For a number that is no price: geometry, cells and converters are fields of this class.
        """
        for name in prices:
            if name.split("__")[0] not in PRICED:
                raise MappingError(
                    f"crossbar machine {self.name}: {name.replace('__', '.')} is no price (those begin with "
                    f"{', '.join(PRICED)}); change the machine instead, as load_machine({self.name!r}, rows=64) does",
                    name=name,
                )
        return replace(self, constants=self.constants.replace(**prices))

    def describe(self) -> str:
        """Every number of the machine file with unit, status, source and reason, and the citations below."""
        return self.constants.describe()


def _problems(m: CrossbarMachine) -> list[str]:
    """Everything that makes a machine impossible, one phrase each."""
    found = [
        f"{name} is {value!r}; it must be a whole number of at least 1"
        for name, value in {
            "rows": m.rows,
            "columns": m.columns,
            "arrays_per_core": m.arrays_per_core,
            "cores_per_tile": m.cores_per_tile,
            "tiles": m.tiles,
            "adc.columns_per_converter": m.adc.columns_per_converter,
            "dac.columns_per_converter": m.dac.columns_per_converter,
            **({} if m.chips is None else {"chips": m.chips}),
        }.items()
        if not _whole(value) or value < 1
    ]
    found += [
        f"{name} is {value!r}; it must be a whole number from {low} to {high}, or None for {ideal}"
        for name, value, low, high, ideal in (
            ("cell_levels", m.cell_levels, 2, 65536, "any value"),
            ("weight_bits", m.weight_bits, 2, 32, "any value"),
            ("cell_bits", m.cell_bits, 1, 16, "weights in one piece"),
            ("input_bits", m.input_bits, 1, 32, "any value"),
            ("dac.bits", m.dac.bits, 1, 16, "an ideal converter"),
            ("adc.bits", m.adc.bits, 1, 24, "an ideal converter"),
        )
        if value is not None and (not _whole(value) or not low <= value <= high)
    ]
    found += [
        f"{name} is {value!r}; it must be a number of at least 0"
        for name, value in {
            "g_min": m.g_min,
            "v_read": m.v_read,
            "r_row": m.r_row,
            "r_column": m.r_column,
            "adc.seconds": m.adc.seconds,
            "dac.seconds": m.dac.seconds,
        }.items()
        if not value >= 0
    ]
    found += [
        f"{name} is {value!r}; there is {', '.join(get_args(known))}"
        for name, value, known in (
            ("encoding", m.encoding, Encoding),
            ("subtract", m.subtract, Subtract),
            ("signed_inputs", m.signed_inputs, SignedInputs),
            ("drive", m.drive, Drive),
            ("arithmetic", m.arithmetic, Arithmetic),
            ("dac.kind", m.dac.kind, DacKind),
            ("adc.kind", m.adc.kind, AdcKind),
            ("input_code", m.input_code, InputCode),
        )
        if value not in get_args(known)
    ]
    if not isinstance(m.device, Device | None) and m.device not in PRESETS:
        found.append(f"device is {m.device!r}; there is {', '.join(PRESETS)}, a Device of your own, or None")
    if found:
        return found
    if not m.g_max > m.g_min:
        found.append(f"g_max is {m.g_max:g} S and g_min {m.g_min:g} S; the highest level must conduct more")
    if m.mesh[0] * m.mesh[1] < m.tiles:
        found.append(f"a mesh of {m.mesh[0]} x {m.mesh[1]} has no room for {m.tiles} tiles")
    if m.cell_bits is not None and m.cell_levels is not None and 2**m.cell_bits > m.cell_levels:
        found.append(
            f"a cell of {m.cell_levels} levels cannot hold cell_bits = {m.cell_bits} ({2**m.cell_bits} levels)"
        )
    if m.input_code != "binary" and m.input_bits != 8:
        found.append(f"input_bits is {m.input_bits}; input_code {m.input_code!r} needs 8")
    if m.cells_per_weight > m.columns:
        found.append(f"a weight takes {m.cells_per_weight} cells side by side, and an array has {m.columns} columns")
    return found


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def machine_names() -> tuple[str, ...]:
    """Names that :func:`load_machine` knows."""
    folder = Path(__file__).resolve().parent.parent.parent / "machines"
    return tuple(sorted(path.stem.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*.toml")))


def load_machine(name: str | Path, **changes: Any) -> CrossbarMachine:
    """A crossbar machine from its file.

    Parameters
    ----------
    name : str or Path
        One of :func:`machine_names`, or the path of a file of your own that ends in ``.toml``: copy
        ``machines/crossbar_nor_flash.toml`` and change it. What its prices mean is told by
        :data:`~.prices.PRICES`; a file may leave out all of them.
    **changes
        Fields of :class:`CrossbarMachine` to replace, as ``rows=64``; ``constants`` is better changed with
        :meth:`~neuromorph.mapping.constants.Constants.replace`.

    Raises
    ------
    MappingError
        For an unknown name, a file that lacks a number, or a machine that cannot be.
    """
    if str(name).endswith(".toml"):
        c = load_constants(Path(name))
    elif str(name) in machine_names():
        c = load_constants(f"{PREFIX}{name}")
    else:
        raise MappingError(
            f"no crossbar machine {name!r}; there is {', '.join(machine_names())}, or the path of a .toml file",
            machine=str(name),
        )
    check_prices(c)
    machine = CrossbarMachine(
        name=c.machine.removeprefix(PREFIX),
        constants=c,
        rows=c.count("array.rows"),
        columns=c.count("array.columns"),
        cell_levels=_count(c, "cell.levels"),
        g_min=c.si("cell.g_min"),
        g_max=c.si("cell.g_max"),
        v_read=c.si("cell.read_voltage"),
        device=_word(c, "cell.device"),
        encoding=c["weight.encoding"].value,
        subtract=c["weight.subtract"].value,
        weight_bits=_count(c, "weight.bits"),
        cell_bits=_count(c, "weight.bits_per_cell"),
        input_bits=_count(c, "input.bits"),
        dac=_converter(c, "dac"),
        adc=_converter(c, "adc"),
        signed_inputs=c["input.negative"].value,
        arrays_per_core=c.count("chip.arrays_per_core"),
        cores_per_tile=c.count("chip.cores_per_tile"),
        tiles=c.count("chip.tiles"),
        mesh=_pair(c, "chip.mesh"),
        r_row=c.si("wire.row"),
        r_column=c.si("wire.column"),
        drive=c["wire.drive"].value,
        arithmetic=c["arithmetic.rule"].value,
        effects=Effects.none().with_(**dict.fromkeys(c["effects.on"].value, True)),
    )
    unknown = set(changes) - set(machine.__dataclass_fields__)
    if unknown:
        known = ", ".join(machine.__dataclass_fields__)
        raise MappingError(f"a crossbar machine has no field {', '.join(sorted(unknown))}; it has {known}")
    return replace(machine, **changes) if changes else machine


def _count(c: Constants, name: str) -> int | None:
    return c.count(name) if name in c else None


def _word(c: Constants, name: str) -> str | None:
    return str(c[name].value) if name in c else None


def _pair(c: Constants, name: str) -> tuple[int, int]:
    value = c[name].value
    if not isinstance(value, tuple) or len(value) != 2:
        raise MappingError(f"constant {name} is {value!r}; it must be two whole numbers", name=name)
    return int(value[0]), int(value[1])


def _converter(c: Constants, section: str) -> Converter:
    shared = _count(c, f"{section}.columns_per_converter")
    return Converter(
        bits=_count(c, f"{section}.bits"),
        kind=str(c[f"{section}.kind"].value),
        columns_per_converter=1 if shared is None else shared,
        seconds=c.si(f"{section}.time") if f"{section}.time" in c else 0.0,
        signed=bool(c[f"{section}.signed"].value) if f"{section}.signed" in c else False,
    )
