"""constraints.txt: a version of each package that the library and its extras need, as pyproject.toml bounds it."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
WITHOUT = {"gpu", "gpu-plan", "torch", "docs"}  # extras that a run on a CPU and its tests do not need


def test_constraints_name_what_is_needed_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras.keys() - WITHOUT for line in extras[name])]
    needed = [each for each in map(Requirement, lines) if each.name != project["name"]]
    pinned = dict(re.findall(r"^([^#\s=]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert len(needed) > 30
    assert list(pinned) == sorted(pinned) == [canonicalize_name(name) for name in pinned]
    for each in needed:
        version = pinned[canonicalize_name(each.name)]
        assert each.specifier.contains(version), f"{each}, but {version}"
