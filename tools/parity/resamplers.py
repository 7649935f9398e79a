"""The perceiver resampler, alone and inside the embedder of a history."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import numpy as np
from safetensors.numpy import load_file

from parity.fixture import Compared, Fixture
from parity.run import traced
from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.convert import uio2
from unified_io.convert.port import resampler as port_resampler
from unified_io.modalities.history import History, HistoryEmbedder
from unified_io.modalities.image import ImageInput

VARIANT = "self_attention_variant."


class Patches(nn.Module):
    """Stands where the media encoder is: the fixtures have none in front of the history."""

    def __call__(self, patches, mask, positions, grid):
        """Hands the patches on."""
        return patches, patches


def resampler(fixture: Fixture) -> Iterator[Compared]:
    """Every kind of attention, both flavours of GELU, layers of self-attention, and a bank of fewer frames."""
    settings = fixture.config["config"]
    for case, changes in fixture.config["cases"].items():
        # The port's GELU is exact; where it is not, only a remark says so.
        tanh = "tanh" in case + changes.get("note", "")
        config = port_resampler.from_port(
            {**settings["resampler_cfg"], **changes}, "gelu_tanh" if tanh else "gelu"
        )
        params = uio2.part(_tensors(fixture, config), f"input_embedders.{fixture.config['modality']}_history")
        if any(name.startswith(f"{case}/resampler/") for name in fixture.outputs):
            yield from _alone(fixture, case, config, params["resampler"])
        yield from _embedder(fixture, case, config, params, changes.get("max_images_per_example"))


def _tensors(fixture: Fixture, config: ResamplerConfig) -> dict[str, np.ndarray]:
    """Returns those weights that one case needs: the file holds what all cases together do."""
    unused = set() if config.qk_norm else {"query_norm", "key_norm"}
    unused |= set() if config.scaled_cosine else {"logit_scale"}
    chosen = {}
    for name, value in load_file(fixture.folder / "weights.safetensors").items():
        layer = re.search(r"layers_(\d+)\.", name)
        is_variant = layer is not None and not config.looks_at_tokens(int(layer[1]))
        if name.startswith(VARIANT) == is_variant and unused.isdisjoint(name.split(".")):
            chosen[name.replace(VARIANT, "resampler.perceiver.")] = value
    return chosen


def _alone(fixture: Fixture, case: str, config: ResamplerConfig, params: Any) -> Iterator[Compared]:
    features, mask = fixture.inputs["features"], fixture.inputs["features_mask"] > 0
    latents, parts = traced(Resampler(config), params, features, mask)
    ours = {f"{path.replace('/', '_')}_out": value for path, value in parts.items()}
    ours |= {"context_norm": parts["context_norm"], "latents": latents}
    for name in fixture.outputs:
        if name.startswith(f"{case}/resampler/"):
            yield Compared(name, ours[name.split("/")[-1]])


@dataclasses.dataclass(frozen=True)
class Bank:
    """Which frames of a batch lie in the one bank of the embedder.

    Attributes:
      frames: All frames of the batch.
      chosen: Indices of those in the bank.
      size: Places of the bank; those behind the chosen are zeros.
    """

    frames: int
    chosen: np.ndarray
    size: int

    def store(self, array: np.ndarray) -> np.ndarray:
        """Puts the chosen frames of [batch, frames, ...] into the bank [1, size, ...]."""
        items = np.zeros((1, self.size, *array.shape[2:]), array.dtype)
        items[0, : len(self.chosen)] = array.reshape(-1, *array.shape[2:])[self.chosen]
        return items

    def lay_out(self, items: Any, slot_size: int, fill: Any = 0.0) -> np.ndarray:
        """Puts tokens [1, size * slot_size, D] where their frames were: [frames, slot_size, D], elsewhere `fill`."""
        items = np.asarray(items).reshape(self.size, slot_size, -1)
        rows = np.zeros((self.frames, *items.shape[1:]), items.dtype) + np.asarray(fill, items.dtype)
        rows[self.chosen] = items[: len(self.chosen)]
        return rows


def _embedder(
    fixture: Fixture, case: str, config: ResamplerConfig, params: Any, per_example: float | None
) -> Iterator[Compared]:
    """The whole embedder; with `per_example`, on a bank of as many frames an example, the first that exist."""
    mask = fixture.inputs["mask"] > 0
    batch, frames = mask.shape[:2]
    bank = Bank(batch * frames, np.arange(batch * frames), batch * frames)
    if per_example is not None:
        size = round(per_example * batch)
        bank = Bank(bank.frames, np.flatnonzero(mask.any(axis=-1))[:size], size)
    features = {
        "patches": bank.store(fixture.inputs["input"]),
        "mask": bank.store(mask),
        "positions": bank.store(fixture.inputs["pos_ids"]),
        "frames": bank.store(np.broadcast_to(np.arange(frames, dtype=np.int32), (batch, frames))),
    }
    # Any media will do: only its encoder would ask what it is.
    history = History(ImageInput(), config, frames)
    embedder = HistoryEmbedder(_backbone(fixture.config["config"]["t5_config"]), history, Patches())
    sequence, parts = traced(embedder, params, features)

    def rows(tokens: Any, fill: Any = 0.0) -> np.ndarray:
        laid_out = bank.lay_out(tokens, history.slot_size, fill)
        return laid_out.reshape(batch, frames * history.slot_size, -1)

    angles = np.stack([np.cos(sequence.angles), np.sin(sequence.angles)], axis=-1)
    in_bank = rows(np.ones(angles.shape[:2]))[..., 0] > 0  # a frame that is not in it has no angles
    real = features["mask"][0].any(axis=-1)
    tokens = np.stack([history.slots({"mask": example}).reshape(-1) for example in mask])
    ours = {
        "pre_projection": (parts["pre_projection"][0], real),
        "resampler_out": (parts["resampler"], real),
        "post_projection": (parts["post_projection"], real),
        "embed": (rows(sequence.embeddings, params["modality_embedding"]), tokens),
        "mask": (tokens, tokens),
        "position_embed": (rows(angles), in_bank),
    }
    for name in fixture.outputs:
        if name.startswith(f"{case}/embedder/"):
            value, where = ours[name.split("/")[-1]]
            partly = name.endswith("/position_embed") or fixture.noise.get(name, {}).get("masked")
            yield Compared(name, value, where=where if partly else None)


def _backbone(t5: Mapping[str, Any]) -> BackboneConfig:
    """The numbers of a backbone that an embedder asks for; layers are none of them."""
    return BackboneConfig(
        emb_dim=t5["emb_dim"],
        num_heads=t5["num_heads"],
        head_dim=t5["head_dim"],
        mlp_dim=t5["emb_dim"],
        num_encoder_layers=1,
        num_decoder_layers=1,
    )
