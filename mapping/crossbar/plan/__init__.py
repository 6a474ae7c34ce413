"""From projections to blocks in arrays on tiles.

:mod:`.planner` goes through the stages: :mod:`.matrices` (what is driven together), :mod:`.tiling` (cut to the size of
an array), :mod:`.row_order` (rows that are active together), :mod:`.packing` (blocks into arrays) and
:mod:`.place` (arrays on tiles). :mod:`.check` judges the result.
"""
