"""A differentiable landmark detector: hourglass, softmax, DSNT."""
