"""Checkpoints that a disk or a power cut has damaged: the newest whole one is taken, and what is not is said."""

import shutil

import grain
import numpy as np
import pytest
from powercut import Disk

from lgan_jax import files
from lgan_jax.training import checkpoints
from lgan_jax.training.checkpoints import Checkpoints, folder_of
from lgan_jax.training.train_state import TrainState


def state(step):
    return TrainState(np.int32(step), {"w": np.full((50, 3), step, np.float32)})


def save(workdir, *steps, keep=None):
    with Checkpoints(workdir, "first", keep) as saving:
        for step in steps:
            saving.save(step, state(step), iter(grain.MapDataset.range(9).to_iter_dataset()), {"config": "tiny"})


def restored(workdir, **options):
    """The newest step, what is said, and the weights."""
    with Checkpoints(workdir, "first", **options) as saved:
        return saved.newest, saved.skipped, float(saved.restore(state(0)).params["w"][7, 1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    save(workdir, 2, 4)
    return workdir


@pytest.fixture
def workdir(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "a flipped bit of a weight": lambda step: flip(max((step / "state").rglob("*"), key=_size)),
    "a flipped bit of the data's position": lambda step: flip(next((step / "data").glob("process_*"))),
    "a record that is empty": lambda step: (step / "record" / "metadata").write_text(""),
    "a file that is gone": lambda step: (step / "state" / "manifest.ocdbt").unlink(),
    "checksums that are cut off": lambda step: (step / "state" / files.CHECKSUMS).write_text('{"a'),
    "checksums that are gone": lambda step: (step / "data" / files.CHECKSUMS).unlink(),
}


def _size(path):
    return path.stat().st_size if path.is_file() else -1


def test_the_newest_is_restored_and_nothing_said(workdir):
    assert restored(workdir) == (4, [], 4.0)


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_said_and_the_one_before_is_taken(workdir, what):
    DAMAGES[what](folder_of(workdir, "first") / "4")
    newest, (line,), weight = restored(workdir, read_only=True)
    assert (newest, weight) == (2, 2.0)
    assert line.startswith("the checkpoint of step 4 of first is damaged (")
    assert line.endswith(") and was skipped")
    newest, (line,), weight = restored(workdir)
    assert (newest, weight) == (2, 2.0)
    assert line.endswith(f"was moved to {workdir / 'damaged' / 'first-4'}")
    assert (workdir / "damaged" / "first-4" / "state").is_dir()
    save(workdir, 4)
    assert restored(workdir) == (4, [], 4.0)


def test_where_none_is_whole_that_is_one_line_and_nothing_is_moved(workdir):
    for step in ("2", "4"):
        flip(folder_of(workdir, "first") / step / "record" / "metadata")
    with pytest.raises(
        ValueError, match=r"no checkpoint in .* is intact \(step 4: .*; step 2: .*\); delete it to start"
    ) as e:
        Checkpoints(workdir, "first")
    assert "\n" not in str(e.value)
    assert sorted(path.name for path in folder_of(workdir, "first").iterdir()) == ["2", "4"]


def test_what_orbax_alone_reads_may_be_lost(workdir):
    for name in ("_CHECKPOINT_METADATA", "commit_success.txt"):
        (folder_of(workdir, "first") / "4" / name).write_text("")
    assert restored(workdir) == (4, [], 4.0)


def test_older_ones_go_when_the_newest_is_on_the_disk(workdir):
    save(workdir, 6, 8, keep=2)
    assert sorted(path.name for path in folder_of(workdir, "first").iterdir()) == ["6", "8"]


def test_a_power_cut_at_any_moment_leaves_a_whole_checkpoint(whole, tmp_path):
    root = tmp_path / "disk"
    save(root, 2, keep=1)
    with Disk(root) as disk:
        save(root, 4, keep=1)
    found = []
    for place in disk.left(tmp_path / "cuts"):
        step, _ = checkpoints.newest_whole(folder_of(place, "first"))
        found.append(step)
    assert set(found) == {2, 4}
    assert found[-2:] == [4, 4] or found[-1] == 4
