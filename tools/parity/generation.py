"""Generation: cached steps against one pass, greedy and guided, scored answers, rendered codes."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.batches import Rows, chosen, lay_out
from parity.fixture import Compared, Fixture
from parity.forward import load
from unified_io.generation.decode import decode as run_decode
from unified_io.generation.decode import guided
from unified_io.generation.sampling import Sampler
from unified_io.loss import token_loss
from unified_io.model import Encoded, Network, UnifiedIOConfig
from unified_io.nn import masks

# The port fills rows that have ended with EOS; ours are filled with 0.
PORT_FILL = 1


class Generator:
    """A model and one encoded batch, ready to write one target."""

    def __init__(self, config: UnifiedIOConfig, params: Any, rows: Rows, target: str):
        self.network = Network(config)
        self.config = config
        self.params = params
        self.rows = rows
        self.target = target
        self.encoded: Encoded = jax.jit(self._apply("encode"))(rows.batch)

    def _apply(self, method: Any) -> Any:
        return lambda *args: self.network.apply({"params": self.params}, *args, method=method)

    def start(self, length: int) -> Any:
        """Returns an empty cache for `length` tokens."""
        return self._apply(lambda net, encoded: net.start(encoded, length))(self.encoded)

    def step(self, cache: Any, tokens: Any, index: Any) -> Any:
        """Reads one token a row: logits of the next, and the cache."""
        method = lambda net, *args: net.step(*args, self.target)  # noqa: E731
        return self._apply(method)(cache, tokens, index)

    def follow(self, tokens: np.ndarray, step: Any = None) -> tuple[np.ndarray, Any]:
        """Steps through given tokens [B, T]; returns the logits [B, T, V] of what comes next, and the cache."""
        step = step or self.step

        @jax.jit
        def run(tokens):
            def body(cache, at):
                token, index = at
                logits, cache = step(cache, token, index)
                return cache, logits

            return jax.lax.scan(body, self.start(tokens.shape[1]), (tokens.T, jnp.arange(tokens.shape[1])))

        cache, logits = run(jnp.asarray(tokens))
        return np.asarray(logits).swapaxes(0, 1), cache

    def one_pass(self, tokens: np.ndarray) -> np.ndarray:
        """The same logits from one causal pass without a cache."""

        def forward(net, encoded, tokens):
            positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
            embedder = net.target_embedders[self.target]
            y, angles = embedder.embed(tokens, positions)
            hidden = net.decoder(
                y,
                encoded.hidden,
                self_mask=masks.causal(tokens.shape[1])[None, None],
                cross_mask=(encoded.segment_ids > 0)[:, None, None],
                angles=angles,
                encoded_angles=encoded.angles,
            )
            return embedder.logits(hidden)

        return np.asarray(jax.jit(self._apply(forward))(self.encoded, jnp.asarray(tokens)))

    def greedy(self, rows: int, length: int, step: Any = None) -> np.ndarray:
        """Greedy tokens [B, length], written by the package's own loop."""
        end = self.config.target(self.target).end_token

        def run():
            return run_decode(
                step or self.step,
                self.start(length),
                batch_size=rows,
                length=length,
                sampler=Sampler(temperature=0.0),
                rng=jax.random.key(0),
                eos_id=end,
            )

        return np.asarray(jax.jit(run)()[0])

    def render(self, tokens: np.ndarray) -> np.ndarray:
        """Turns tokens into the tokenizer's arrays."""
        return np.asarray(
            jax.jit(self._apply(lambda net, t: net.render(t, self.target)))(jnp.asarray(tokens))
        )


def decode(fixture: Fixture) -> Iterator[Compared]:
    """Text, image and sound written greedily; guidance; answers scored."""
    config, params = load(fixture)
    for target in ("text", "image", "audio"):
        rows = lay_out(config, chosen(fixture.inputs, f"{target}_case/inputs/"))
        generator = Generator(config, params, rows, target)
        tokens = fixture.outputs[f"{target}/tokens"]
        yield from _encoder_side(generator, target)
        logits, cache = generator.follow(tokens[:, :-1])
        yield from _cache(fixture, cache, target)
        yield Compared(f"{target}/step_logits", logits)
        yield Compared(f"{target}/teacher_forced_logits", generator.one_pass(tokens[:, :-1]))
        yield Compared(f"{target}/margin", _margin(logits))
        written = generator.greedy(len(tokens), tokens.shape[1] - 1)
        yield Compared(f"{target}/tokens", _as_port(written, config.target(target).end_token))
        yield from _rendered(generator, written, target)
    yield from _guided(fixture, config, params)
    yield from _answers(fixture, config, params)


