"""Training: networks as PyTorch modules, and what recipes need. ``pip install 'neuromorph[train]'``."""

try:
    import torch as _torch  # noqa: F401: a clear message if it is missing
except ImportError as error:
    raise ImportError("neuromorph.train needs PyTorch: pip install 'neuromorph[train]'") from error

from neuromorph.train.batches import Samples, Windows, columns
from neuromorph.train.carry import carried, detach, move
from neuromorph.train.checkpoint import load_checkpoint, random_state, save_checkpoint, set_random_state
from neuromorph.train.dropout import DropConnect, LockedDropout, WordDropout
from neuromorph.train.groups import decay_groups
from neuromorph.train.learning_rate import CosineFrom, cosine_factor
from neuromorph.train.metrics import MetricsFile, read_metrics
from neuromorph.train.softmax import SampledSoftmax, log_uniform, softmax_nll, unigram
from neuromorph.train.stopping import EarlyStopping
from neuromorph.train.trainer import Fitted, Trainer, load_weights

__all__ = [
    "CosineFrom",
    "DropConnect",
    "EarlyStopping",
    "Fitted",
    "LockedDropout",
    "MetricsFile",
    "SampledSoftmax",
    "Samples",
    "Trainer",
    "Windows",
    "WordDropout",
    "carried",
    "columns",
    "cosine_factor",
    "decay_groups",
    "detach",
    "load_checkpoint",
    "load_weights",
    "log_uniform",
    "move",
    "random_state",
    "read_metrics",
    "save_checkpoint",
    "set_random_state",
    "softmax_nll",
    "unigram",
]
