import random
import sys
from pathlib import Path

import pytest

from studies.kill import Scenario, study

APPENDS = """
import pathlib, sys, time
path, fault = pathlib.Path(sys.argv[1]), sys.argv[2]
path.parent.mkdir(exist_ok=True)
if path.exists() and fault == "refuses":
    sys.exit(2)
path.touch()
while (count := path.stat().st_size) < 10:
    time.sleep(0.02)
    path.write_bytes(b"x" * (count + 1))
if fault == "forgets" and "undisturbed" not in path.parent.name:
    path.write_bytes(b"")
"""


def found(folder, fault):
    scenario = Scenario(
        "appends",
        lambda place: [sys.executable, "-c", APPENDS, str(place / "file"), fault],
        lambda place: (place / "file").read_text(),
        lambda place: Path(f"{place}-begun").touch(),
    )
    return study(scenario, folder, 5, 2, random.Random(3))


def test_as_many_kills_as_asked_for_whatever_ends_before(tmp_path):
    row = found(tmp_path, "")
    assert (row["killed"], row["lost"]) == (5, 0)
    assert row["chains"] >= 3


def test_what_is_lost_is_counted_and_stays(tmp_path):
    row = found(tmp_path, "forgets")
    assert row["lost"] == row["chains"] > 0
    assert (tmp_path / "appends-lost-1").is_dir()


def test_a_command_that_cannot_be_started_again_ends_the_study(tmp_path):
    with pytest.raises(SystemExit, match="ended with 2"):
        found(tmp_path, "refuses")
