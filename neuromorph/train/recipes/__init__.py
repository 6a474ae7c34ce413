"""What training is made of beside the module: loop, data, checkpoints, dropout, pruning, quantisation."""
