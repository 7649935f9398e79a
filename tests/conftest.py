"""What every test shares: JAX on the CPU, quiet libraries, the golden fixtures where they lie beside the checkout."""

import os
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# Set before anything imports JAX or TensorFlow: pytest reads this file first.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests compile a lot and compute little. An XLA that does not know a flag ends the process, so the second, which halves
# the time of compiling, is for the versions that are known to have it.
_UNOPTIMISED = "--xla_backend_optimization_level=0"
if version("jaxlib").startswith("0.10."):
    _UNOPTIMISED += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", _UNOPTIMISED)

import jax
import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT.parent / "shared"
MAPS = Path("/proc/self/maps")


def _compilation_cache() -> str:
    """A folder of this user's that outlives the run, so that a second run compiles nothing anew.

    The workers of one run share it too. Everything is kept: most programs take less than a tenth of a second, and there
    are thousands of them.
    """
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return os.path.join(tempfile.gettempdir(), f"unified-io-jax-cache-{owner}-{jax.__version__}")


jax.config.update("jax_compilation_cache_dir", _compilation_cache())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


# By processor time, the dearest first: a worker that begins one of these last leaves the others idle.
_LONG = (
    "jobs/test_digits_job.py",
    "reliability/test_drills.py",
    "data/test_loader.py",
    "train/test_hosts.py",
    "test_cli.py",
    "golden/test_fixtures.py",
    "tools/test_bench_step.py",
    "laws/test_model_laws.py",
    "test_flops.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Keeps workers to our order of files; unasked they begin with those that have the most tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take long first."""
    order = {ROOT / "tests" / file: place for place, file in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path, len(_LONG)))


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Lets go of what was compiled before the process has as many maps of memory as Linux allows, 65,530.

    A worker that gets there is ended without a word.
    """
    yield
    if MAPS.is_file() and len(MAPS.read_bytes().splitlines()) > 25_000:
        jax.clear_caches()


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Returns `golden(name)`: the folder of one fixture, or a skip that names it."""

    def folder(name: str) -> Path:
        for kind in ("golden", "golden_jax"):
            path = FIXTURES / kind / name
            if path.is_dir():
                return path
        pytest.skip(f"golden fixture {name} is not beside this checkout")

    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of this checkout."""
    return ROOT
