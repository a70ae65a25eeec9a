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
    assert refusal == "only the editor's own page may do that"


def test_the_token_is_asked_for():
    guard = Guard("0.0.0.0", "right")
    headers = {"host": "192.168.1.5:8420"}
    assert guard.refusal(headers, "right", same_origin=False) == ""
    for wrong in ("", "Right", "right ", "wröng"):
        assert "token" in guard.refusal(headers, wrong, same_origin=False)
    assert "not this server's" in guard.refusal({"host": "evil.example"}, "right", same_origin=False)


def test_nothing_is_loaded_from_elsewhere():
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
