"""Measures of made faces and of found landmarks: pure functions that check range, shape and size where data enters.

All of them work on the host with concrete values (they look at the numbers), give one value for each picture,
and leave averaging to `summary.summarize`, which keeps how many were measured beside every mean.

`expression_classifier` is the one that learns: it is trained on real faces before it judges made ones.
"""
