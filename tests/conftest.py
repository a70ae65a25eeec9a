"""Tests run on the CPU; shapes and types of public functions are checked at every call."""

import atexit
import gc
import os
import shutil
import signal
import tempfile

# Most of the tests' time goes into compiling networks that run once. So XLA shall not optimize them; then its older
# way to write loops compiles four times as fast, and as there is a worker for each core, code is made on one.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1"
)
# PyTorch gets one thread, too: where no core is idle, several spin while they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What one test draws or compiles, others need not: a cache for all workers and their children, new in every session.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["LGAN_JAX_CACHE"] = tempfile.mkdtemp(prefix="lgan_jax_tests_")
    atexit.register(shutil.rmtree, os.environ["LGAN_JAX_CACHE"], ignore_errors=True)

# JAX takes the folder that is named when the first program is compiled; the many small ones are not worth a file. The
# folder's name would be a part of each program's key, so that a file with a cache of its own would share none: not
# without the caches of XLA itself, which GPUs alone have.
os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] = "none"
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"

import jax
from jaxtyping import install_import_hook

install_import_hook("lgan_jax", "type_checks.at_first_call")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", os.path.join(os.environ["LGAN_JAX_CACHE"], "xla"))

# A command in the background starts with Ctrl-C ignored, under nohup with SIGHUP ignored too; some tests send both.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Tracing makes a great many objects, hardly any of them garbage: to look for that in all there are, as often as Python
# does, takes a tenth of the tests' time. While the tests are imported there is none.
gc.set_threshold(20_000, 20, 20)
gc.disable()

LONG = {
    *("test_experiment", "test_configs", "test_express_run", "test_express_labelled_run", "test_reenact"),
    *("test_parallel", "test_interruptions", "test_generator", "test_detector", "test_dftnet_method"),
    *("test_dftnet_twins", "test_twins", "test_projection_twin", "test_synthesize_run", "test_expression_method"),
    *("test_evaluation_dftnet", "test_evaluation_landmarkgan", "test_dftnet_flow", "test_project_run"),
    *("test_stylegan2_training", "test_edit_page", "test_edit_expression_page", "test_prepare", "test_cli"),
    *("test_nvidia", "test_pickles", "test_fuzz", "test_evaluation_expression", "test_loop", "test_logs"),
    *("test_gradients", "test_projection_costs", "test_devices"),
}


def pytest_xdist_auto_num_workers(config):
    """One more than there are cores: some tests wait, for other processes, a browser or a clock."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish(session):
    """What has been imported stays: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """The files that take longest come first, so that the workers, which take whole files, end together."""
    items.sort(key=lambda item: item.path.stem not in LONG)
