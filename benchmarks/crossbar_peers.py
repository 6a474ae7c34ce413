"""Who multiplies a batch with a noisy array: ours, the plain product, PyTorch by hand, and other simulators.

Every contestant gets the same weights and inputs, converters of 8 bits and the same ranges: inputs from -1 to 1, column
sums of a tile up to ``REACH`` of their standard deviations. Noise has a knob in the contestant's own unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.mapping.crossbar.cells.wires import effective
from neuromorph.mapping.crossbar.converters.converters import Dac, adc_range
from neuromorph.mapping.crossbar.reads.array import product, tiles

Floats = npt.NDArray[np.float32]
Product = Callable[[Floats], npt.NDArray[Any]]

REACH = 4.0
DAC = Dac(1 / 127, 7)
G_MAX, SEGMENT = 1e-4, 0.1
"""Cells of 10 kohm, S, and wire segments, ohm, of the contestants with wires."""


@dataclass(frozen=True)
class Task:
    """A product.

    Attributes
    ----------
    weights : (inputs, outputs)
    inputs : (batch, inputs)
    rows : int
        Of a tile.
    """

    weights: Floats
    inputs: Floats
    rows: int

    @property
    def exact(self) -> Floats:
        """What comes out without any error."""
        return np.asarray(self.inputs @ self.weights)

    @property
    def reach(self) -> float:
        """Largest column sum of a tile that its converters resolve, in units of input times weight."""
        return REACH * float(self.exact.std()) * float(np.sqrt(self.rows / len(self.weights)))


@dataclass(frozen=True)
class Contestant:
    """One way of computing a task.

    Attributes
    ----------
    name : str
    package : str
        What it needs installed.
    build : callable
        ``(task, knob) -> (inputs -> outputs)``.
    knob : float
        A moderate noise, in a unit of its own; 0 for contestants without any.
    vectors : int
        How many inputs are measured where all would take minutes; the time is scaled.
    exact : callable
        What it should give, if not the plain product.
    """

    name: str
    package: str
    build: Callable[[Task, float], Product]
    knob: float = 0.0
    vectors: int = 0
    exact: Callable[[Task], npt.NDArray[Any]] = lambda task: task.exact


def plain(task: Task, knob: float) -> Product:
    """NumPy's product."""
    return lambda x: x @ task.weights


def ours(task: Task, knob: float, own: bool = False, wires: bool = False) -> Product:
    """This package; with one deviation of the noise, or one for every cell."""
    held = wired(task) if wires else task.weights
    sigma = np.full(held.shape, knob) if own else knob
    reach = task.reach / DAC.scale  # sums of codes, not of values
    matrix = tiles(held, task.rows, sigma=sigma, adc=adc_range(-reach, reach, 8, whole=False))
    step = iter(range(2**32))
    return lambda x: product(x, matrix, DAC, step=next(step)).values


_WIRED: dict[int, Floats] = {}


def wired(task: Task) -> Floats:
    """Weights as pairs of cells behind their wires; found once for each size of tile."""
    if task.rows not in _WIRED:
        scale = G_MAX / float(abs(task.weights).max())
        held = np.empty_like(task.weights)
        for i in range(0, len(held), task.rows):
            for j in range(0, held.shape[1], task.rows):
                tile = (slice(i, i + task.rows), slice(j, j + task.rows))
                pair = [effective(np.maximum(s * task.weights[tile] * scale, 0), SEGMENT, SEGMENT) for s in (1, -1)]
                held[tile] = (pair[0] - pair[1]) / scale
        _WIRED[task.rows] = held
    return _WIRED[task.rows]


def by_hand(task: Task, knob: float) -> Product:
    """What a practised user of PyTorch would write: products of tiles, noise of whole sums, rounding and clipping."""
    import torch

    torch.set_num_threads(1)
    weights = torch.from_numpy(task.weights).split(task.rows)
    step = task.reach / 127

    def run(x: Floats) -> npt.NDArray[Any]:
        codes = torch.clip(torch.round(torch.from_numpy(x) * 127), -127, 127) / 127
        total = torch.zeros((len(x), task.weights.shape[1]))
        for part, tile in zip(codes.split(task.rows, dim=1), weights, strict=True):
            sums = part @ tile
            if knob:
                sums += knob * part.square().sum(dim=1, keepdim=True).sqrt() * torch.randn(sums.shape)
            total += torch.clip(torch.round(sums / step), -128, 127) * step
        return total.numpy()

    return run


def crosssim(task: Task, knob: float, parasitics: bool = False) -> Product:
    """CrossSim: pairs of cells, generic read noise relative to the range of conductances."""
    from simulator import AnalogCore

    largest = float(abs(task.weights).max())
    parameters = crosssim_parameters(task.rows, largest)
    if knob:
        noise = parameters.xbar.device.read_noise
        noise.enable, noise.model, noise.magnitude = True, "NormalIndependentDevice", knob
    wires = parameters.xbar.array.parasitics
    wires.enable, wires.Rp_row, wires.Rp_col = parasitics, SEGMENT, SEGMENT
    reach = task.reach / largest
    parameters.xbar.dac.mvm.model = "QuantizerDAC"
    parameters.xbar.dac.mvm.bits = 8
    parameters.xbar.adc.mvm.model = "QuantizerADC"  # puts another object there
    parameters.xbar.adc.mvm.bits = 8
    parameters.xbar.adc.mvm.calibrated_range = [-reach, reach]
    analog = AnalogCore(task.weights.T, parameters)
    return lambda x: analog.matmat(x.T).T


