"""The script for ten minutes on a GPU: order, time, failures and the size of its output."""

import json

import pytest

from benchmarks import on_gpu


def test_parts_are_chosen_by_their_start_and_keep_their_order():
    assert on_gpu.chosen([]) == list(on_gpu.PARTS)
    assert on_gpu.chosen(["train", "smoke"]) == [*(f"smoke/{step}" for step in on_gpu.SMOKE), "train"]
    assert on_gpu.chosen(["torch/dftnet"]) == ["torch/dftnet"]
    with pytest.raises(ValueError, match="there is no part 'smok'; the parts are smoke/celebv"):
        on_gpu.chosen(["smok"])


def test_a_part_that_fails_does_not_stop_the_next_and_none_begins_without_time(tmp_path, monkeypatch, capsys):
    clock, ran = [0.0], []

    def run_part(part, options, seconds):
        ran.append((part, seconds))
        clock[0] += 250
        on_gpu.result_file(options.out, part).write_text('{"share": 0.25}')
        return "ended" if len(ran) > 1 else "failed with status 1; see its log"

    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(on_gpu, "run_part", run_part)
    out = tmp_path / "out"
    assert on_gpu.main([f"--out={out}", "--only", "loop", "inference", "projection", "trace"]) == 1
    assert ran == [("loop", 120), ("inference", 60), ("projection", 100)]
    summary = json.loads((out / "summary.json").read_text())
    assert [each["became"].split()[0] for each in summary.values()] == ["failed", "ended", "ended", "not"]
    assert "inference: ended; share 0.25" in capsys.readouterr().out


def test_a_part_of_its_own_process_ends_or_runs_out_of_time(tmp_path):
    out = tmp_path / "out"
    assert on_gpu.main([f"--out={out}", "--tiny", "--only", "torch/dftnet"]) == 0
    assert "skipped" in json.loads(on_gpu.result_file(out, "torch/dftnet").read_text())
    options = on_gpu.arguments([f"--out={out}", "--tiny"])
    assert on_gpu.run_part("train", options, 0.1) == "out of time"
    assert "failed with status 1" in on_gpu.run_part("nothing", options, 100)


def test_compiled_programs_are_kept_as_far_as_they_fit(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "image.png").write_bytes(b"0" * 40)
    folder = on_gpu.work_folder(out) / "xla"
    folder.mkdir(parents=True)
    for name, size in (("small", 10), ("large", 60), ("middle", 40)):
        (folder / name).write_bytes(b"1" * size)
    monkeypatch.setattr(on_gpu, "_LARGEST", 100)
    on_gpu.keep_compiled(out)
    assert sorted(path.name for path in (out / "compiled").iterdir()) == ["middle", "small"]
    on_gpu.keep_compiled(out)
    assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) == 90
