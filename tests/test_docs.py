"""What the README and the docs say can be done: their commands parse, their examples import what there is."""

import argparse
import ast
import importlib
import re
import runpy
import sys
from unittest import mock

import pytest
from readme import PAGES, ROOT, commands, in_prose, python_blocks

from lgan_jax import commands as console
from lgan_jax import experiment
from lgan_jax.commands import configs
from lgan_jax.training import parallel

_SCRIPTS = {"train.py": "train", "evaluate.py": "evaluate"}
_ALL_PHASES = (  # configs that have every phase between them
    *("celebv", "celebv:joint", "wflw", "emotionet:baseline", "emotionet:quick,baseline", "emotionet:cpu,unpaired"),
    *("photos:linear", "ck_plus", "celeba:quick", "ffhq"),
)
_COMMANDS = {arguments: page for page, arguments in commands()}


class Parsed(Exception):
    """Raised in the place of a command's work, once its flags are read."""


def _parse(arguments, monkeypatch):
    """Reads a command's flags and config as the command does, then raises `Parsed`; raises what is wrong with them."""
    parse = argparse.ArgumentParser.parse_args

    def parsed(*given):
        parse(*given)
        raise Parsed

    def trained(config, workdir):
        experiment.Experiment.read(config)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.setattr(experiment, "train", trained)
    monkeypatch.setattr(experiment, "described", lambda config: trained(config, None))  # of --print_config
    monkeypatch.setattr(experiment, "evaluate", mock.Mock(side_effect=Parsed))
    monkeypatch.setattr(parallel, "joined", mock.MagicMock())
    match arguments:
        case ("lgan-jax", name, *rest) | ("python", "-m", "lgan_jax", name, *rest):
            importlib.import_module(console.COMMANDS[name].module).main(rest)
        case ("python", script, *rest) if script in _SCRIPTS:
            importlib.import_module(console.COMMANDS[_SCRIPTS[script]].module).main(rest)
        case ("python", "-m", module, *rest):  # a study or a benchmark, which reads sys.argv
            monkeypatch.setattr(sys, "argv", [module, *rest])
            importlib.import_module(module).main()
        case ("python", script, *rest):
            monkeypatch.setattr(sys, "argv", [script, *rest])
            runpy.run_path(str(ROOT / script))["main"]()


@pytest.mark.parametrize("arguments", _COMMANDS, ids=[f"{p} {' '.join(a)}"[:110] for a, p in _COMMANDS.items()])
def test_every_command_parses(arguments, monkeypatch):
    with pytest.raises(Parsed):
        _parse(arguments, monkeypatch)


@pytest.mark.parametrize(
    "wrong",
    [
        ("lgan-jax", "train", "--config", "celebv:quick", "--config.generator.stepps=3"),
        ("lgan-jax", "train", "--config", "celebv:quack"),
        ("python", "evaluate.py", "--workdirr", "RUN"),
        ("python", "-m", "studies.driver_shape", "--peeple", "3"),
    ],
)
def test_a_command_that_is_wrong_does_not_parse(wrong, monkeypatch):
    with pytest.raises((ValueError, SystemExit)):
        _parse(wrong, monkeypatch)


def test_commands_are_found_in_blocks_and_in_prose():
    found = {" ".join(arguments) for arguments in _COMMANDS}
    assert "python train.py --config configs/celebv.py:quick --workdir runs/quick" in found
    assert "lgan-jax evaluate --workdir runs/quick" in found
    assert "lgan-jax synthetic GRID.png --landmarks" in found
    assert {arguments[1] for arguments in _COMMANDS if arguments[0] == "lgan-jax"} == set(console.COMMANDS)


def _fields(config, prefix=""):
    for name, value in config.items():
        yield f"{prefix}{name}"
        if hasattr(value, "items"):
            yield from _fields(value, f"{prefix}{name}.")


def test_every_field_of_a_config_that_a_page_names_exists():
    """In prose: `--config.FIELD=VALUE` and `SECTION.FIELD`; commands are parsed as a whole."""
    known = {field for name in _ALL_PHASES for field in _fields(configs.load(name))}
    sections = {field.partition(".")[0] for field in known if "." in field}
    named = [
        (page.name, field)
        for page in PAGES
        for code in in_prose(page.read_text())
        for given, field in re.findall(r"^(--config\.|config\.)?([a-z_0-9]+(?:\.[a-z_0-9]+)*)(?:=\S*)?$", code)
        if given or ("." in field and field.partition(".")[0] in sections)
    ]
    assert len(named) > 15
    assert [(page, field) for page, field in named if field not in known] == []


@pytest.mark.parametrize("code", [code for _, code in python_blocks()])
def test_every_example_imports_what_there_is(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_test_command_of_the_readme_is_the_gate_s():
    text = (ROOT / "README.md").read_text()
    assert "pip install -e '.[test]' && pytest" in text
    gate = (ROOT / ".ci" / "run").read_text().splitlines()
    assert gate.index("pip install -q -e '.[test]'") < gate.index("pytest")
    assert "mkdocs build --strict" in "\n".join(gate)


def test_a_page_that_is_named_exists():
    """Of the README's links, which mkdocs does not check."""
    links = re.findall(r"\]\(([^)#:]+)[^)]*\)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_no_code_names_a_page_that_is_gone():
    for folder in ("lgan_jax", "configs", "studies", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"docs/[\w/]+\.md", path.read_text()):
                assert (ROOT / name).exists(), f"{path.relative_to(ROOT)} names {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_a_page_says_things_once(path):
    """No table, command or paragraph of a page is there twice, as when an edit goes wrong."""
    parts = [part for part in path.read_text().split("\n\n") if len(part) > 120]
    assert not {part for part in parts if parts.count(part) > 1}
