"""The run's folder: continuing it, refusing it."""

import json

import pytest

from lgan_jax.training import workdir as folder

RECORD = {"config": {"seed": 1, "phases": {"joint": {"steps": 20}}}, "data": {"name": "WFLW", "fingerprint": "ab"}}


def test_record_is_written_once_and_kept(tmp_path):
    path = folder.open_run(tmp_path / "new" / "run", RECORD)
    stored = folder.read_run(path)
    assert stored["config"] == RECORD["config"]
    assert stored["data"] == RECORD["data"]
    assert (stored["format"], stored["devices"]) == (folder.FORMAT, ["cpu 0"])
    text = (path / "run.json").read_text()
    folder.open_run(path, RECORD)
    assert (path / "run.json").read_text() == text


def test_tuples_in_a_record_are_the_lists_that_json_makes_of_them(tmp_path):
    folder.open_run(tmp_path, {"config": {"sizes": (1, 2)}})
    folder.open_run(tmp_path, {"config": {"sizes": (1, 2)}})


def test_another_config_names_the_fields_that_differ(tmp_path):
    folder.open_run(tmp_path, RECORD)
    other = {"config": {"seed": 2, "phases": {"joint": {"steps": 30}}}, "data": RECORD["data"]}
    with pytest.raises(ValueError, match="run of another config") as caught:
        folder.open_run(tmp_path, other)
    message = str(caught.value)
    assert "config.phases.joint.steps was 20, is 30; config.seed was 1, is 2." in message
    assert "Choose another --workdir, or delete" in message
    assert "data" not in message.replace(str(tmp_path), "")
    assert "\n" not in message


def test_field_that_is_new_or_gone_differs(tmp_path):
    folder.open_run(tmp_path, {"config": {"a": 1}})
    with pytest.raises(ValueError, match=r"config.a was 1, is None; config.b was None, is 2"):
        folder.open_run(tmp_path, {"config": {"b": 2}})


def test_sections_that_only_one_has_are_named_and_long_lists_cut(tmp_path):
    folder.open_run(tmp_path, {"config": {"a": {"x": 1}, "b": 1, "c": 1, "d": 1, "e": 1}})
    expected = (
        r"config.a is gone; config.b was 1, is 2; config.c was 1, is 2; config.d was 1, is 2; and 2 more\. Choose"
    )
    with pytest.raises(ValueError, match=expected):
        folder.open_run(tmp_path, {"config": {"b": 2, "c": 2, "d": 2, "e": 2, "f": {"x": 1}}})


def test_what_may_change_is_changed_and_noted(tmp_path):
    """Nothing is, where anything else differs."""

    def more_steps(change):
        return change.place == "config.phases.joint.steps" and change.now > change.was

    def record(seed, steps):
        return {**RECORD, "config": {"seed": seed, "phases": {"joint": {"steps": steps}}}}

    folder.open_run(tmp_path, RECORD)
    text = (tmp_path / "run.json").read_text()
    with pytest.raises(ValueError, match=r"another config: config.seed was 1, is 2\. Choose"):
        folder.open_run(tmp_path, record(2, 30), more_steps)
    assert (tmp_path / "run.json").read_text() == text
    folder.open_run(tmp_path, record(1, 30), more_steps)
    folder.open_run(tmp_path, record(1, 30))
    folder.open_run(tmp_path, record(1, 40), more_steps)
    changes = [f"config.phases.joint.steps was {was}, is {now}" for was, now in ((20, 30), (30, 40))]
    assert folder.read_run(tmp_path) == {**json.loads(text), **record(1, 40), "changes": changes}


@pytest.mark.parametrize(
    ("off", "advice"), [(1, "upgrade lgan_jax"), (-1, "open it with that version, or train it again")]
)
def test_another_format_is_refused(tmp_path, off, advice):
    folder.open_run(tmp_path, RECORD)
    stored = json.loads((tmp_path / "run.json").read_text())
    number = folder.FORMAT + off
    (tmp_path / "run.json").write_text(json.dumps({**stored, "format": number, "lgan_jax": "9.8"}))
    line = rf"was written by lgan_jax 9\.8 \(format {number}\); this version reads format {folder.FORMAT}: {advice}$"
    for read in (folder.read_run, lambda path: folder.open_run(path, RECORD)):
        with pytest.raises(ValueError, match=line):
            read(tmp_path)


def test_newer_version_of_the_same_format_is_continued(tmp_path):
    folder.open_run(tmp_path, RECORD)
    stored = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**stored, "lgan_jax": "9.8", "jax": "7", "devices": ["tpu 0"]}))
    folder.open_run(tmp_path, RECORD)


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(
        FileExistsError, match=r"files that do not belong to a run \(thesis.tex\); choose another --workdir"
    ):
        folder.open_run(tmp_path, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_start_that_was_killed_can_be_repeated(tmp_path):
    (tmp_path / ".run.json").write_text('{"con')
    folder.open_run(tmp_path, RECORD)
    assert folder.read_run(tmp_path)["config"] == RECORD["config"]


def test_folder_without_a_run_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no run in .*run.json does not exist"):
        folder.read_run(tmp_path)


def test_unreadable_record_is_an_error(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json cannot be read"):
        folder.open_run(tmp_path, RECORD)
