"""Metrics of generated faces and detected landmarks: pure functions that check range, shape and size where data enters.

All but `lmk.nme` work on the host with concrete values (they branch on values). They give one value for each image, and
leave averaging to `summary.summarize`, which reports the number of measured images beside every mean.

`expression_classifier` is the one that learns: it is trained on real faces before it classifies generated ones.
"""
