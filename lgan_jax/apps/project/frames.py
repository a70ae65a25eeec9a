"""A video of one face, with the expressions of another: every frame is projected from where the last one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8
from rich.console import Console

from lgan_jax.apps import output, provenance, video
from lgan_jax.apps.project import aligned, writing
from lgan_jax.apps.project.aligned import Framing
from lgan_jax.apps.video import Source
from lgan_jax.evaluation.pictures import to_bytes, to_floats
from lgan_jax.methods.projection.projector import Projector
from lgan_jax.training.logs.progress import Progress as Bar

Picture = UInt8[np.ndarray, "_ _ 3"]


def run(options: Any, projector: Projector, framing: Framing, say: Callable[[str], None] = print) -> int:
    """Projects all frames of `options.landmarks`, a video, and writes `video.mp4`; returns the exit status.

    `options` are the command's. Raises `ValueError` where no frame shows a face, and for the photo as `aligned.read`.
    """
    look = aligned.read(options.look, "--look", framing)
    source = video.open_source(options.landmarks)
    bar = Bar("frames", 0, source.count, Console())
    held = times = 0
    with writing.folder(options.out) as part:
        made = output.Video(part / "video.mp4", source, options.made_by)
        try:
            for times, (picture, time, fresh) in enumerate(
                _pictures(options, look.crop, projector, source, framing), 1
            ):
                made.write(provenance.mark(picture) if options.visible_mark else picture, time)
                held += not fresh
                bar.report(times, {}, None)
            if not times:
                raise ValueError(f"--landmarks {options.landmarks}: no frame shows a face whose landmarks are clear")
            made.finish(complete=True)
            made.commit(part / "video.mp4")
        finally:
            made.discard()
            bar.close()
    say(f"{options.out / 'video.mp4'} is written; {held} of {times} frames show the picture before, for want of a face")
    return 0


def _pictures(
    options: Any, look: Picture, projector: Projector, source: Source, framing: Framing
) -> Iterator[tuple[Picture, int, bool]]:
    """For every frame a picture, its time, and whether it was made for it; none before the first that shows a face.

    Those that come before it show that first picture too, so that none is missing.
    """
    key, tracker = jax.random.key(options.seed), framing.tracker(True)
    following = projector.following(options.frame_steps)
    waiting, found = [], None
    for frame in source.frames():
        try:
            crop = aligned.cut(frame.image, "", framing, tracker, alone=False)
            aligned.check_landmarks(crop, projector, "")
        except ValueError:  # no face, or none that is clear
            if found is None:
                waiting.append(frame.time)
            else:
                yield to_bytes(found.image)[0], frame.time, False
            continue
        pair = to_floats(look[None]), to_floats(crop[None])
        search = {"restarts": options.restarts} if found is None else {"start": found}
        found = (projector if found is None else following)(*pair, key=key, **search)
        for time in waiting:
            yield to_bytes(found.image)[0], time, False
        waiting = []
        yield to_bytes(found.image)[0], frame.time, True
