"""Networks laid out in space: a pipeline of stages that FIFOs join."""
