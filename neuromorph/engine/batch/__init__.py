"""Many samples through one compiled network: one after another, or side by side in the lanes of vectors."""

from .run import run_batch

__all__ = ["run_batch"]
