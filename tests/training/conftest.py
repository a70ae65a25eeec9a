"""One compilation cache and one undisturbed run for all tests of training."""

import child
import jax
import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="package", autouse=True)
def compilation_cache(cache):
    """Runs in this process keep their programs there too, however quickly they compile."""
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGAN_JAX_CACHE", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        yield
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, cache):
    """The folder of a tiny run that nothing happened to, on one device."""
    workdir = tmp_path_factory.mktemp("undisturbed") / "run"
    code, output = child.run(workdir, cache=cache)
    assert code == 0, output
    return workdir
