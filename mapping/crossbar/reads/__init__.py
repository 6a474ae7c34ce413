"""Reads of arrays: step by step within a run, counted, and of whole batches at once.

:mod:`.reader` makes a matrix ready, the kernels drive rows and convert sums, :mod:`.ledger` counts; :mod:`.array` is
the product of a batch with one matrix.
"""
