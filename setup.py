"""What pyproject.toml cannot say: a wheel holds configs/, as `lgan_jax/configs`. All else stands there."""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """An editable installation has no need of copies: it finds configs/ beside the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for config in pathlib.Path("configs").glob("*.py"):
                target = pathlib.Path(self.build_lib, "lgan_jax", "configs", config.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(config, target)


setup(cmdclass={"build_py": BuildWithConfigs})
