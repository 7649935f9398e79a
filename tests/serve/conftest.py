"""A server on loopback that the tests share, of a model of random numbers: what it answers means nothing."""

import pytest
from serving import Serving
from tiny import tiny_model

from unified_io import api
from unified_io.serve.app import make_app
from unified_io.serve.limits import Limits

LIMITS = Limits(
    body_bytes=200_000, pixels=10_000, seconds=3.0, characters=400, waiting=6, slots=2, timeout_s=120.0
)


@pytest.fixture(scope="session")
def model() -> api.UnifiedIO:
    """Reads and writes everything."""
    return tiny_model()


@pytest.fixture(scope="session")
def url(model) -> str:
    """Where a server answers."""
    with Serving(make_app(model, "tiny", LIMITS, ("127.0.0.1", "localhost"))) as url:
        yield url
