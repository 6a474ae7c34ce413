"""What cells hold: weights become levels, levels are programmed, age and hiss, wires lose voltage.

:mod:`.levels` cuts weights into codes and digits, :mod:`.programming` makes conductances of them, :mod:`.wires` folds
IR drop into an array, and :mod:`.chip` keeps all of it for a whole plan.
"""
