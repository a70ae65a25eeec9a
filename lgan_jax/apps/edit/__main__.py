"""`python -m lgan_jax.apps.edit --workdir RUN`; `--help` says the rest."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgan_jax import cli

_PROGRAM = "edit"
_PORT = 8420
_DESCRIPTION = """\
Opens a page in the browser where the landmarks of a face are moved and the faces that a run makes of them follow.

The page is served on this machine alone. With --host ADDRESS (such as 0.0.0.0) others can open it too: whoever knows
the whole address that is printed, with its token. It is not encrypted; use it in a network that you trust.
Ctrl-C ends it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted, and returns the exit status."""
    parser = cli.Parser("lgan_jax.apps.edit", _DESCRIPTION)
    parser.add_argument("--workdir", type=Path, required=True, help="folder of a trained LandmarkGAN run")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=_PORT, help="0 takes any that is free (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--no-visible-mark", action="store_true", help="exported videos carry no mark that can be seen")
    given = parser.parse_args(arguments)
    with _listening(given.host, given.port) as listener:
        studio = _studio(given.workdir, not given.no_visible_mark)
        return _serve(listener, given.host, studio, not given.no_browser)


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


def _studio(workdir: Path, marked: bool) -> Any:
    """The run, loaded and warm: the first drag need not wait for the compiler."""
    print(f"Loading {workdir} …", flush=True)
    import lgan_jax
    from lgan_jax import experiment
    from lgan_jax.apps.edit import protocol, shapes
    from lgan_jax.apps.edit.studio import Studio
    from lgan_jax.training.compilation import use_cache

    use_cache()
    known = experiment.training_landmarks(workdir)
    model = lgan_jax.load(workdir)
    if not hasattr(model, "synthesize"):
        raise ValueError(f"{workdir} is a run of a detector; the editor needs one of a LandmarkGAN")
    studio = Studio.of(model, workdir.resolve().name, known, marked)
    studio.make(shapes.resting(known), protocol.Look((0,)))
    return studio


def _serve(listener: socket.socket, host: str, studio: Any, browser: bool) -> int:
    try:
        import uvicorn
        import websockets  # noqa: F401 (uvicorn would miss it only later)

        from lgan_jax.apps.edit.guard import Guard
        from lgan_jax.apps.edit.server import configuration
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "websockets"):
            raise
        raise ModuleNotFoundError("the editor needs a web server: pip install 'lgan_jax[edit]'") from error
    guard = Guard.of(host)
    address = url(host, listener.getsockname()[1], guard.token)
    try:
        print(f"The editor is at {address} (Ctrl-C ends it)", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        uvicorn.Server(configuration(studio, guard)).run([listener])
    except KeyboardInterrupt:
        print("Closed.")
    return 0


def url(host: str, port: int, token: str) -> str:
    """The page's address; of a server on every address of this machine, by the machine's name."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/{f'?token={token}' if token else ''}"


if __name__ == "__main__":
    sys.exit(cli.run(main, _PROGRAM))
