"""Training: the loop over a run's phases, spreading over devices, checkpoints and logs. Knows no method by name."""
