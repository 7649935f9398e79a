"""Experiment 14: may the frozen language model be held in few bits while a connector learns?"""

from typing import Any

import jax

from data_tasks.connected_digits.miniatures.bench import Bench, Outcome
from data_tasks.connected_digits.miniatures.parts import LANGUAGE_MODEL
from unified_io.backbones.frozen import held

ARMS = ("float32", "int8", "nf4")
_BLOCKS = f"^{LANGUAGE_MODEL}/layers"


def run(bench: Bench, arm: str) -> Outcome:
    """Trains a connector through the language model as it is held, and asks with both."""
    config = bench.plain("image")
    language = bench.language if arm == "float32" else held(bench.language, _BLOCKS, arm)
    told = bench.naming("image", bench.split("image", "train"))
    params, loss = bench.teach(config, told, given=language)
    questions = bench.naming("image", bench.split("image", "test"))
    whole = {**params, **bench.language}
    return {
        "digit named, full precision": bench.right(config, whole, questions),
        "digit named, as it was held": bench.right(config, params, questions),
        "training loss": [loss],
        "KiB of the blocks' matrices": [_bytes(language) / 1024],
    }


def _bytes(params: Any) -> float:
    """What the matrices of the blocks take, counted from their types."""
    blocks = params[LANGUAGE_MODEL]["layers"]
    return float(sum(leaf.nbytes for leaf in jax.tree.leaves({k: blocks[k] for k in ("attention", "mlp")})))
