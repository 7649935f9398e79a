"""What every test shares: JAX on the CPU, quiet libraries, the golden fixtures where they lie beside the checkout."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

# Set before anything imports JAX or TensorFlow: pytest reads this file first.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests compile a lot and compute little.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT.parent / "shared"


def _compilation_cache() -> str:
    """A folder of this user's that outlives the run, so that a second run compiles nothing anew."""
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return os.path.join(tempfile.gettempdir(), f"unified-io-jax-cache-{owner}-{jax.__version__}")


jax.config.update("jax_compilation_cache_dir", _compilation_cache())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


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
