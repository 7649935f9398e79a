"""A model of the released large size, saved in the port's format: how long loading takes and how much memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unified_io.convert import stream, uio2, writers
from unified_io.convert.port import config as port_config
from unified_io.gin_edge import session

SECONDS = 90
ROOT = Path(__file__).resolve().parents[2]

MEASURE = """
import json, re, sys, time
from pathlib import Path
import jax, numpy as np
from unified_io import UnifiedIO, pytree
from unified_io.convert import stores
jax.device_put(np.zeros(1)).block_until_ready()
# not ru_maxrss: a child inherits its parent's
memory = lambda key: int(re.search(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before, start = memory("VmRSS"), time.perf_counter()
model = UnifiedIO.from_pretrained(sys.argv[1])
jax.block_until_ready(model.params)
seconds = time.perf_counter() - start
leaves = [leaf.nbytes for leaf in jax.tree.leaves(model.params)]
print(json.dumps({"seconds": seconds, "peak": memory("VmHWM") - before, "model": sum(leaves), "largest": max(leaves)}))
"""


@pytest.mark.slow
def test_a_large_model_loads_in_time_and_within_memory(tmp_path):
    config = session.build_macro(session.parse(["gin_configs/model/large.gin"], []), "MODEL")
    rng = np.random.default_rng(0)
    shapes = {}
    for name, shape in stream.shapes_of(config).items():
        theirs, layout = uio2.PORT.to_theirs(name)
        shapes[theirs] = (layout.theirs(np.broadcast_to(np.float32(0), shape)).shape, np.dtype(np.float32))
    content = json.dumps(port_config.to_port(config)).encode()
    writers.write_safetensors(
        tmp_path / "large",
        shapes,
        lambda name: rng.standard_normal(shapes[name][0], np.float32),
        {"config.json": content},
    )
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "large"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    print(measured)
    assert measured["model"] == 4 * 1_080_595_919
    assert measured["seconds"] < SECONDS
    assert measured["peak"] <= measured["model"] + measured["largest"]
