"""The runs of `edit`, loaded and compiled, and the server that uses them."""

from __future__ import annotations

import socket
import threading
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np

import lgan_jax
from lgan_jax import compilation, experiment
from lgan_jax.apps.edit import protocol, shapes
from lgan_jax.apps.edit.command import Options
from lgan_jax.apps.edit.expression_studio import ExpressionStudio
from lgan_jax.apps.edit.guard import Guard
from lgan_jax.apps.edit.listener import url
from lgan_jax.apps.edit.studio import Studio
from lgan_jax.apps.shared import references
from lgan_jax.apps.shared.loading import framing
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.methods.landmarkgan.model import LandmarkGAN


def load_studios(options: Options) -> dict[str, Any]:
    """The studio of each tab, that of landmarks with the person whom `--reference` shows.

    Raises `ValueError` for a run that no tab takes, two for one tab, or a reference without a LandmarkGAN run.
    """
    compilation.use_cache()
    found: dict[str, Any] = {}
    for workdir in options.workdir:
        print(f"Loading {workdir} …", flush=True)
        tab, studio = _studio(workdir, options)
        if tab in found:
            raise ValueError(f"--workdir {workdir} is a second run for the tab {tab}; give one of each kind")
        found[tab] = studio
    if options.reference is not None and "landmarks" not in found:
        raise ValueError(f"--reference {options.reference} is for a LandmarkGAN run, and no --workdir is one")
    return found


def _studio(workdir: Path, options: Options) -> tuple[str, Any]:
    """The run, loaded and compiled, so that the first edit need not wait for the compiler; and its tab."""
    model, name = lgan_jax.load(workdir), workdir.resolve().name
    if isinstance(model, DFTNet):
        blank = np.zeros((1, model.info.size, model.info.size, 3), np.float32)
        model.edit(blank, model.estimate(blank))
        return "expression", ExpressionStudio(model, name, framing(workdir))
    if not isinstance(model, LandmarkGAN):
        raise ValueError(f"{workdir} is a run that the editor has no tab for; it needs one of LandmarkGAN or DFT-Net")
    trained = experiment.training_landmarks(workdir)
    known = {person: trained[person] for person in model.info.identities}
    if options.reference is None:
        references.need(model.info, workdir)
    else:
        model, person = references.add(model, options.reference, options.name, trained)
        print("\n".join(person.lines), flush=True)
        known[person.name] = person.landmarks
    studio = Studio.of(model, name, known, options.visible_mark, trained)
    studio.make(shapes.resting(known), protocol.Look((0,)))
    return "landmarks", studio


def serve(listener: socket.socket, options: Options) -> int:
    """Serves the page until it is interrupted; returns the exit status. Raises as `load_studios`."""
    import uvicorn  # of the extra [edit], as the server

    from lgan_jax.apps.edit.server import Studios, configuration

    studios, guard = load_studios(options), Guard.of(options.host, options.allow_host)
    address = url(guard.host, listener.getsockname()[1], guard.token)
    try:
        print(f"The editor is at {address} (Ctrl-C ends it)", flush=True)
        for name in sorted(guard.allowed):
            print(f"Behind the proxy it is at https://{name}/?token={guard.token}", flush=True)
        if options.browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        uvicorn.Server(configuration(Studios(**studios), guard)).run([listener])
    except KeyboardInterrupt:
        print("Closed.")
    return 0
