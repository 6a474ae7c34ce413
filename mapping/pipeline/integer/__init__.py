"""Integer arithmetic of a pipelined transformer: operators of tables and shifts, how they are chosen, their cost."""

from .build import calibrated, from_float
from .drawn import drawn
from .errors import OperatorError, operator_errors
from .float_model import evaluate
from .network import Attention, IntegerTransformer, Mlp
from .operators import DynamicMatmul, GeluRequant, Matmul, PatchEmbedding, Requant, Residual
from .parameters import BlockParameters, Linear, Norm, TransformerParameters, from_state
from .published import published
from .recipe import Recipe
from .rows import Exponential, LayerNorm, Segment, Softmax
from .words import Width

__all__ = [
    "Attention",
    "BlockParameters",
    "DynamicMatmul",
    "Exponential",
    "GeluRequant",
    "IntegerTransformer",
    "LayerNorm",
    "Linear",
    "Matmul",
    "Mlp",
    "Norm",
    "OperatorError",
    "PatchEmbedding",
    "Recipe",
    "Requant",
    "Residual",
    "Segment",
    "Softmax",
    "TransformerParameters",
    "Width",
    "calibrated",
    "drawn",
    "evaluate",
    "from_float",
    "from_state",
    "operator_errors",
    "published",
]
