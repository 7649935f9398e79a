"""Ten seconds of the real thing: a tiny model, packing, a checkpoint with a flipped bit, the text tokenizer."""

import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from unified_io import pytree, vocab
from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.checkpoint import Checkpoints
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, one_per_row, plan
from unified_io.errors import CheckpointError
from unified_io.loss import total_loss
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import UnifiedIOConfig, blank_batch
from unified_io.reliability.finding import Finding, guarded

_TEXT = vocab.Vocabulary(None, 0, vocab.Vocabulary.least_size(0))
_MODEL = UnifiedIOConfig(
    BackboneConfig(emb_dim=16, num_heads=2, head_dim=8, mlp_dim=32, num_encoder_layers=1, num_decoder_layers=1),
    (TextInput(_TEXT, 16),),
    (TextTarget(_TEXT, 16),),
)  # fmt: skip
_SENTENCE = "<extra_id_500> a box, 12 cats and [Image] [S]"
# It runs once, so optimising it would take longer than running it.
_FAST = {"xla_backend_optimization_level": 0}


def run() -> list[Finding]:
    """Runs every test and says what each found; one that fails does not end the others."""
    found: list[Finding] = []
    for name, remedy, test in (
        ("tiny model", "reinstall jax, jaxlib and flax of one release", _model),
        ("checkpoint", "look at the disk, and at the version of orbax-checkpoint", _checkpoint),
        ("text tokenizer", "reinstall sentencepiece and protobuf", _tokenizer),
    ):
        with guarded(name, remedy, found):
            found.append(test(name))
    return found


def _model(name: str) -> Finding:
    rng = np.random.default_rng(0)
    examples = [_example(rng, *lengths) for lengths in ((5, 3), (7, 2), (4, 6))]
    params = nn.unbox(_MODEL.network().init(jax.random.key(0), blank_batch(_MODEL))["params"])
    results = []
    for lay, rows in ((plan, 2), (one_per_row, 3)):
        (loss, tokens), grads = _step(params, _batch(examples, lay, rows))
        _insist(tokens == 11, f"{tokens:.0f} of 11 target tokens reached the loss")
        finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((loss, grads)))
        _insist(finite, "loss or gradients are not finite")
        results.append((loss, grads))
    for packed, alone in zip(*map(jax.tree.leaves, results), strict=True):
        close = np.allclose(packed, alone, rtol=1e-3, atol=1e-4)
        _insist(close, "packed rows give another loss or gradient than one example a row")
    said = f"loss {results[0][0]:.4f} and gradients are finite, and the same packed and unpacked"
    return Finding(name, "ok", said)


def _example(rng: np.random.Generator, read: int, write: int) -> dict[str, Any]:
    inputs, targets = (rng.integers(3, _TEXT.size, n).astype(np.int32) for n in (read, write))
    places, streams = np.arange(write, dtype=np.int32), np.zeros(write, np.int32)
    before = np.array([vocab.BOS, *targets[:-1]], np.int32)
    asked = {"tokens": inputs, "positions": np.arange(read, dtype=np.int32)}
    wanted = {"tokens": targets, "inputs": before, "positions": places, "streams": streams}
    return {"inputs": {"text": asked}, "targets": {"text": wanted}}


def _batch(examples: Sequence[Any], lay: Callable[..., Any], rows: int) -> dict[str, Any]:
    budgets = Budgets(rows, 16, 12, {"text": 16}, {"text": 11})
    lengths = [measure(example, _MODEL.inputs, _MODEL.targets) for example in examples]
    return assemble(examples, lay(lengths, budgets), _MODEL.inputs, _MODEL.targets)


def _step(params: Any, batch: Any) -> Any:
    def loss(params: Any) -> Any:
        total, metrics = total_loss(_MODEL.network().apply({"params": params}, batch))
        return total, metrics["text/tokens"]

    step = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=_FAST)
    (total, tokens), grads = jax.device_get(step(params))
    return (float(total), float(tokens)), grads


def _checkpoint(name: str) -> Finding:
    state = {"kernel": jax.numpy.arange(5000.0), "step": jax.numpy.int32(3)}
    with tempfile.TemporaryDirectory() as folder, Checkpoints(folder) as checkpoints:
        checkpoints.save(3, state, wait=True)
        restored = checkpoints.restore(pytree.abstract(state), 3)
        same = all(map(np.array_equal, jax.tree.leaves(restored), jax.tree.leaves(state)))
        _insist(same, "what was restored is not what was saved")
        file = max(Path(folder).rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        with warnings.catch_warnings(action="ignore"):
            try:
                checkpoints.restore(pytree.abstract(state), 3)
            except CheckpointError:
                said = "saved, verified and restored to the bit; a flipped bit was found"
                return Finding(name, "ok", said)
    raise CheckpointError("a flipped bit was not found")


def _tokenizer(name: str) -> Finding:
    if importlib.util.find_spec("sentencepiece") is None:
        return Finding(name, "warning", "not tested without sentencepiece", "pip install sentencepiece")
    vocabulary = vocab.Vocabulary()
    ids = vocabulary.encode(_SENTENCE)
    again = vocabulary.decode(ids)
    _insist(again == _SENTENCE, f"{_SENTENCE!r} came back as {again!r}")
    return Finding(name, "ok", f"a sentence became {len(ids)} tokens and came back")


def _insist(condition: bool, otherwise: str) -> None:
    if not condition:
        raise RuntimeError(otherwise)
