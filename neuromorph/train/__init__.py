"""Training: networks as PyTorch modules, and what recipes need. ``pip install 'neuromorph[train]'``."""

try:
    import torch as _  # noqa: F401
except ImportError as error:
    raise ImportError("neuromorph.train needs PyTorch: pip install 'neuromorph[train]'") from error

from neuromorph.train.modules.module import Module
from neuromorph.train.modules.parameters import PopulationValues
from neuromorph.train.modules.sources import SourceRows
from neuromorph.train.modules.state import State
from neuromorph.train.modules.weights import ProjectionWeights
from neuromorph.train.parity.compare import First, Parity, PopulationParity, compare
from neuromorph.train.parity.ordered import Ordered
from neuromorph.train.printing.surrogate import (
    ArcTan,
    Gaussian,
    Rectangle,
    Sigmoid,
    StraightThrough,
    SuperSpike,
    Surrogate,
    Triangle,
)
from neuromorph.train.recipes.asymmetric import Asymmetric, RangeUpdates
from neuromorph.train.recipes.batches import Samples, Windows, columns
from neuromorph.train.recipes.carry import carried, detach, move
from neuromorph.train.recipes.checkpoint import (
    load_checkpoint,
    load_weights,
    random_state,
    save_checkpoint,
    set_random_state,
)
from neuromorph.train.recipes.coded import codes
from neuromorph.train.recipes.dropout import DropConnect, LockedDropout, WordDropout
from neuromorph.train.recipes.evaluation import correct, evaluate
from neuromorph.train.recipes.formats import Coded, Codes, FixedPoint, Format, Int8, Integers, straight_through
from neuromorph.train.recipes.groups import decay_groups
from neuromorph.train.recipes.layers import parametrise, weights_of
from neuromorph.train.recipes.learned_formats import LSQ, PACT, TQT
from neuromorph.train.recipes.learning_rate import CosineFrom, cosine_factor
from neuromorph.train.recipes.metrics import MetricsFile, read_metrics
from neuromorph.train.recipes.pruning import GradualPruning, Pruned, cubic, prune, sparsities
from neuromorph.train.recipes.quantisation import Quantised, unquantised
from neuromorph.train.recipes.regularise import activity, activity_target, event_penalty, state_below_threshold
from neuromorph.train.recipes.softmax import SampledSoftmax, log_uniform, softmax_nll, unigram
from neuromorph.train.recipes.spark import Spark
from neuromorph.train.recipes.stopping import EarlyStopping
from neuromorph.train.recipes.trainer import Fitted, Trainer
from neuromorph.train.recipes.weight_noise import WeightNoise

__all__ = [
    "LSQ",
    "PACT",
    "TQT",
    "ArcTan",
    "Asymmetric",
    "Coded",
    "Codes",
    "CosineFrom",
    "DropConnect",
    "EarlyStopping",
    "First",
    "Fitted",
    "FixedPoint",
    "Format",
    "Gaussian",
    "GradualPruning",
    "Int8",
    "Integers",
    "LockedDropout",
    "MetricsFile",
    "Module",
    "Ordered",
    "Parity",
    "PopulationParity",
    "PopulationValues",
    "ProjectionWeights",
    "Pruned",
    "Quantised",
    "RangeUpdates",
    "Rectangle",
    "SampledSoftmax",
    "Samples",
    "Sigmoid",
    "SourceRows",
    "Spark",
    "State",
    "StraightThrough",
    "SuperSpike",
    "Surrogate",
    "Trainer",
    "Triangle",
    "WeightNoise",
    "Windows",
    "WordDropout",
    "activity",
    "activity_target",
    "carried",
    "codes",
    "columns",
    "compare",
    "correct",
    "cosine_factor",
    "cubic",
    "decay_groups",
    "detach",
    "evaluate",
    "event_penalty",
    "load_checkpoint",
    "load_weights",
    "log_uniform",
    "move",
    "parametrise",
    "prune",
    "random_state",
    "read_metrics",
    "save_checkpoint",
    "set_random_state",
    "softmax_nll",
    "sparsities",
    "state_below_threshold",
    "straight_through",
    "unigram",
    "unquantised",
    "weights_of",
]
