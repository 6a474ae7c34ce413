"""Integer arithmetic of a pipelined transformer: operators of tables and shifts, what they cost, how they are chosen."""
