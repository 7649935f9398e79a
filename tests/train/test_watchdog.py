"""What waits outside Python ends too, with the error on the error stream."""

import subprocess
import sys

from unified_io.train.watchdog import EXIT_STATUS, FILE


def test_a_run_that_can_not_be_interrupted_is_ended(tmp_path):
    code = """
import sys, time
from pathlib import Path
from unified_io.train.watchdog import Watchdog

with Watchdog(0.2, Path(sys.argv[1]), throw=lambda error: None, grace_s=0.3) as watchdog:
    with watchdog.waiting("data"):
        time.sleep(60)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == EXIT_STATUS
    assert done.stderr.startswith("error: waited 0.2 s for data, and nothing came; ")
    assert "<string>" in (tmp_path / FILE).read_text()
