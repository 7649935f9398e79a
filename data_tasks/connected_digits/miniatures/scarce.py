"""Experiment 4: Q-Former or linear connector, with much and with little data of two questions?"""

import dataclasses

import jax
import numpy as np

from data_tasks.connected_digits.miniatures.bench import QFORMER, Bench, Outcome
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.system import VOCABULARY, WIDTH, system
from data_tasks.connected_digits.miniatures.words import SPEAKER, Example, asked
from unified_io.chat_vocab import Instructions
from unified_io.connectors.linear import PooledToTokensConfig
from unified_io.connectors.qformer import QFormerConfig

ARMS = tuple(f"{connector}, {share}" for connector in ("Q-Former", "linear") for share in ("all", "1 %"))
_QFORMER: QFormerConfig = dataclasses.replace(
    QFORMER, reads_instruction=True, vocab_size=VOCABULARY.rows, max_positions=12
)
# Two matrices without anything between are one linear map; the width gives it as many parameters as the Q-Former.
_LINEAR = PooledToTokensConfig(num_tokens=QFORMER.num_queries, out_width=WIDTH, hidden_dim=440)


def run(bench: Bench, arm: str) -> Outcome:
    """Trains on both questions, and asks them about other recordings by the same speakers."""
    connector, _, share = arm.partition(", ")
    if connector == "Q-Former":
        medium = bench.medium("audio", _QFORMER, instruction=Instructions(VOCABULARY, 12))
    else:
        medium = bench.medium("audio", _LINEAR)
    config, train, test = system(medium), bench.split("audio", "train"), bench.split("audio", "known")
    told = _digit(bench, train) + _speaker(bench, train)
    if share == "1 %":
        chosen = np.random.default_rng((bench.seed, 7)).choice(len(told), max(1, len(told) // 100), False)
        told = [told[i] for i in chosen]
    params, loss = bench.teach(config, told)
    size = sum(leaf.size for leaf in jax.tree.leaves(params[f"shared_{medium.connector_key}"]))
    return {
        "digit named": bench.right(config, params, _digit(bench, test)),
        "speaker named": bench.right(config, params, _speaker(bench, test)),
        "training loss": [loss],
        "parameters": [float(size)],
    }


def _digit(bench: Bench, media: Media) -> list[Example]:
    return bench.naming("audio", media)


def _speaker(bench: Bench, media: Media) -> list[Example]:
    rng, names = np.random.default_rng((bench.seed, 8)), bench.parts.names
    return [
        asked(str(rng.choice(SPEAKER)), names[label[1]], audio_inputs=value)
        for value, label in zip(media.values, media.labels, strict=True)
    ]
