"""Sections that several configs share."""

from __future__ import annotations

from typing import Any


def every(steps: int, *, log: int = 100, images: int | None = None, checkpoint: int | None = None) -> dict[str, int]:
    """A config's `loop`: `steps` between evaluations, sample images and checkpoints, `log` steps between log lines."""
    return {
        "log_every": log,
        "eval_every": steps,
        "images_every": images or steps,
        "checkpoint_every": checkpoint or steps,
    }


def strangers(train: int, *, validation: int = 8, test: int = 500) -> dict[str, Any]:
    """Built-in faces of a config's `data`, every image of another person in other light."""
    return {
        "identities": 1,
        "variation": "wild",
        "train_per_identity": train,
        "validation_per_identity": validation,
        "test_per_identity": test,
    }
