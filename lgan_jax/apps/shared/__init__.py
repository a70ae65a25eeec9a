"""What several apps use: faces located and aligned as a run's, persons shown by `--reference`, sampled frames."""

EVERYBODY = "all"  # as a target: every person that the run knows
