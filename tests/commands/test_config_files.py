"""Config files: found by name from anywhere, and what is wrong with one said in a sentence."""

import dataclasses

import pytest
from flax.traverse_util import flatten_dict
from small_configs import ROOT

from lgan_jax import experiment, optimizers
from lgan_jax.commands import configs


def test_by_name_or_path_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = ROOT / "configs" / "celebv.py"
    for argument in ("celebv", "celebv.py", str(here)):
        assert configs.find(argument) == (here, "")
        assert configs.find(f"{argument}:quick,joint") == (here, "quick,joint")
    assert configs.run_name("celebv:quick") == configs.run_name(f"{here}:quick") == "celebv-quick"
    assert configs.names() == sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "from ml_collections import ConfigDict\ndef get_config():\n    return ConfigDict({'a': 7})\n"
    (tmp_path / "celebv.py").write_text(text)
    assert configs.load("celebv.py").a == 7
    colon = tmp_path / "my:own.py"
    (tmp_path / "celebv.py").rename(colon)
    assert configs.load(str(colon)).a == 7


def test_an_installed_package_holds_its_own(tmp_path, monkeypatch):
    (tmp_path / "lgan_jax" / "configs").mkdir(parents=True)
    (tmp_path / "lgan_jax" / "configs" / "mine.py").write_text("")
    monkeypatch.setattr(configs, "_PACKAGE", tmp_path / "lgan_jax")
    assert configs.find("mine") == (tmp_path / "lgan_jax" / "configs" / "mine.py", "")


def test_a_config_may_import_those_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "ck_plus.py").write_text("raise RuntimeError('another folder of this name')")
    assert configs.load("oulu_casia:quick").data.name == "oulu_casia"
    own = tmp_path / "own.py"
    own.write_text((ROOT / "configs" / "celebv.py").read_text())
    assert configs.load(f"{own}:quick").data.size == 64  # and those of the library


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def get_config(:", r"is not a config: line 1 is not Python"),
        ("x = 1", r"has no function get_config"),
        ("x = 1\n\nx.y\n", r"cannot be used, line 3: AttributeError: 'int' object has no attribute 'y'"),
        ("def get_config():\n    return 1 / 0", r"line 2: ZeroDivisionError: division by zero"),
        ("def get_config():\n    return 7", r"must return a ConfigDict, not int"),
        ("\0", r"is not a config|cannot be used"),
    ],
)
def test_a_file_that_is_no_config(text, said, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        configs.load(str(path))
    assert str(path) in str(raised.value)


def test_no_such_file():
    with pytest.raises(FileNotFoundError, match=r"other/celebv.py:quick: there is no such file; --config celebv names"):
        configs.find("other/celebv.py:quick")
    with pytest.raises(FileNotFoundError, match=r"the names are celeba, celebv"):
        configs.find("nothing7")
    with pytest.raises(ValueError, match=r"the config has no variant 'fast'"):
        configs.load("celebv:fast")


def test_fields_are_set_by_the_command_line():
    config = configs.overridden(
        configs.load("celebv:quick"), ["--config.loop.seed=7", "--config.data.dir", "x", "--config.phases=detector"], []
    )
    assert (config.loop.seed, config.data.dir, config.phases) == (7, "x", ("detector",))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["optimizer.learning_rate=0.5"], {"name": "adam", "learning_rate": 0.5, "b1": 0.9}),
        (["optimizer.name=adam"], {"name": "adam", "learning_rate": 1e-3, "b1": 0.9}),
        (["optimizer.decay=0.5", "optimizer.name=rmsprop"], {"name": "rmsprop", "learning_rate": 1e-4, "decay": 0.5}),
        (
            ["optimizer.schedule.name=step", "optimizer.schedule.every=7"],
            {"name": "adam", "learning_rate": 1e-3, "schedule.name": "step", "schedule.every": 7},
        ),
        (
            ["optimizer.schedule.name=linear", "optimizer.name=rmsprop"],
            {"name": "rmsprop", "schedule.name": "linear", "schedule.constant_fraction": 0.0},
        ),
    ],
)
def test_another_kind_begins_with_its_own_defaults(arguments, expected):
    given = [f"--config.generator.{argument}" for argument in arguments]
    config = configs.overridden(configs.load("celebv:quick"), given, [])
    read = flatten_dict(experiment.described(config.to_dict())["generator"]["optimizer"], sep=".")
    assert {name: read.get(name) for name in expected} == expected
    assert ("b1" in read) == (read["name"] == "adam")


def test_a_kind_is_the_argument_that_follows_too():
    given = ["--config.generator.optimizer.name", "rmsprop"]
    assert configs.overridden(configs.load("celebv"), given, []).generator.optimizer.name == "rmsprop"
    given = ["--config.detector.optimizer.schedule.name", "cosine"]
    schedule = configs.overridden(configs.load("celebv"), given, []).detector.optimizer.schedule
    assert schedule.to_dict() == dataclasses.asdict(optimizers.Cosine())


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--config.loop.seed=abc", r"--config\.loop\.seed is 'abc'; it must be a whole number"),
        ("--config.generator.ema_decay=x", r"ema_decay is 'x'; it must be a number"),
        ("--config.generator.optimizer.b1=0.5", r"the config has no field 'b1'"),
        ("--config.data=4", r"--config\.data is '4'; it must be a section"),
        ("--config.data.sise=3", r"the config has no field 'sise'. Did you mean"),
        ("--config.data.dir", r"Missing value for flag"),
        ("foo", r"'foo' is not a flag"),
        ("--workdri=x", r"--workdri is not a flag of this command; did you mean --workdir\?"),
        ("-x", r"-x is not a flag of this command; --help lists the flags"),
    ],
)
def test_what_a_config_cannot_be_changed_to(argument, said):
    with pytest.raises(ValueError, match=said):
        configs.overridden(configs.load("celebv"), [argument], ["--workdir"])


@pytest.mark.parametrize(
    ("config", "argument", "field", "value"),
    [
        ("celebv:quick", "held_out=3", "eval_images", 3),
        ("celebv:quick", "loop.pictures_every=7", "loop.images_every", 7),
        ("celebv:quick", "generator.adversarial_after=0.25", "generator.adversarial_start", 0.25),
        ("celebv:quick", "generator.average=0.5", "generator.ema_decay", 0.5),
        ("ffhq:quick", "stylegan2.most=16", "stylegan2.channel_max", 16),
    ],
)
def test_a_former_name_of_a_field_is_read_and_said(config, argument, field, value, capsys):
    changed = configs.overridden(configs.load(config), [f"--config.{argument}"], [])
    assert flatten_dict(changed.to_dict(), sep=".")[field] == value
    assert capsys.readouterr().err == f"NOTE: --config.{argument.partition('=')[0]} is now --config.{field}\n"