def crosssim_parameters(rows: int, largest: float) -> Any:
    """An ideal core of CrossSim with cells from 0 to G_MAX, for weights up to the largest."""
    from simulator import CrossSimParameters
    from simulator.parameters.core_parameters import CoreStyle

    p = CrossSimParameters()
    p.core.style, p.core.rows_max, p.core.cols_max = CoreStyle.BALANCED, rows, rows
    p.core.mapping.weights.min, p.core.mapping.weights.max = -largest, largest
    p.core.mapping.inputs.mvm.min, p.core.mapping.inputs.mvm.max = -1.0, 1.0
    p.xbar.device.infinite_on_off_ratio, p.xbar.device.Rmin, p.xbar.device.Rmax = True, 1 / G_MAX, 100 / G_MAX
    return p


def aihwkit(task: Task, knob: float) -> Product:
    """AIHWKIT, the tile in C++: fixed ranges, noise of whole sums in units of the largest weight."""
    import torch
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import InferenceRPUConfig
    from aihwkit.simulator.parameters.enums import BoundManagementType, NoiseManagementType

    config = InferenceRPUConfig()
    io = config.forward
    io.inp_bound, io.inp_res, io.out_res = 1.0, 1 / 254, 1 / 254
    io.out_bound, io.out_noise = task.reach / float(abs(task.weights).max()), knob
    io.noise_management, io.bound_management = NoiseManagementType.NONE, BoundManagementType.NONE
    config.mapping.max_input_size = config.mapping.max_output_size = task.rows
    config.mapping.weight_scaling_omega, config.mapping.weight_scaling_columnwise = 1.0, False
    return _linear(AnalogLinear(*task.weights.shape, bias=False, rpu_config=config).eval(), task, torch)


def lightning(task: Task, knob: float) -> Product:
    """AIHWKIT-Lightning without Triton; in training mode, the only one with noise of outputs."""
    import torch
    from aihwkit_lightning.nn import AnalogLinear
    from aihwkit_lightning.simulator.configs import TorchInferenceRPUConfig

    config = TorchInferenceRPUConfig()
    config.mapping.max_input_size = task.rows
    config.forward.inp_res = config.forward.out_res = 2**8 - 2
    config.forward.out_bound, config.forward.out_noise = task.reach / float(abs(task.weights).max()), knob
    config.pre_post.input_range.enable, config.pre_post.input_range.init_from_data = True, 0
    layer = AnalogLinear(*task.weights.shape, bias=False, rpu_config=config)
    layer.input_range.data.fill_(1.0)
    return _linear(layer.train(bool(knob)), task, torch)


def _linear(layer: Any, task: Task, torch: Any) -> Product:
    torch.set_num_threads(1)
    layer.set_weights(torch.from_numpy(task.weights.T.copy()))

    def run(x: Floats) -> npt.NDArray[Any]:
        with torch.no_grad():
            return np.asarray(layer(torch.from_numpy(x)).numpy())

    return run


CONTESTANTS = (
    Contestant("plain product, NumPy", "numpy", plain),
    Contestant("neuromorph, 8 bits", "numpy", ours),
    Contestant("neuromorph, read noise", "numpy", ours, 0.002),
    Contestant("neuromorph, read noise, a deviation for each cell", "numpy", lambda t, k: ours(t, k, own=True), 0.002),
    Contestant(
        "neuromorph, read noise and wires",
        "numpy",
        lambda t, k: ours(t, k, wires=True),
        0.002,
        exact=lambda t: t.inputs @ wired(t),
    ),
    Contestant("PyTorch by hand, 8 bits", "torch", by_hand),
    Contestant("PyTorch by hand, noise", "torch", by_hand, 0.002),
    Contestant("AIHWKIT-Lightning, 8 bits", "aihwkit_lightning", lightning),
    Contestant("AIHWKIT-Lightning, noise of outputs", "aihwkit_lightning", lightning, 0.1),
    Contestant("AIHWKIT, 8 bits", "aihwkit", aihwkit),
    Contestant("AIHWKIT, noise of outputs", "aihwkit", aihwkit, 0.1),
    Contestant("CrossSim, 8 bits", "simulator", crosssim),
    Contestant("CrossSim, read noise of every cell", "simulator", crosssim, 0.01, vectors=4),
    Contestant(
        "CrossSim, wires",
        "simulator",
        lambda t, k: crosssim(t, k, parasitics=True),
        vectors=2,
        exact=lambda t: t.inputs @ wired(t),
    ),
)
