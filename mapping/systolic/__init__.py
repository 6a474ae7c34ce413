"""Systolic arrays: accelerators that multiply matrices, with SPARK's variable-length operands or without."""
