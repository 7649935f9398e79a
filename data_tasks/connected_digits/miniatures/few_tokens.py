"""Experiment 2: are few soft tokens enough, read from one vector or from patches?"""

import itertools

import numpy as np

from data_tasks.connected_digits.miniatures.bench import Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.system import WIDTH, system
from data_tasks.connected_digits.miniatures.words import DIGITS, LISTING, Example, asked, listed
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
    train, test = bench.split(kind, "train"), bench.split(kind, "test")
    if kind == "image":
        params, _ = bench.teach(config, bench.naming(kind, train))
        return {"right": bench.right(config, params, bench.naming(kind, test))}
    params, _ = bench.teach(config, _listing(bench, train), longer=DIGITS)
    questions = _listing(bench, test)
    said = bench.answers(config, params, questions)
    wanted = [x["text_targets"] for x in questions]
    return {
        "right": [float(a == b) for a, b in zip(said, wanted, strict=True)],
        "each digit in its place": [
            float(a == b) for pair in zip(said, wanted, strict=True) for a, b in _side_by_side(*pair)
        ],
    }


def _side_by_side(said: str, wanted: str) -> list[tuple[str, str]]:
    """Words beside those that are right; of those that are missing, nothing."""
    return [*itertools.zip_longest(said.split()[:DIGITS], wanted.split(), fillvalue="")]


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
