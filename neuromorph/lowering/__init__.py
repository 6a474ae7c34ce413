"""From a network to straight-line step programs: checking, integration, expansion and derived parameters."""
