"""Who may talk to the page's server: the same page, opened at an address that is the server's own.

A page of another site must not reach a server on the loopback device, neither directly (its `Origin` differs) nor under
a name of its own that resolves to 127.0.0.1 (DNS rebinding: the `Host` is not ours). A server that others can reach
asks for a token.
"""

from __future__ import annotations

import dataclasses
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
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
      allowed: names, in small letters, under which a proxy on this machine serves the page.
    """

    host: str
    token: str = ""
    allowed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> Guard:
        """With a new token, unless only this machine can reach `host` and no proxy lets others in."""
        names = frozenset(name.lower() for name in allowed)
        alone = is_loopback(host) and not names
        return cls(host, "" if alone else secrets.token_urlsafe(24), names)

    def refusal(self, headers: Mapping[str, str], token: str, same_origin: bool) -> str:
        """Why a request is refused, in one line; empty where it may pass.

        `same_origin` asks for an `Origin` that is this server, which browsers send with sockets and uploads. Where
        others can reach the server, under names that it cannot know, the token decides: no page of another site has it.
        """
        if self.token and not hmac.compare_digest(token.encode(), self.token.encode()):
            return "the token is missing or wrong; open the whole address that the server printed"
        if not is_loopback(self.host):
            return ""
        host, origin = headers.get("host", ""), headers.get("origin", "")
        name = _hostname(f"//{host}")
        if not self._is_ours(name):
            return (
                f"the address {host!r} is not this server's; open the page at the address that it printed"
                f"{_advice(name)}"
            )
        from_here = origin in (f"http://{host}", f"https://{host}") or _hostname(origin) in self.allowed
        if same_origin and not from_here:
            return f"only the editor's own page may do that{_advice(_hostname(origin))}"
        return ""

    def _is_ours(self, name: str) -> bool:
        return name in _LOOPBACK or name == self.host or name in self.allowed


def _advice(name: str) -> str:
    """What to do where a proxy serves the page under a name."""
    return f"; if a proxy serves it as {name}, start the editor with --allow-host {name}" if name else ""


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
