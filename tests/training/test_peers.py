"""Processes that notice when another one has died. No test needs JAX; each companion is an object of its own here."""

import socket
import threading

import pytest

from lgan_jax.training import peers
from lgan_jax.training.peers import Peers


class Watched(Peers):
    """Records lost processes in place of ending the process."""

    def __init__(self):
        self.lost = []
        self.noticed = threading.Event()
        super().__init__(self._note)

    def _note(self, index):
        self.lost.append(index)
        self.noticed.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(peers, "GRACE", 0.05)


@pytest.fixture
def three():
    """Process 0 and two others, connected; a stranger knocks first and is turned away."""
    first, others = Watched(), [Watched(), Watched()]
    port, token = first.listen()
    waiting = threading.Thread(target=first.accept, args=(3,))
    waiting.start()
    with socket.create_connection(("localhost", port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for index, other in enumerate(others, 1):
        other.connect("localhost", port, token, index)
    waiting.join(20)
    assert sorted(first.connections) == [1, 2]
    everybody = [first, *others]
    yield everybody
    for each in everybody:
        each.leave(well=True)


def dies(companion):
    """What the operating system does to the connections of a process that is killed."""
    for connection in companion.connections.values():
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def test_the_first_notices_that_another_died(three):
    dies(three[2])
    assert three[0].noticed.wait(20)
    assert three[0].lost == [2]
    assert three[1].lost == []


def test_all_others_notice_that_the_first_died(three):
    dies(three[0])
    assert three[1].noticed.wait(20)
    assert three[2].noticed.wait(20)
    assert three[1].lost == three[2].lost == [0]


def test_one_that_fails_takes_the_others_with_it_and_is_not_surprised_itself(three):
    three[1].leave(well=False)
    assert three[0].noticed.wait(20)
    assert three[0].lost == [1]
    dies(three[0])
    assert not three[1].noticed.wait(0.3)


def test_those_that_end_well_are_no_reason_to_stop(three):
    three[1].leave(well=True)
    three[2].leave(well=True)
    assert not three[0].noticed.wait(0.3)


def test_the_line_names_the_process_and_the_status_is_that_of_a_failure(monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(peers.os, "_exit", ended.append)
    peers.end(3)
    assert ended == [1]
    said = capsys.readouterr().err
    assert said == "stopped: process 3 of this run has ended; start all of them again to continue\n"
