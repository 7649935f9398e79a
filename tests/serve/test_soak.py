"""Many clients who ask badly, hang up or send bombs: the server goes on, and its memory comes back."""

import gc
import json
from pathlib import Path

import httpx
import pytest

from .test_server import BAD, PICTURE, png, uri

STATUS = Path("/proc/self/statm")
_ROUNDS, _GROWTH = 4, 40e6  # rounds of all of them; bytes: a leak of one picture a round would be more


def resident() -> int:
    """Bytes of this process, in which the server runs."""
    gc.collect()
    return int(STATUS.read_text().split()[1]) * 4096


def one_round(url: str) -> None:
    """Everything that may go wrong, once, and something that is right."""
    for status, body, _ in BAD.values():
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert httpx.post(f"{url}/v1/generate", content=data, timeout=60).status_code == status
    asked = {"output": "image", "inputs": {"text": "draw"}, "stream": True}
    for _ in range(4):  # they hang up after the first row
        with httpx.stream("POST", f"{url}/v1/generate", json=asked, timeout=60) as response:
            next(response.iter_lines())
    inputs = {"text": "say", "image": uri(png(PICTURE), "image/png")}
    for seed in range(4):
        body = {"inputs": inputs, "options": {"seed": seed, "max_length": 4}}
        assert httpx.post(f"{url}/v1/generate", json=body, timeout=60).status_code == 200


@pytest.mark.skipif(not STATUS.is_file(), reason="memory is read from /proc")
def test_memory_comes_back(url):
    one_round(url)
    one_round(url)
    before = resident()
    for _ in range(_ROUNDS):
        one_round(url)
    assert resident() - before < _GROWTH
    assert httpx.get(f"{url}/health").status_code == 200
    load = httpx.get(f"{url}/metrics").text
    assert "unified_io_writing 0.0" in load and "unified_io_waiting 0.0" in load
