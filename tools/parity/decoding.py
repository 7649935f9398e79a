"""How the official JAX code decodes: beams, greedily, guided."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.batches import chosen, lay_out
from parity.fixture import Compared, Fixture
from parity.generation import Generator
from parity.released import batch_of, every, load
from unified_io.generation.beam import beam_search, take_rows
from unified_io.generation.decode import guided
from unified_io.model import UnifiedIOConfig

# What the fixture's README says one can expect between float32 implementations.
LOG_PROBABILITY = 1e-3
END = 1


def decoding(fixture: Fixture) -> Iterator[Compared]:
    """Beams, greedy and guided answers of the tiny checkpoint."""
    config, params = load(fixture)
    inputs = chosen(batch_of(fixture), "inputs/")
    expected = fixture.arrays("expected.npz")

    def arrays() -> Iterator[Compared]:
        for key in sorted({name.rsplit("-", 1)[0] for name in expected if "-" in name}):
            way, target = key.split("/")
            number = int(way.rsplit("_", 1)[-1].removeprefix("beam"))
            if "_beam" in way:
                yield from _beams(config, params, inputs, key, expected, number)
            else:
                negative = expected.get(f"{way}/negative_text_tokens")
                yield from _sampled(config, params, inputs, key, target, expected, negative)

    left = {name: value for name, value in expected.items() if "negative_text_tokens" not in name}
    yield from every(left, arrays())


def _beams(
    config: UnifiedIOConfig,
    params: Any,
    inputs: Any,
    key: str,
    expected: Mapping[str, np.ndarray],
    beams: int,
) -> Iterator[Compared]:
    length = expected[f"{key}-tokens"].shape[-1]
    repeated = {name: np.repeat(value, beams, axis=0) for name, value in inputs.items()}
    generator = Generator(config, params, lay_out(config, repeated), "text")
    size = len(expected[f"{key}-tokens"])

    def search(length: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        run = functools.partial(
            beam_search, generator.step, batch_size=size, beams=beams, length=length, **options
        )
        found = jax.jit(lambda: run(generator.start(length), reorder=functools.partial(take_rows, axis=1)))()
        tokens, scores = (np.asarray(x)[:, ::-1] for x in found)  # theirs come best last
        return tokens, scores

    tokens, scores = search(length, eos_id=END)
    yield Compared(f"{key}-tokens", tokens)
    yield Compared(f"{key}-scores", scores, tolerance=LOG_PROBABILITY)
    # Theirs notes, step by step, by how much the k-th best unfinished beam is worse than the k-th best before it.
    unfinished = [search(n, constraint=_no_end)[1] for n in range(1, length + 1)]
    steps = np.diff(np.stack([np.zeros_like(scores), *unfinished, unfinished[-1]]), axis=0)
    yield Compared(f"{key}-logprobs", np.moveaxis(steps, 0, -1), tolerance=LOG_PROBABILITY)


def _no_end(logits: Any, index: Any, tokens: Any) -> Any:
    return logits.at[:, END].set(-jnp.inf)


def _sampled(
    config: UnifiedIOConfig,
    params: Any,
    inputs: Mapping[str, np.ndarray],
    key: str,
    target: str,
    expected: Mapping[str, np.ndarray],
    negative: np.ndarray | None,
) -> Iterator[Compared]:
    """The likeliest token at every step, guided where there is a negative prompt."""
    size, length = expected[f"{key}-tokens"].shape
    if negative is None:
        generator = Generator(config, params, lay_out(config, inputs), target)
        step = generator.step
    else:
        generator = Generator(config, params, lay_out(config, _with_negative(inputs, negative)), target)
        step = guided(generator.step, 2.0)
    tokens = generator.greedy(size, length, step)
    logits, _ = generator.follow(np.pad(tokens, ((0, 0), (1, 0)))[:, :-1], step)
    steps = _log_probabilities(logits, tokens)
    yield Compared(f"{key}-tokens", tokens)
    yield Compared(f"{key}-logprobs", steps[:, None], tolerance=LOG_PROBABILITY)
    yield Compared(
        f"{key}-scores", steps.sum(axis=1, keepdims=True), tolerance=LOG_PROBABILITY * np.sqrt(length)
    )


def _with_negative(inputs: Mapping[str, np.ndarray], negative: np.ndarray) -> dict[str, np.ndarray]:
    """Adds as many rows that hold the negative prompt and nothing else."""
    both = {name: np.concatenate([value, np.zeros_like(value)]) for name, value in inputs.items()}
    size = len(inputs["text/tokens"])
    width = negative.shape[1]
    both["text/tokens"][size:, :width] = negative
    both["text/mask"][size:, :width] = negative > 0
    both["text/pos_ids"][size:] = np.arange(both["text/pos_ids"].shape[1])
    return both


def _log_probabilities(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return np.asarray(jnp.take_along_axis(jax.nn.log_softmax(logits), tokens[..., None], axis=-1))[..., 0]