def generate_full(fixture: Fixture) -> Iterator[Compared]:
    """A whole image and a whole sound."""
    config, params = load(fixture)
    for target, kept in fixture.config["cases"]["steps_kept"].items():
        rows = lay_out(config, chosen(fixture.inputs, f"{target}_case/inputs/"))
        generator = Generator(config, params, rows, target)
        tokens = fixture.outputs[f"{target}/tokens"]
        logits, _ = generator.follow(tokens[:, :-1])
        yield Compared(f"{target}/step_logits_some", logits[0, kept])
        yield Compared(f"{target}/margin", _margin(logits[0]))
        written = generator.greedy(len(tokens), tokens.shape[1] - 1)
        yield Compared(f"{target}/tokens", _as_port(written, None))
        yield from _rendered(generator, written, target)


def _encoder_side(generator: Generator, target: str) -> Iterator[Compared]:
    rows = generator.rows
    mask = rows.mask("inputs")
    yield Compared(f"{target}/encoder_mask", mask.astype(np.int32))
    yield Compared(f"{target}/encoder_out", rows.spread(generator.encoded.hidden, "inputs"), where=mask)


def _cache(fixture: Fixture, cache: Any, target: str) -> Iterator[Compared]:
    for key in fixture.outputs:
        if key.startswith(f"{target}/cache/layers_"):
            _, _, layer, kind = key.split("/")
            ours = np.asarray(cache["self"][int(layer.removeprefix("layers_"))][kind[0]])
            ours = ours.swapaxes(1, 2) if kind[0] == "k" else ours
            yield Compared(key, ours.reshape(len(cache["seen"]), -1, *ours.shape[1:]))


def _as_port(tokens: np.ndarray, end: int | None) -> np.ndarray:
    """Tokens as the port returns them: the start token in front, ended rows filled its way."""
    tokens = tokens.copy()
    if end is not None:
        ended = np.cumsum(tokens == end, axis=1) > 0
        tokens[ended] = PORT_FILL
    return np.pad(tokens, ((0, 0), (1, 0)))


def _margin(logits: np.ndarray) -> np.ndarray:
    best = np.sort(logits, axis=-1)[..., -2:]
    return best[..., 1] - best[..., 0]


def _rendered(generator: Generator, tokens: np.ndarray, target: str) -> Iterator[Compared]:
    if target == "text":
        return
    media = generator.render(tokens)
    modality = generator.config.target(target)
    if target == "image":
        yield Compared("image/image", np.stack([modality.detokenize(picture) for picture in media]))
    else:
        yield Compared("audio/spectrogram", media.swapaxes(1, 2))


def _guided(fixture: Fixture, config: UnifiedIOConfig, params: Any) -> Iterator[Compared]:
    """Rows with the prompt in front of as many with the negative one."""
    with_prompt, without = (chosen(fixture.inputs, f"{name}/inputs/") for name in ("guided_case", "neg"))
    both = {key: _joined(with_prompt[key], without[key]) for key in with_prompt}
    generator = Generator(config, params, lay_out(config, both), "image")
    scale = fixture.config["cases"]["guidance_scale"]
    step = guided(generator.step, scale)
    tokens = fixture.outputs["image_guided/tokens"]
    scores, _ = generator.follow(tokens[:, :-1], step)
    yield Compared("image_guided/scores", scores)
    yield Compared("image_guided/margin", _margin(scores))
    written = generator.greedy(len(tokens), tokens.shape[1] - 1, step)
    yield Compared("image_guided/tokens", _as_port(written, None))


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Stacks two padded batches; the narrower one is padded more."""
    width = max(first.shape[1], second.shape[1])
    wide = [np.pad(x, ((0, 0), (0, width - x.shape[1]), *[(0, 0)] * (x.ndim - 2))) for x in (first, second)]
    return np.concatenate(wide)


def _answers(fixture: Fixture, config: UnifiedIOConfig, params: Any) -> Iterator[Compared]:
    options = fixture.inputs["answers/options"]
    case = chosen(fixture.inputs, "text_case/inputs/")
    inputs = {key: np.repeat(value[:1], len(options), axis=0) for key, value in case.items()}
    targets = {
        "text/targets": options,
        "text/inputs": np.pad(options, ((0, 0), (1, 0)))[:, :-1],
        "text/mask": (options > 0).astype(np.int32),
        "text/segment_ids": np.ones_like(options),
        "text/pos_ids": np.broadcast_to(np.arange(options.shape[1], dtype=np.int32), options.shape),
    }
    rows = lay_out(config, inputs, targets)
    out = jax.jit(lambda batch: Network(config).apply({"params": params}, batch))(rows.batch)["text"]
    nll = rows.unbank(token_loss(out.logits, out.tokens)[0], "targets", "text")
    total = nll.sum(axis=1)
    yield Compared("answers/mean_nll", total / (options > 0).sum(axis=1))
    yield Compared("answers/sum_nll", total)
