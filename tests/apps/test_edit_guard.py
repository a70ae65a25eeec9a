import pytest

from lgan_jax.apps.edit.guard import HEADERS, Guard, is_loopback

HERE = {"host": "127.0.0.1:8420", "origin": "http://127.0.0.1:8420"}


def test_loopback_asks_for_no_token_and_others_do():
    assert Guard.of("127.0.0.1").token == Guard.of("localhost").token == Guard.of("::1").token == ""
    one, other = Guard.of("0.0.0.0"), Guard.of("192.168.1.5")
    assert len(one.token) >= 32
    assert one.token != other.token
    assert not is_loopback("example.org")


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:8420", "[::1]:8420", "127.0.0.1"])
def test_own_addresses_pass(host):
    guard = Guard("127.0.0.1")
    assert guard.refusal({"host": host, "origin": f"http://{host}"}, "", same_origin=True) == ""
    assert guard.refusal({"host": host}, "", same_origin=False) == ""


@pytest.mark.parametrize("host", ["evil.example:8420", "127.0.0.1.evil.example", "", "[::1", "192.168.1.5:8420"])
def test_a_name_that_was_rebound_does_not(host):
    assert "not this server's" in Guard("127.0.0.1").refusal({**HERE, "host": host}, "", same_origin=False)


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", "http://127.0.0.1:9999", "http://localhost:8420"]
)
def test_other_pages_do_not(origin):
    refusal = Guard("127.0.0.1").refusal({**HERE, "origin": origin}, "", same_origin=True)
    assert refusal.startswith("only the editor's own page may do that")


def test_a_refusal_says_what_to_do_behind_a_proxy():
    guard = Guard("127.0.0.1")
    for headers in ({"host": "me.example.org"}, {**HERE, "origin": "https://me.example.org"}):
        said = guard.refusal(headers, "", same_origin=True)
        assert said.endswith("start the editor with --allow-host me.example.org")


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "me.example.org", "ME.example.org:443"])
def test_a_proxy_that_is_allowed_passes_with_the_token(host):
    guard = Guard.of("127.0.0.1", ["Me.example.org"])
    for origin in ("https://me.example.org", "https://me.example.org:8443"):
        assert guard.refusal({"host": host, "origin": origin}, guard.token, same_origin=True) == ""
        assert "token" in guard.refusal({"host": host, "origin": origin}, "", same_origin=True)
    assert "own page" in guard.refusal({"host": host, "origin": "https://evil.example"}, guard.token, same_origin=True)
    assert "not this server's" in guard.refusal({"host": "evil.example"}, guard.token, same_origin=False)


def test_the_token_is_asked_for():
    guard = Guard("0.0.0.0", "right")
    headers = {"host": "192.168.1.5:8420"}
    assert guard.refusal(headers, "right", same_origin=False) == ""
    for wrong in ("", "Right", "right ", "wröng"):
        assert "token" in guard.refusal(headers, wrong, same_origin=False)


@pytest.mark.parametrize("host", ["docker-host:8420", "pc.cluster.example.org:8420", "PC:8420", "[fe80::1]:8420"])
def test_with_the_token_any_name_of_a_server_for_others_passes(host):
    assert Guard("0.0.0.0", "right").refusal({"host": host, "origin": "https://a.b"}, "right", same_origin=True) == ""


def test_nothing_is_loaded_from_elsewhere():
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
