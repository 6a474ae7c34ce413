"""Vision transformers as pipelines, as HG-PIPE lays them out (Guo et al., ICCAD 2024)."""

from .design import TransformerDesign
from .published import published, published_figures, published_rules, with_published_starts
from .shape import Bits, VisionTransformer, deit_small, deit_tiny

__all__ = [
    "Bits",
    "TransformerDesign",
    "VisionTransformer",
    "deit_small",
    "deit_tiny",
    "published",
    "published_figures",
    "published_rules",
    "with_published_starts",
]
