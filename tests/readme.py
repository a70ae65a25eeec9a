"""The README and the pages of the docs, as tests read them: examples in Python, and commands."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
GATE = ROOT / ".ci" / "run"
_PROGRAMS = ("lgan-jax ", "python ")
_NOT_WHOLE = ("…", "COMMAND", "--help", "--version")  # what stands for a command, or does nothing


def python_blocks() -> Iterator[tuple[Path, str]]:
    """Every example in Python, with the page that it stands on."""
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            yield page, code


def example(name, run, changes: Mapping = {}):
    """The names after the example that loads runs/`name` has run; the folder `run` takes the place of that run.

    `changes` are applied to its text first.
    """
    (code,) = [code for _, code in python_blocks() if f'"runs/{name}"' in code]
    for old, new in {f'"runs/{name}"': repr(str(run)), **changes}.items():
        assert old in code
        code = code.replace(old, new)
    names = {}
    exec(code, names)
    return names


def in_prose(text: str) -> list[str]:
    """What stands between backquotes outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every command of this repository that a page or the gate gives: in shell blocks and between backquotes.

    A command between backquotes counts where it has a flag or an argument: `lgan-jax train` alone is a name.
    """
    for page in (*PAGES, GATE):
        text = page.read_text()
        blocks = [text] if page == GATE else re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        lines += [line for line in in_prose(text) if len(line.split()) > 2]
        for line in lines:
            for command in re.split(r"\s*&&\s*", line):
                words = command.removeprefix("taskset -c 0 ")
                if words.startswith(_PROGRAMS) and not any(word in words for word in _NOT_WHOLE):
                    yield str(page.relative_to(ROOT)), tuple(shlex.split(words, comments=True))
