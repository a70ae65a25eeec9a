"""The loop's contract, in this process."""

import dataclasses
import json
import shutil
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_run

from lgan_jax.training import loop
from lgan_jax.training import workdir as folder
from lgan_jax.training.checkpoints import Checkpoints, NotSavedError, folder_of, newest_step, restore_finished

SETTINGS = dataclasses.replace(tiny_run.SETTINGS, log_every=2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished") / "run"
    return workdir, tiny_run.run(workdir, dataclasses.replace(SETTINGS, profile=(3, 4)))


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_second_phase_reads_the_first(finished):
    _, states = finished
    assert list(states) == ["first", "second"]
    np.testing.assert_array_equal(
        states["second"].state.frozen["target"]["layers_0"]["kernel"],
        states["first"].state.params["net"]["layers_0"]["kernel"],
    )
    assert not np.array_equal(
        states["second"].state.ema["net"]["layers_0"]["kernel"],
        states["second"].state.params["net"]["layers_0"]["kernel"],
    )
    assert [int(value.state.step) for value in states.values()] == [6, 6]


def test_schedule_of_logs_checkpoints_and_images(finished):
    workdir, _ = finished
    steps = {(line["phase"], line["kind"]): [] for line in lines(workdir)}
    for line in lines(workdir):
        steps[line["phase"], line["kind"]].append(line["step"])
    assert steps == {
        (phase, kind): each for phase in ("first", "second") for kind, each in [("train", [2, 4, 6]), ("eval", [4, 6])]
    }
    for phase in ("first", "second"):
        assert sorted(path.name for path in folder_of(workdir, phase).iterdir()) == ["4", "6"]  # the newest two
        names = sorted(path.name for path in (workdir / "images" / phase / "beside").iterdir())
        assert names == ["00000000.png", "00000003.png", "00000006.png"]
        assert list((workdir / "tensorboard" / phase).glob("events*"))
        assert list((workdir / "profile" / phase).rglob("*.xplane.pb"))


def test_logged_loss_is_the_mean_of_the_steps_since_the_line_before(tmp_path):
    every, second = tmp_path / "every", tmp_path / "second"
    phases = tiny_run.phases(steps=4)[:1]
    loop.run(phases, every, tiny_run.SETTINGS, {})
    loop.run(phases, second, SETTINGS, {})
    each = [line["values"]["loss"] for line in lines(every) if line["kind"] == "train"]
    means = [line["values"]["loss"] for line in lines(second) if line["kind"] == "train"]
    assert means == pytest.approx([(each[0] + each[1]) / 2, (each[2] + each[3]) / 2])
    assert len(set(each)) == 4


def test_evaluation_is_the_mean_over_the_held_out_batches(finished):
    workdir, states = finished
    phase = tiny_run.phases()[0]
    expected = np.mean(
        [states["first"].phase.eval_step(states["first"].state, batch)["error"] for batch in phase.eval_batches]
    )
    (logged,) = [v["values"] for v in lines(workdir) if (v["phase"], v["kind"], v["step"]) == ("first", "eval", 6)]
    assert logged == {"error": pytest.approx(expected, rel=1e-5)}


def no_batches():
    raise AssertionError("no batch is needed")


def test_finished_run_says_so_and_draws_no_batch(finished, capsys):
    workdir, states = finished

    before = (workdir / "metrics.jsonl").read_text()
    phases = [dataclasses.replace(phase, batches=no_batches) for phase in tiny_run.phases()]
    again = loop.run(phases, workdir, SETTINGS, {"config": {}})
    printed = capsys.readouterr().out
    assert "first: finished at step 6" in printed
    assert "second: finished at step 6" in printed
    assert (workdir / "metrics.jsonl").read_text() == before
    for name, value in tiny_run.leaves(states).items():
        np.testing.assert_array_equal(tiny_run.leaves(again)[name], value)


def test_notes_and_devices_are_said_at_the_start(finished, capsys):
    workdir, _ = finished
    loop.run(tiny_run.phases(), workdir, SETTINGS, {"config": {}}, notes=["data: built-in faces [none given]"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("training on 1 × cpu")
    assert "data: built-in faces [none given]" in printed


def test_loss_that_is_not_finite_names_itself_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(FloatingPointError, match="second: loss is nan at step 5; the last good checkpoint is step 4"):
        tiny_run.run(tmp_path / "run", dataclasses.replace(SETTINGS, log_every=100), nan_at=5)
    assert newest_step(folder_of(tmp_path / "run", "second")) == 4


def test_loss_that_is_not_finite_is_found_before_saving(tmp_path):
    phases = tiny_run.phases(steps=3)
    phases[1] = dataclasses.replace(phases[1], build=lambda earlier: tiny_run.Tiny(nan_at=1))
    with pytest.raises(FloatingPointError, match="loss is nan at step 1; nothing has been saved yet"):
        loop.run(phases[1:], tmp_path / "run", dataclasses.replace(SETTINGS, log_every=100, checkpoint_every=1), {})


class Searching(tiny_run.Tiny):
    """Works on the host, and finds nothing finite in its third step."""

    host_step = True

    def train_step(self, state, batch, key, variant=None):
        if state.step == 2:
            raise FloatingPointError("the search of 3 of 8 images diverged")
        return state.replace(step=state.step + 1), {"error": jnp.float32(0.5)}


def test_a_step_on_the_host_that_finds_nothing_finite_says_what_there_is_to_go_back_to(tmp_path):
    phase = dataclasses.replace(tiny_run.phases()[0], build=lambda earlier: Searching())
    settings = dataclasses.replace(SETTINGS, images_every=100, eval_every=100)
    line = "^first: the search of 3 of 8 images diverged, at step 3; the last good checkpoint is step 2$"
    with pytest.raises(FloatingPointError, match=line):
        loop.run([phase], tmp_path / "run", settings, {})


def test_restore_finished_needs_no_data(finished):
    workdir, states = finished
    phases = [dataclasses.replace(phase, batches=no_batches, sample_batch={}) for phase in tiny_run.phases()]
    restored = restore_finished(phases, workdir)
    assert list(restored) == ["first", "second"]
    for name, value in tiny_run.leaves(states).items():
        np.testing.assert_array_equal(tiny_run.leaves(restored)[name], value)
    assert isinstance(jax.tree.leaves(restored["first"].state)[0], jax.Array)


def test_checkpoint_of_another_program_names_the_difference(finished):
    workdir, _ = finished
    with pytest.raises(
        ValueError, match=r"does not fit .* phase first: ema.net.layers_0.bias is float32\[8\] there, float32\[9\] here"
    ):
        restore_finished(tiny_run.phases(width=9), workdir)


def test_checkpoint_of_a_newer_format_is_refused(finished, monkeypatch):
    workdir, states = finished
    monkeypatch.setattr(folder, "FORMAT", 0)
    with (
        Checkpoints(workdir, "first", read_only=True) as checkpoints,
        pytest.raises(ValueError, match=r"first/6 was written by lgan_jax .* reads format 0: upgrade lgan_jax"),
    ):
        checkpoints.restore(states["first"].state)


def test_checkpoint_of_more_processes_is_refused(finished, tmp_path):
    workdir, states = finished
    shutil.copytree(workdir, tmp_path / "run")
    (folder_of(tmp_path / "run", "first") / "6" / "data" / "process_1-of-2.json").write_text("{}")
    with (
        Checkpoints(tmp_path / "run", "first") as checkpoints,
        pytest.raises(ValueError, match="first/6 was saved by 2 processes; resume it with as many, not 1"),
    ):
        checkpoints.restore(states["first"].state, tiny_run.phases()[0].batches())


def test_run_without_a_checkpoint_cannot_be_restored(tmp_path):
    folder.open_run(tmp_path, {})
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint in .* yet; train first"):
        restore_finished(tiny_run.phases(), tmp_path)


def test_method_that_does_not_count_its_steps_is_found(tmp_path):
    class Forgetful(tiny_run.Tiny):
        def train_step(self, state, batch, key, variant=None):
            new, metrics = super().train_step(state, batch, key)
            return new.replace(step=state.step), metrics

    phase = dataclasses.replace(tiny_run.phases()[0], build=lambda earlier: Forgetful())
    with pytest.raises(ValueError, match="train_step left the state's `step` at 0 after step 2"):
        loop.run([phase], tmp_path / "run", SETTINGS, {})


def test_steps_that_are_not_all_alike(tmp_path):
    """Each variant of a step is compiled, which is no measure of speed; a run that is continued keeps the count."""

    class Turning(tiny_run.Tiny):
        def step_variant(self, step):
            return "third" if step % 3 == 0 else "plain"

        def train_step(self, state, batch, key, variant):
            new, metrics = super().train_step(state, batch, key)
            return new, {**metrics, "third": jax.numpy.float32(variant == "third")}

    settings = dataclasses.replace(SETTINGS, log_every=1)
    for steps in (2, 5):
        phase = dataclasses.replace(tiny_run.phases(steps=steps)[0], build=lambda earlier: Turning())
        loop.run([phase], tmp_path / "run", settings, {})
    trained = [line for line in lines(tmp_path / "run") if line["kind"] == "train"]
    assert [line["values"]["third"] for line in trained] == [1, 0, 0, 1, 0]
    assert ["images_per_second" in line for line in trained] == [False, False, False, False, True]


def test_data_that_ends_is_an_error(tmp_path):
    phase = dataclasses.replace(tiny_run.phases()[0], batches=lambda: iter([tiny_run.held_out(0, 8)]))
    with pytest.raises(ValueError, match="first: the data ended before step 2"):
        loop.run([phase], tmp_path / "run", SETTINGS, {})


def test_file_missing_in_the_data_is_not_taken_for_a_full_disk(tmp_path):
    def broken():
        raise PermissionError(13, "Permission denied", "/data/image.jpg")
        yield

    phase = dataclasses.replace(tiny_run.phases()[0], batches=broken)
    with pytest.raises(PermissionError, match=r"image\.jpg") as caught:
        loop.run([phase], tmp_path / "run", SETTINGS, {})
    assert not isinstance(caught.value, NotSavedError)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("keep", 0, "keep must be at least 1"),
        ("log_every", 0, "log_every must be"),
        ("profile", (3,), "a first and a last"),
        ("profile", (5, 4), "the last is not before the first"),
        ("profile", (0, 4), "the first step is 1"),
    ],
)
def test_settings_are_checked(field, value, message):
    with pytest.raises(ValueError, match=message):
        loop.Settings(**{field: value})


def test_phase_without_held_out_batches_is_an_error():
    with pytest.raises(ValueError, match="phase first: there is no batch to evaluate"):
        dataclasses.replace(tiny_run.phases()[0], eval_batches=[])


def test_keys_are_functions_of_seed_and_phase():
    first, second = tiny_run.phases()
    data = [
        jax.random.key_data(key).tolist() for phase in (first, second) for seed in (0, 1) for key in phase.keys(seed)
    ]
    assert len({tuple(key) for key in data}) == 8
    assert jax.random.key_data(first.keys(1)[0]).tolist() == data[2]


class OnHost(tiny_run.Tiny):
    """A phase whose step is not compiled: it counts, and warns at every evaluation."""

    host_step = True

    def train_step(self, state, batch, key, variant=None):
        assert isinstance(state.step, np.ndarray | np.int32)
        assert batch["image"].shape == (tiny_run.BATCH, 3, 3, 3)
        loss = jax.random.uniform(key) + batch["image"].mean()
        return state.replace(step=np.int32(state.step + 1)), {"loss": jax.numpy.asarray(loss)}

    def warnings(self, metrics):
        return (f"the error is {metrics['error']:.3f}",)


def test_a_step_on_the_host_is_resumed_as_others_are_and_warnings_are_said(tmp_path, capsys):
    phase = dataclasses.replace(tiny_run.phases(steps=6)[0], build=lambda earlier: OnHost())
    whole, part = tmp_path / "whole", tmp_path / "part"
    finished = loop.run([phase], whole, tiny_run.SETTINGS, {})
    assert int(finished["first"].state.step) == 6
    error = next(line["values"]["error"] for line in lines(whole) if line["kind"] == "eval")
    assert f"first: NOTE: the error is {error:.3f}" in capsys.readouterr().out
    loop.run([dataclasses.replace(phase, steps=4)], part, tiny_run.SETTINGS, {})
    loop.run([phase], part, tiny_run.SETTINGS, {})
    losses = [[line["values"]["loss"] for line in lines(each) if line["kind"] == "train"] for each in (whole, part)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6


class Watched(tiny_run.Tiny):
    """Two identities, the second twice as bad; the EMA is mended once, at the first evaluation."""

    worst: ClassVar = {"error": max}
    recoverable = frozenset({"loss"})
    stop = False

    def eval_step(self, state, batch):
        return {"error": super().eval_step(state, batch)["error"] * jnp.array([1.0, 2.0]), "other": jnp.float32(3)}

    def recover(self, state, metrics):
        assert metrics["error"].shape == (2,)
        assert isinstance(state.step, np.ndarray)
        if self.stop and state.step > 4:
            raise FloatingPointError("ben died again; do something about ben")
        ema = jax.tree.map(np.zeros_like, state.ema) if state.step == 4 else state.ema
        return state.replace(ema=ema), [f"ben died at step {state.step}"] if state.step == 4 else []


def watched(**options):
    return dataclasses.replace(tiny_run.phases(steps=6)[0], build=lambda earlier: Watched(**options))


def test_what_a_method_mends_after_an_evaluation_is_a_part_of_the_run(tmp_path, capsys):
    """The same bits where the run is cut after it; of evaluations by identity the worst is named."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    finished = loop.run([watched(nan_at=3)], whole, tiny_run.SETTINGS, {})  # left to `recover`
    said = capsys.readouterr().out
    assert "first: ben died at step 4" in said
    loop.run([dataclasses.replace(watched(nan_at=3), steps=4)], part, tiny_run.SETTINGS, {})
    again = loop.run([watched(nan_at=3)], part, tiny_run.SETTINGS, {})
    ours, theirs = tiny_run.leaves(again), tiny_run.leaves(finished)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    evaluated = [line for line in lines(whole) if line["kind"] == "eval"]
    assert [line["step"] for line in evaluated] == [4, 6]
    for line in evaluated:
        ada, ben = (line["identities"][name]["error"] for name in ("ada", "ben"))
        assert ben == pytest.approx(2 * ada)
        assert line["values"] == {"error": pytest.approx(1.5 * ada), "other": 3, "error_worst": ben}
        assert f"worst: ben error {ben:.4g}" in said


def test_a_method_that_gives_up_says_what_there_is_to_go_back_to(tmp_path):
    class GivesUp(Watched):
        stop = True

    phase = dataclasses.replace(watched(), build=lambda earlier: GivesUp())
    line = "^first: ben died again; do something about ben; the last good checkpoint is step 4$"
    with pytest.raises(FloatingPointError, match=line):
        loop.run([phase], tmp_path / "run", SETTINGS, {})
