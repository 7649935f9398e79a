"""Experiment 2: are few soft tokens enough, read from one vector or from patches?"""

import numpy as np

from data_tasks.connected_digits.miniatures.bench import Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.system import WIDTH, system
from data_tasks.connected_digits.miniatures.words import LISTING, Example, asked, listed
from unified_io.connectors.base import ConnectorConfig
from unified_io.connectors.linear import PooledToTokensConfig
from unified_io.connectors.resampler import ResamplerConfig

NUMBERS = (1, 2, 4, 8, 16)
ARMS = tuple(
    f"{task}, {read}, {number}"
    for task in ("one digit", "three digits")
    for read in ("one vector", "patches")
    for number in NUMBERS
)


def run(bench: Bench, arm: str) -> Outcome:
    """Trains a connector that gives so many soft tokens, and asks for the digit or for all three."""
    task, read, number = arm.split(", ")
    kind = "image" if task == "one digit" else "strip"
    config = system(bench.medium(kind, _connector(read, int(number))))
    ask = bench.naming if kind == "image" else lambda _, media: _listing(bench, media)
    params, _ = bench.teach(config, ask(kind, bench.split(kind, "train")))
    return {"right": bench.right(config, params, ask(kind, bench.split(kind, "test")))}


def _connector(read: str, number: int) -> ConnectorConfig:
    if read == "one vector":
        return PooledToTokensConfig(num_tokens=number, out_width=WIDTH, pool="given")
    return ResamplerConfig(
        width=64, num_heads=4, head_dim=16, num_layers=2, mlp_dim=128, num_latents=number, out_width=WIDTH
    )


def _listing(bench: Bench, media: Media) -> list[Example]:
    rng = np.random.default_rng((bench.seed, 6))
    return [
        asked(str(rng.choice(LISTING)), listed(label), image_inputs=value)
        for value, label in zip(media.values, media.labels, strict=True)
    ]
