"""What the tests of the methods share."""

import sys

import pytest
from small_methods import INFO, one_of_each, small_converter, small_detector, started

from lgan_jax.core import Finished


@pytest.fixture(scope="session")
def info():
    return INFO


@pytest.fixture(scope="session")
def batch(info):
    return one_of_each(info, 3)


@pytest.fixture(scope="session")
def earlier(info, batch):
    """An untrained detector and converter as finished phases."""
    detector, converter = small_detector(info), small_converter(info)
    return {
        "detector": Finished(detector, started(detector, batch)),
        "converter": Finished(converter, started(converter, batch)),
    }


@pytest.fixture
def without_dlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
