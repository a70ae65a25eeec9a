"""Damages whole files, and watches what a reader does with them."""

import contextlib
import itertools
import os
import random
import resource
import sys
import time

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lgan_jax import cli

SLOWEST = 10  # seconds that one file may take
MOST_MEMORY = 2**20  # kB that a process may grow by
_CODE = ("os.", "subprocess.", "socket.", "shutil.", "pickle.find_class", "ctypes.")
_HARMLESS = ("os.listdir", "os.scandir", "os.putenv", "os.walk", "os.fwalk")
_watched: list[str] | None = None


def _hook(event: str, _: tuple) -> None:
    if _watched is not None and event.startswith(_CODE) and event not in _HARMLESS:
        _watched.append(event)


sys.addaudithook(_hook)


@contextlib.contextmanager
def no_code():
    """Fails where something is run, written or loaded inside, other than what is opened to be read."""
    global _watched
    _watched = events = []
    try:
        yield
    finally:
        _watched = None
    assert not events, events


@st.composite
def damaged(draw, examples, words=()):
    """One of the examples with some of its bytes changed, cut, doubled, moved, or replaced by others' or by words."""
    data = bytearray(draw(st.sampled_from(examples)))
    chance = random.Random(draw(st.integers(0, 2**32 - 1)))
    for _ in range(chance.randint(0, 6)):
        _damage(data, chance, examples, words)
    return bytes(data)


def _damage(data, chance, examples, words):
    place, length = chance.randint(0, len(data)), chance.choice([1, 1, 2, 4, 8, chance.randint(0, 200)])
    other = chance.choice(examples)
    start = chance.randint(0, len(other))
    data[place : place + chance.choice([0, length])] = chance.choice(
        [
            b"",
            other[start : start + length],
            bytes(data[place : place + length]) * chance.choice([1, 2, 30]),
            chance.randbytes(length),
            chance.choice([b"\0", b"\xff", b"\x7f", b"9", b"-", b".", b"\n", b"e", b'"', b","]) * length,
            chance.choice([*words, b"nan", b"inf", b"1e999", b"-1", b"..", b"/", b"null", b"[", b"{"]),
        ]
    )
    if chance.random() < 0.1:
        del data[chance.randint(0, len(data)) :]


def attack(read, examples, words, count, start=None):
    """Has `read` read `count` damaged examples: the same every time, or others with `start`.

    Fails for an exception that `cli.sentence` cannot say, for a message of several lines, for code that runs, and for
    what takes too long or too much memory.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=start is None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(examples, words))
    def attempt(data):
        began = time.perf_counter()
        with no_code():
            message = outcome(read, data)
        assert "\n" not in message
        assert time.perf_counter() - began < SLOWEST

    (attempt if start is None else seed(start)(attempt))()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEMORY


def outcome(read, data):
    """What a command says against a file that `read` refuses; nothing where it reads it.

    Raises what would be a traceback, such as a `ValueError` of another package.
    """
    try:
        read(data)
    except (ValueError, OSError) as error:
        if (said := cli.sentence(error)) is None:
            raise
        return said
    return ""


def attack_on(read, examples, words, count, readers):
    """Attacks with ever new examples for one reader's share of the time of a file of fuzz tests, one of two."""
    end = time.monotonic() + 60 * float(os.environ.get("FUZZ_MINUTES", "60")) / 2 / readers
    for start in itertools.count(time.time_ns()):
        attack(read, examples, words, count, start)
        if time.monotonic() > end:
            return
