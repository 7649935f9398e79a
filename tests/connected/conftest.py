"""Tiny connected language models of random numbers: what they answer means nothing."""

import pytest
from serving import Serving
from tiny_connected import connected_config, sensing_config

from unified_io.convert import folders
from unified_io.serve.app import make_app
from unified_io.serve.limits import Limits


@pytest.fixture(scope="session")
def model():
    """Reads words, pictures, videos and sounds."""
    from unified_io.api import loading

    return loading.from_config(connected_config(), allow_random=True)


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The folder of one that also reads points in space and motion."""
    config, folder = sensing_config(), tmp_path_factory.mktemp("saved") / "model"
    folders.save(folder, config, folders.random_params(config))
    return folder


@pytest.fixture(scope="session")
def sensing(saved):
    """The model of that folder."""
    from unified_io.api.loading import from_pretrained

    return from_pretrained(saved)


@pytest.fixture(scope="session")
def url(sensing):
    """Where a server answers with it."""
    limits = Limits(slots=2, waiting=6, timeout_s=120.0)
    with Serving(make_app(sensing, "tiny", limits, ("127.0.0.1", "localhost"))) as url:
        yield url
