"""Writing token by token, the plain way: everything that was written is read anew at every step."""

from collections.abc import Callable

import numpy as np

from reference import audio_codec, image_codec, targets
from reference.inputs import Tokens
from reference.layers import log_softmax
from reference.model import Arrays, Model, decode, encode, logits, nll
from reference.weights import Trace

BEGIN, END = 0, 1
# From the tokens so far [B, n] to scores of the next [B, V].
Step = Callable[[np.ndarray], np.ndarray]


def continuations(
    model: Model, name: str, tokens: np.ndarray, encoded: Tokens, seen: Trace | None = None
) -> np.ndarray:
    """Logits [B, n, V] of what comes after each of the tokens [B, n]."""
    positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    read = targets.embed(model.w, model.config, name, tokens, positions, np.ones(tokens.shape, bool))
    causal = np.tri(tokens.shape[1], dtype=bool)[None, None]
    return logits(model, name, decode(model, read, causal, encoded, seen or Trace()))


def plain(model: Model, name: str, encoded: Tokens) -> Step:
    """The next token's logits."""
    return lambda tokens: continuations(model, name, tokens, encoded)[:, -1]


def guided(model: Model, name: str, encoded: Tokens, negative: Tokens, scale: float) -> Step:
    """The next token's log-probabilities, away from what the negative prompt would have: both read the same."""

    def step(tokens: np.ndarray) -> np.ndarray:
        main, other = (
            log_softmax(continuations(model, name, tokens, prompt)[:, -1]) for prompt in (encoded, negative)
        )
        return (1 + scale) * main - scale * other

    return step


def greedy(step: Step, rows: int, steps: int, may_end: bool) -> tuple[np.ndarray, np.ndarray]:
    """Takes the best token every time.

    Rows that `may_end` do so at END and are filled with it; when all have, it is over.

    Returns:
      Tokens [B, 1 + steps], from BEGIN on, and the scores they were chosen by [B, steps, V].
    """
    tokens = np.full((rows, 1), BEGIN, np.int32)
    scores = []
    for _ in range(steps):
        scores.append(step(tokens))
        ended = may_end & (tokens == END).any(axis=1)
        best = np.where(ended, END, scores[-1].argmax(axis=1))
        tokens = np.concatenate([tokens, best[:, None].astype(np.int32)], axis=1)
        if may_end and (tokens == END).any(axis=1).all():
            break
    return tokens, np.stack(scores, axis=1)


def margin(scores: np.ndarray) -> np.ndarray:
    """By how much the best is better than the second."""
    best = np.sort(scores, axis=-1)
    return best[..., -1] - best[..., -2]


def write(model: Model, name: str, features: Arrays, steps: int, seen: Trace) -> None:
    """Writes one modality; the trace gets tokens, logits, what a cache would hold, and the image or sound."""
    encoded = encode(model, features, Trace())
    seen["encoder_out"], seen["encoder_mask"] = encoded.embed, encoded.mask.astype(np.int32)
    tokens, scores = greedy(plain(model, name, encoded), len(encoded.embed), steps, may_end=name == "text")
    seen["tokens"], seen["step_logits"], seen["margin"] = tokens, scores, margin(scores)
    at = Trace()
    seen["teacher_forced_logits"] = continuations(model, name, tokens[:, :-1], encoded, at)
    for layer in range(model.config["t5_config"]["num_decoder_layers"]):
        for kind in ("key", "value"):
            seen[f"cache/layers_{layer}/{kind}"] = at[f"layers_{layer}/{kind}"]
    if name == "image":
        seen["image"] = image(model, tokens[:, 1:])
    elif name == "audio":
        seen["spectrogram"] = spectrogram(model, tokens[:, 1:])


def image(model: Model, ids: np.ndarray) -> np.ndarray:
    """Ids to pixels [B, h, w, 3] in [0, 1]."""
    config = model.config["image_vqgan"]
    codes = targets.targets_to_codes(ids, config["n_embed"])
    pixels = image_codec.decode(model.w.under("target_embedders.image.vqgan"), config, codes, Trace())
    return np.clip((pixels + 1) / 2, 0, 1)


def spectrogram(model: Model, ids: np.ndarray) -> np.ndarray:
    """Ids to normalised spectrograms [B, mel, time, 1]."""
    config = model.config["audio_vqgan"]
    codes = targets.mel_major(targets.targets_to_codes(ids, config["vocab_size"]), model.config)
    module = model.w.under("target_embedders.audio.vqgan")
    return audio_codec.decode(module, config, codes, Trace())[..., None]


def answer_costs(model: Model, features: Arrays, options: np.ndarray) -> np.ndarray:
    """Negative log-probability of every token of every option [N, L] (0 = none) as the answer to the first row."""
    encoded = encode(model, {key: value[:1] for key, value in features.items()}, Trace())
    prompt = Tokens(
        *(np.repeat(x, len(options), axis=0) for x in (encoded.embed, encoded.mask, encoded.angles))
    )
    scores = continuations(model, "text", targets.shifted(options), prompt)
    return nll(scores, options) * (options > 0)
