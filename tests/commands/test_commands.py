"""The commands: found by their names, explained by --help, wrong arguments said in one line."""

import importlib
import runpy
import sys

import pytest
from small_configs import ROOT

from lgan_jax import cli, commands
from lgan_jax.commands import evaluate, train


@pytest.fixture
def said(capsys):
    def of(main, *arguments):
        status = cli.run(lambda: main(list(arguments)), "program")
        return status, capsys.readouterr()

    return of


def test_the_list_names_every_command(capsys):
    for arguments in ([], ["--help"], ["help"]):
        assert commands.main(arguments) == 0
        listed = capsys.readouterr().out
        assert all(f"  {name} " in listed for name in commands.COMMANDS)
    assert max(map(len, listed.splitlines())) < 80


def test_the_package_is_the_same_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python -m lgan_jax"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("lgan_jax", run_name="__main__")
    assert ended.value.code == 0
    listed = capsys.readouterr().out
    assert all(command.what in listed for command in commands.COMMANDS.values())


def test_what_is_no_command(capsys):
    assert commands.main(["tran"]) == 2
    assert capsys.readouterr().err.startswith("lgan-jax: there is no command 'tran'; there are train, evaluate")


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        commands.main([name, "--help"])
    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_refuses_what_is_no_flag(name, capsys):
    assert commands.main([name, "--no-such-flag=1"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"{name}: ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_the_scripts_explain_themselves(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: python {script} ")
    assert "--workdir RUN" in shown


def test_the_scripts_are_the_commands():
    for name in ("train", "evaluate"):
        assert f"{name}.main" in (ROOT / f"{name}.py").read_text()
        assert commands.COMMANDS[name].module == f"lgan_jax.commands.{name}"


def test_one_dash_is_not_taken_and_ignored(said):
    for given in ("-workdir=x", "-wordir"):
        status, printed = said(train.main, "--config", "celebv", given)
        flag = given.partition("=")[0]
        assert (status, printed.err) == (2, f"program: {flag} is not a flag of this command; did you mean --workdir?\n")


@pytest.mark.parametrize("given", [["--processes", "2"], ["--coordinator", "a:1", "--process", "0"]])
def test_several_processes_need_all_three_flags(given, said):
    status, printed = said(train.main, "--config", "celebv", *given)
    assert status == 2
    assert "give --coordinator, --processes and --process together" in printed.err


def test_a_config_is_printed_and_nothing_runs(said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = ["--config", "celebv:quick", "--print_config", "--config.generator.steps=7"]
    status, printed = said(train.main, *given)
    lines = printed.out.splitlines()
    assert (status, printed.err, list(tmp_path.iterdir())) == (0, "", [])
    assert all("=" in line for line in lines)
    assert len(lines) > 100
    wanted = ("generator.steps=7", "phases=('detector', 'generator')", "generator.optimizer.schedule.name=cosine")
    assert {*wanted, "evaluation.frames=6", "data.dir="} <= set(lines)
    assert not [line for line in lines if line.startswith("converter")]  # which this variant does not train
    status, printed = said(train.main, *given, "--config.generator.width=0.0")
    assert (status, printed.out) == (2, "")
    assert "config.generator: width is 0.0" in printed.err


def test_settings_of_an_evaluation(said, monkeypatch):
    seen = []
    experiment = importlib.import_module("lgan_jax.experiment")
    monkeypatch.setattr(experiment, "evaluate", lambda *given: seen.append(given))
    given = ["--workdir", "run", "--factors", "0,1,5", "--compare", "a,b", "--no-augmentation"]
    assert said(evaluate.main, *given)[0] == 0
    (folder, overrides, data_dir) = seen.pop()
    assert (str(folder), data_dir) == ("run", None)
    assert overrides == {"factors": (0, 1, 5), "compare": ("a", "b"), "augmentation": False}
    assert said(evaluate.main, "--workdir", "run", "--config", "celebv:quick", "--frames", "3")[0] == 0
    assert seen.pop()[1]["frames"] == 3
    for given, words in (
        (["--factors", "1,two"], "not a list of whole numbers"),
        (["--frames", "two"], "--frames is 'two'; it must be a whole number"),
        (["--config.evaluation.frames=2"], "give --config too"),
        (["-frames=2"], "did you mean --frames?"),
    ):
        status, printed = said(evaluate.main, "--workdir", "run", *given)
        assert status == 2
        assert words in printed.err
    assert not seen
