"""Networks of neuromorph as pipelines: operators, stages, the order in which they run, and what they take."""
