"""gin remembers every class under the first name it met; a test that brings other names forgets them behind it."""

import contextlib
import copy
from collections.abc import Iterator

import pytest
from gin import config as gin_config


@contextlib.contextmanager
def gin_of_its_own() -> Iterator[None]:
    """Has gin forget what it has seen in this context, so that one process can use different names for a class."""
    with pytest.MonkeyPatch.context() as patch:
        known = gin_config._REGISTRY.copy()
        known._selector_tree = copy.deepcopy(known._selector_tree)  # a copy shares it with the original
        patch.setattr(gin_config, "_REGISTRY", known)
        patch.setattr(gin_config, "_INVERSE_REGISTRY", dict(gin_config._INVERSE_REGISTRY))
        yield
        gin_config.clear_config()
