"""Who may talk to the page's server: the same page, opened at an address that is the server's own.

A page of another site must not reach a server on the loopback device, neither directly (its `Origin` differs) nor under
a name of its own that resolves to 127.0.0.1 (DNS rebinding: the `Host` is not ours). A server that others can reach
asks for a token besides.
"""

from __future__ import annotations

import dataclasses
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclasses.dataclass(frozen=True)
class Guard:
    """Decides on a request by its headers and its token.

    Attributes:
      host: what the server is bound to.
      token: what the address must hold; empty where nothing is asked.
    """

    host: str
    token: str = ""

    @classmethod
    def of(cls, host: str) -> Guard:
        """With a new token, unless only this machine can reach `host`."""
        return cls(host, "" if is_loopback(host) else secrets.token_urlsafe(24))

    def refusal(self, headers: Mapping[str, str], token: str, same_origin: bool) -> str:
        """Why a request is refused, in one line; empty where it may pass.

        `same_origin` asks for an `Origin` that is this server, which browsers send with sockets and uploads.
        """
        host = headers.get("host", "")
        if not self._is_ours(_hostname(f"//{host}")):
            return f"the address {host!r} is not this server's; open the page at the address that it printed"
        if same_origin and headers.get("origin", "") not in (f"http://{host}", f"https://{host}"):
            return "only the editor's own page may do that"
        if self.token and not hmac.compare_digest(token.encode(), self.token.encode()):
            return "the token is missing or wrong; open the whole address that the server printed"
        return ""

    def _is_ours(self, name: str) -> bool:
        """Addresses in figures cannot be rebound; of names, only those that are certainly this machine's."""
        if is_loopback(self.host):
            return name in _LOOPBACK or name == self.host
        return name in (self.host, "localhost", socket.gethostname()) or _is_address(name)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to `host`."""
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # an address such as [::1 without its end
        return ""
