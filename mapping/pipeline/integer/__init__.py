"""Integer arithmetic of a pipelined transformer: operators of tables and shifts, how they are chosen, their cost."""
