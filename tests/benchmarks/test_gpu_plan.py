"""Plans for a GPU: what is counted, the table, and two small steps compiled where the wheels are installed."""

import json
import subprocess
import sys

import pytest

from benchmarks import gpu_plan, gpu_table, gpu_target, steps

PROGRAM = """\
HloModule jit_step, is_scheduled=true

%fused (param_0: f32[4,8]) -> f32[4,8] {
  %param_0 = f32[4,8]{1,0} parameter(0)
  ROOT %add.1 = f32[4,8]{1,0} add(%param_0, %param_0)
}

%body (state: (s32[], bf16[10])) -> (s32[], bf16[10]) {
  %state = (s32[], bf16[10]{0}) parameter(0)
  %x = bf16[10]{0} get-tuple-element(%state), index=1
  %i = s32[] get-tuple-element(%state), index=0
  %y = bf16[10]{0} fusion(%x), kind=kLoop, calls=%fused.2
  ROOT %next = (s32[], bf16[10]{0}) tuple(%i, %y)
}

ENTRY %main (a: f32[4,8], b: f32[8,3], c: (s32[], bf16[10])) -> f32[4,3] {
  %a = f32[4,8]{1,0} parameter(0)
  %b = f32[8,3]{1,0} parameter(1)
  %c = (s32[], bf16[10]{0}) parameter(2)
  %doubled = f32[4,8]{1,0} fusion(%a), kind=kLoop, calls=%fused
  %loop = (s32[], bf16[10]{0}) while(%c), condition=%test, body=%body, \
backend_config={"known_trip_count":{"n":"5"}}
  %gemm = (f32[4,3]{1,0}, s8[1000]{0}) custom-call(%doubled, %b), custom_call_target="__cublas$gemm"
  ROOT %product = f32[4,3]{1,0} get-tuple-element(%gemm), index=0
}
"""


def test_bytes_are_what_each_kernel_reads_and_writes_as_often_as_it_runs():
    fusion, loop, gemm = 4 * (32 + 32), 5 * 2 * (10 + 10), 4 * (32 + 24 + 12)
    assert gpu_target.moved(PROGRAM) == fusion + loop + gemm


def test_closed_over_arrays_are_found_in_a_lowered_step():
    text = 'constant dense<"0x0000803F00000040"> : tensor<2xf32>\n constant dense<0.0> : tensor<1000xf32>'
    assert gpu_target.constants(text) == 8


def test_a_step_takes_as_long_as_its_operations_or_its_bytes():
    gpu = gpu_target.GPU("a GPU", memory=1, bandwidth=100, peak=1000.0)
    assert gpu.seconds(flops=800.0, moved=60.0) == 2.0
    assert gpu.seconds(flops=400.0, moved=180.0) == 3.0


def test_the_largest_batch_lies_on_the_line_through_two():
    assert gpu_table.largest((1, 5), (4, 11), memory=21.9) == 9
    assert gpu_table.largest((1, 5), (4, 11), memory=1) == 0


def result(step, batch=16, share=1.0, **fields):
    found = {"step": step, "share": share, "steps": 3600, "batch_size": 16, "gpu": "h200", "devices": 1}
    found |= {"batch": batch, "state": 10**9, "peak": 10**9 * (batch + 2)}
    return found | {"flops": 395.6e12, "moved": 10**9} | fields


def test_the_table_has_hours_of_all_variants_and_what_fits(monkeypatch):
    monkeypatch.setattr(gpu_table, "_all_phases", lambda: ["wflw/detector", "ffhq/detector"])
    found = [
        result("ffhq/stylegan2/plain", share=0.75),
        result("ffhq/stylegan2/r1", share=0.25, flops=4 * 395.6e12),
        result("wflw/detector"),
        result("wflw:gpu/detector", batch=64, batch_size=64),
        result("celeba/began", share=0.5, error="no such kernel"),
    ]
    table = gpu_table.table(found).splitlines()
    assert [line.split("`")[1] for line in table if line.startswith("| `")] == [
        *("wflw/detector", "wflw:gpu/detector", "celeba/began", "ffhq/stylegan2/plain", "ffhq/stylegan2/r1")
    ]
    assert table[2] == "| `wflw/detector` | 1 | 16 | 1.00 | 18.00 | 396 | 1.0 | 1000.0 | 1 | 70 / 124 |"
    assert table[3].startswith("| `wflw:gpu/detector` | 1 | 64 | 1.00 | 66.00 |")
    assert "does not compile: no such kernel" in table[4]
    assert table[5].endswith("| 396 | 1.0 | 1000.0 | 1.8 | – |")
    assert table[-1] == "Not compiled for this page: `ffhq/detector`."


def test_every_step_has_a_share_and_phases_that_compile_their_own_are_left_out():
    found = list(steps.steps_of("celeba:quick"))
    assert [step.name for step in found] == [
        f"celeba:quick/{phase}" for phase in ("autoencoder", "began", "landmark_generator")
    ]
    assert all(step.share == 1 for step in found)
    assert found[1].batch(3)["image"].shape == (3, 64, 64, 3)
    with pytest.raises(ValueError, match="there is no config 'other'; the configs are wflw, celebv"):
        steps.config_of("other:quick")


@pytest.mark.skipif(bool(gpu_target.missing()), reason=gpu_target.missing() or "-")
def test_two_small_steps_compile_for_a_gpu_and_are_not_compiled_again(tmp_path):
    names = ["celeba:quick/landmark_generator", "wflw:quick/detector"]
    command = [sys.executable, "-m", "benchmarks.gpu_plan", f"--out={tmp_path}", "--only", *names]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split(",")[0] for line in said.splitlines()] == names
    for name in names:
        file = gpu_plan.result_file(tmp_path, name, "h200", 1, 64 if "celeba" in name else 16)
        found = json.loads(file.read_text())
        assert found["peak"] >= found["arguments"] >= found["state"] > 0
        assert found["flops"] > 0
        assert found["moved"] > found["state"]
        assert found["constants"] < 2**20
    assert not subprocess.run(command, capture_output=True, text=True, check=True).stdout
