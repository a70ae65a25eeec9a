"""The cache of compiled programs: where it lies, one that cannot be written, entries that a kill left incomplete."""

import math
import os
import subprocess
import sys
import zlib

import jax
import pytest

from lgan_jax import cli, compilation

PROGRAM = """
import jax
from lgan_jax import compilation
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
compilation.use_cache()
assert jax.jit(lambda x: x * 3 + 1)(2.0) == 7
"""
NAMES = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LGAN_JAX_CACHE", str(tmp_path / "cache"))
    before = {name: getattr(jax.config, name) for name in NAMES}
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path / "cache" / "xla"
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_folder_is_created_and_used(folder):
    limit = jax.config.jax_persistent_cache_min_compile_time_secs
    compilation.use_cache()
    assert folder.is_dir()
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert jax.config.jax_persistent_cache_min_compile_time_secs == limit < math.inf


def test_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    folder.mkdir(parents=True)
    (folder / "jit_f-cache").write_bytes(b"")
    monkeypatch.setattr(os, "access", lambda *_: False)
    compilation.use_cache()
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert jax.config.jax_persistent_cache_min_compile_time_secs == math.inf
    assert [path.name for path in folder.iterdir()] == ["jit_f-cache"]


def test_where_no_folder_can_be_created_there_is_no_cache(folder):
    folder.parent.write_text("a file")
    compilation.use_cache()
    assert jax.config.jax_compilation_cache_dir is None


def test_the_variable_of_jax_has_precedence(folder, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    compilation.use_cache()
    assert jax.config.jax_compilation_cache_dir is None
    assert not folder.exists()


def test_new_entries_that_are_incomplete_are_removed(folder):
    folder.mkdir(parents=True)
    whole, damaged = zlib.compress(bytes(range(250)) * 20), bytearray(zlib.compress(bytes(range(250)) * 20))
    damaged[60] ^= 1
    entries = {
        "whole": whole,
        "cut": whole[:-1],
        "empty": b"",
        "damaged": bytes(damaged),
        "other": b"\x28\xb5\x2f\xfd0",
    }
    for name, content in entries.items():
        (folder / f"{name}-cache").write_bytes(content)
    (folder / "cut-atime").write_bytes(b"")
    compilation.use_cache()
    left = {"whole-cache", "other-cache", "cut-atime", ".checked"}
    assert {path.name for path in folder.iterdir()} == left
    (folder / "later-cache").write_bytes(whole[:-1])
    os.utime(folder / "whole-cache", (1, 1))
    (folder / "whole-cache").write_bytes(whole[:-1])
    os.utime(folder / "whole-cache", (1, 1))  # checked before: not read again
    compilation.use_cache()
    assert {path.name for path in folder.iterdir()} == left


def test_a_program_whose_entry_was_cut_is_compiled_and_stored_without_a_warning(folder):
    def run():
        command = [sys.executable, "-W", "error", "-c", PROGRAM]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        return {path.name: path.read_bytes() for path in folder.glob("*-cache")}

    first = run()
    assert first
    for name, content in first.items():
        (folder / name).write_bytes(content[: len(content) // 2])
    again = run()
    assert again.keys() == first.keys()
    assert all(zlib.decompress(content) for content in again.values())


def test_every_command_uses_it(folder, monkeypatch):
    monkeypatch.setattr(cli, "read", lambda *_: None)
    monkeypatch.setattr(compilation, "explicit", lambda _: jax.config.jax_compilation_cache_dir, raising=False)
    assert cli.command(object, "lgan_jax", "", "compilation:explicit")() == str(folder)
