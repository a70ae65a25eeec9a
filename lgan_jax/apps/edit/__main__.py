"""`python -m lgan_jax.apps.edit --workdir RUN`; `--help` says the rest."""

from __future__ import annotations

import errno
import importlib.util
import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgan_jax import cli
from lgan_jax.apps.edit.guard import Guard

_PROGRAM = "edit"
_PORT = 8420
_ELSEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}  # of documentation: nobody's
_DESCRIPTION = """\
Opens a page in the browser. With a LandmarkGAN run, the landmarks of a face are moved there and the faces that the run
makes of them follow. With a DFT-Net run, the face in a photo is given another expression by its action units. With one
of each, the page has both, as two tabs.

The page is served on this machine alone. From another machine it is opened, encrypted,
  through ssh:     ssh -L 8420:127.0.0.1:8420 MACHINE, then open http://127.0.0.1:8420/
  through a proxy: one on this machine that passes WebSockets on, with --allow-host and the name that it serves;
                   open the address with the token that is printed
With --host ADDRESS (such as 0.0.0.0) others open it without any: whoever knows the whole address that is printed, with
its token. That is not encrypted; use it in a network that you trust. Ctrl-C ends it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted, and returns the exit status."""
    parser = cli.Parser("lgan_jax.apps.edit", _DESCRIPTION)
    parser.add_argument(
        "--workdir",
        type=Path,
        required=True,
        action="append",
        metavar="RUN",
        help="folder of a trained LandmarkGAN or DFT-Net run; may be given again, for the other",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="IN",
        help="a person who was in no training, shown by a clip or a folder of photos, as in lgan_jax.apps.reenact",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name under which a proxy serves the page, such as faces.example.org; may be given again",
    )
    parser.add_argument("--port", type=int, default=_PORT, help="0 takes any that is free (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--no-visible-mark", action="store_true", help="exported videos carry no mark that can be seen")
    given = parser.parse_args(arguments)
    _need_server()
    with _listening(given.host, given.port) as listener:
        studios = _studios(given.workdir, not given.no_visible_mark, given.reference)
        return _serve(listener, Guard.of(given.host, given.allow_host), studios, not given.no_browser)


def _need_server() -> None:
    """Raises `ModuleNotFoundError` where no page can be served, before runs are loaded for it."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn", "websockets")):
        raise ModuleNotFoundError("the editor needs a web server: pip install 'lgan_jax[edit]'")


def _listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises `OSError` or `ValueError`, one line, where it cannot be had."""
    if not 0 <= port < 2**16:
        raise ValueError(f"--port is {port}; it must be 0 to 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} is in use; choose another with --port, or 0 for any") from None
        raise OSError(f"cannot serve on {host}, port {port}: {error.strerror or error}") from None


def _studios(workdirs: Sequence[Path], marked: bool, reference: Path | None = None) -> Mapping[str, Any]:
    """The studio of each tab, that of landmarks with the person whom `reference` shows.

    Raises `ValueError` for a run that no tab has use for, two for one tab, or a reference without a LandmarkGAN run.
    """
    from lgan_jax.training.compilation import use_cache

    use_cache()
    found: dict[str, Any] = {}
    for workdir in workdirs:
        print(f"Loading {workdir} …", flush=True)
        tab, studio = _studio(workdir, marked, reference)
        if tab in found:
            raise ValueError(f"--workdir {workdir} is a second run for the tab {tab}; give one of each kind")
        found[tab] = studio
    if reference is not None and "landmarks" not in found:
        raise ValueError(f"--reference {reference} is for a LandmarkGAN run, and no --workdir is one")
    return found


def _studio(workdir: Path, marked: bool, reference: Path | None) -> tuple[str, Any]:
    """The run, loaded and warm, so that the first drag need not wait for the compiler; and the tab that it is for."""
    import lgan_jax
    from lgan_jax import experiment
    from lgan_jax.apps import references
    from lgan_jax.apps.edit import protocol, shapes
    from lgan_jax.apps.edit.expression_studio import ExpressionStudio
    from lgan_jax.apps.edit.studio import Studio
    from lgan_jax.apps.express import job
    from lgan_jax.methods.dftnet.model import ExpressionEditor
    from lgan_jax.methods.landmarkgan.model import LandmarkGAN

    model, name = lgan_jax.load(workdir), workdir.resolve().name
    if isinstance(model, ExpressionEditor):
        blank = np.zeros((1, model.info.size, model.info.size, 3), np.float32)
        model.edit(blank, model.estimate(blank))
        return "expression", ExpressionStudio(model, name, job.known(workdir))
    if not isinstance(model, LandmarkGAN):
        raise ValueError(f"{workdir} is a run that the editor has no tab for; it needs one of LandmarkGAN or DFT-Net")
    framing = experiment.training_landmarks(workdir)
    known = {person: framing[person] for person in model.info.identities}
    if reference is None:
        references.need(model.info, workdir)
    else:
        model, person = references.add(model, reference, None, framing)
        print("\n".join(person.lines), flush=True)
        known[person.name] = person.landmarks
    studio = Studio.of(model, name, known, marked, framing)
    studio.make(shapes.resting(known), protocol.Look((0,)))
    return "landmarks", studio


def _serve(listener: socket.socket, guard: Guard, studios: Mapping[str, Any], browser: bool) -> int:
    import uvicorn

    from lgan_jax.apps.edit.server import Studios, configuration

    address = url(guard.host, listener.getsockname()[1], guard.token)
    try:
        print(f"The editor is at {address} (Ctrl-C ends it)", flush=True)
        for name in sorted(guard.allowed):
            print(f"Behind the proxy it is at https://{name}/?token={guard.token}", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        uvicorn.Server(configuration(Studios(**studios), guard)).run([listener])
    except KeyboardInterrupt:
        print("Closed.")
    return 0


def url(host: str, port: int, token: str) -> str:
    """The page's address; of a server on every address of this machine, by the one that others reach."""
    name = {"0.0.0.0": outward, "::": lambda: outward(socket.AF_INET6)}.get(host, lambda: host)()
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/{f'?token={token}' if token else ''}"


def outward(family: socket.AddressFamily = socket.AF_INET) -> str:
    """This machine's address in the network, which all there can reach; its name where it has none.

    A name that this machine calls itself by often means nothing to others.
    """
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE[family])  # sends nothing
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
