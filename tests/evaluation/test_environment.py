"""Facts about this process that can be checked against it."""

import time

import numpy as np

from unified_io.evaluation import environment


def test_resources_grow_with_use():
    before = environment.resources()
    block = np.ones(30_000_000 // 8)
    end = time.process_time() + 0.05
    while time.process_time() < end:
        block += 1.0
    after = environment.resources()
    assert after["cpu_seconds"] - before["cpu_seconds"] >= 0.03
    assert after["wall_seconds"] - before["wall_seconds"] >= 0.03
    assert after["peak_rss_bytes"] >= before["peak_rss_bytes"]
    assert 20e6 < after["peak_rss_bytes"] < 64e9


def test_versions_name_what_is_there_only():
    found = environment.versions(("numpy", "a-package-that-is-not-there"))
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", "numpy"}


def test_machine_counts_the_cores():
    assert environment.machine()["cores"] >= 1
