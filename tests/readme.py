"""The README's examples in Python, as tests run them."""

import re
from collections.abc import Mapping
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def example(name, run, given: Mapping = {}, changes: Mapping = {}):
    """What is there after the example that loads runs/`name`, which the folder `run` stands for, has run.

    It begins with the names `given`; `changes` are made to its text first.
    """
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (code,) = [each for each in blocks if f'"runs/{name}"' in each]
    for old, new in {f'"runs/{name}"': repr(str(run)), **changes}.items():
        assert old in code
        code = code.replace(old, new)
    names = dict(given)
    exec(code, names)
    return names
