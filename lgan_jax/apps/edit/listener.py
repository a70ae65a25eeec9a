"""Where the editor is served: the socket, and the address that others open."""

from __future__ import annotations

import errno
import importlib.util
import socket

_ELSEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}  # reserved for documentation


def need_server() -> None:
    """Raises `ModuleNotFoundError` where no page can be served, before runs are loaded for it."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn", "websockets")):
        raise ModuleNotFoundError("the editor needs a web server: pip install 'lgan_jax[edit]'")


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises `OSError`, one line, where it cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} is in use; choose another with --port, or 0 for any") from None
        raise OSError(f"cannot serve on {host}, port {port}: {error.strerror or error}") from None


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
