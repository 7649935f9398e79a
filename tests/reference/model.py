"""The whole network: inputs to the encoder's output, targets to logits and losses."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reference import stacks, targets
from reference.inputs import Tokens, embed_inputs, join
from reference.layers import dense, log_softmax
from reference.rotary import side_by_side
from reference.weights import Trace, Weights

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Model:
    """The content of a `config.json`, and weights for it."""

    config: Mapping[str, Any]
    w: Weights


def encode(model: Model, features: Arrays, seen: Trace) -> Tokens:
    """Features ("modality/name") to the encoder's output, with the mask and angles of its places."""
    tokens = embed_inputs(model.w, model.config, features, seen)
    hidden = stacks.encoder(
        model.w.under("encoder"),
        model.config["t5_config"],
        tokens.embed,
        tokens.mask,
        tokens.angles,
        seen.under("encoder"),
    )
    return Tokens(hidden, tokens.mask, tokens.angles)


def decode(model: Model, tokens: Tokens, allowed: np.ndarray, encoded: Tokens, seen: Trace) -> np.ndarray:
    """The decoder's output at every place of `tokens`; `allowed` says who may look at whom among them."""
    return stacks.decoder(
        model.w.under("decoder"),
        model.config["t5_config"],
        tokens.embed,
        allowed,
        tokens.angles,
        encoded.embed,
        (tokens.mask[:, :, None] & encoded.mask[:, None, :])[:, None],
        encoded.angles,
        seen,
    )


def logits(model: Model, name: str, hidden: np.ndarray) -> np.ndarray:
    """How well every id of a modality would fit: the product with its embedding."""
    width = np.sqrt(hidden.shape[-1]).astype(hidden.dtype)
    return dense(hidden, model.w.under(f"{name}_token_embedder")) / width


def nll(logits: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Negative log-probability of ids."""
    return -np.take_along_axis(log_softmax(logits), ids[..., None], axis=-1)[..., 0]


def groups(subsegments: np.ndarray, modality: np.ndarray) -> np.ndarray:
    """One number for every combination of answer and modality."""
    return subsegments * (modality.max() + 1) + modality


def score(model: Model, features: Arrays, wanted: Arrays, names: Sequence[str], seen: Trace) -> None:
    """Reads inputs and writes targets, all in one decoder row; everything goes into the trace.

    Args:
      features: Inputs by "modality/name".
      wanted: Targets likewise.
      names: Which of the targets the model writes.
    """
    encoded = encode(model, features, seen)
    names = [name for name in targets.ORDER if name in names]
    of = {name: targets_of(model, wanted, name, seen.under(name)) for name in names}
    parts = [
        targets.embed(model.w, model.config, name, t["inputs"], t["positions"], t["mask"])
        for name, t in of.items()
    ]
    tokens = join(parts)
    index = np.concatenate([np.full(t["mask"].shape[1], targets.ORDER.index(n)) for n, t in of.items()])
    subsegments = np.concatenate([t["segments"] for t in of.values()], axis=1)
    group = groups(subsegments, index[None])
    real = tokens.mask
    allowed = np.tri(real.shape[1], dtype=bool) & real[:, :, None] & real[:, None, :]
    allowed &= group[:, :, None] == group[:, None, :]
    hidden = decode(model, tokens, allowed[:, None], encoded, seen.under("decoder"))
    planes = [
        targets.patterns(model.config, n, t.get("hidden"), t["mask"].shape[1], len(real))
        for n, t in of.items()
    ]
    at = seen.under("target_seq")
    at["input_embedding"], at["position_embed"] = tokens.embed, side_by_side(tokens.angles)
    at["mask"], at["modality_id"] = real.astype(np.int32), index[None].astype(np.int32)
    at["subsegments"], at["all_subsegments"] = subsegments.astype(np.int32), group.astype(np.int32)
    at["attn_pattern_mask"] = targets.block_diagonal(planes).astype(np.uint8)
    seen["decoder_attn_mask"] = allowed[:, None].astype(np.uint8)
    crossing = real[:, :, None] & encoded.mask[:, None, :]
    seen["encoder_decoder_mask"] = crossing[:, None].astype(np.uint8)
    _losses(model, of, hidden, seen)


def targets_of(model: Model, wanted: Arrays, name: str, seen: Trace) -> dict[str, np.ndarray]:
    """Ids of one modality, what is read meanwhile, which places are real, and where the loss counts."""
    of = {key.split("/")[1]: value for key, value in wanted.items() if key.split("/")[0] == name}
    real = of["mask"] > 0
    if name == "text":
        ids, inputs, segments = of["targets"], of["inputs"], of["segment_ids"]
        found = {"positions": of["pos_ids"], "weights": real}
    else:
        ids = targets.TOKENIZERS[name](model.w, model.config, of, seen)
        inputs, segments = targets.shifted(ids), np.zeros_like(ids)
        positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        found = {"positions": positions, "weights": of["loss_mask"] > 0, "hidden": of["task_mask"] > 0}
    return found | {"ids": ids, "inputs": inputs, "segments": segments, "mask": real}


def _losses(
    model: Model, of: Mapping[str, Mapping[str, np.ndarray]], hidden: np.ndarray, seen: Trace
) -> None:
    start, total = 0, 0.0
    for name, t in of.items():
        length = t["mask"].shape[1]
        scores = logits(model, name, hidden[:, start : start + length])
        start += length
        weights = t["weights"].astype(scores.dtype)
        costs = nll(scores, t["ids"])
        loss = np.sum(costs * weights) / max(np.sum(weights), 1)
        total = total + loss
        at = seen.under(name)
        at["logits"], at["nll"], at["loss"] = scores, costs, loss
        at["targets"], at["input_tokens"] = t["ids"].astype(np.int32), t["inputs"].astype(np.int32)
        at["loss_mask"] = t["weights"].astype(np.int32)
    seen["total_loss"] = total
