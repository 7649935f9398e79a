"""What images and sounds have in common: patches through a frozen or trained encoder on the way in, codes of a
tokenizer on the way out. Knows neither pixels nor mels."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io.errors import ConfigError
from unified_io.generation.sampling import Sampler
from unified_io.modalities.base import (
    Embedder,
    Features,
    FeatureSpec,
    InputSequence,
    Modality,
    TargetModality,
    TargetSequence,
)
from unified_io.nn import masks
from unified_io.nn.dense import Dense
from unified_io.nn.embed import Embed
from unified_io.nn.rope import angles_2d
from unified_io.preprocess.denoisers.media import Cells
from unified_io.preprocess.patches import patch_mask, patchify

CODE_OFFSET = 2  # token 0 starts a generation, 1 is reserved; code c is token c + 2


def given(field: Any) -> bool:
    """Whether an example has a field: it is neither left out nor empty."""
    return field is not None and bool(np.size(field))


def real_patches(
    mask: Bool[np.ndarray, "H W"], whole: Bool[np.ndarray, "H W"], grid: tuple[int, int]
) -> Bool[np.ndarray, " P"]:
    """Which patches of a mask are real, row-major: those whose middle is (see `patch_mask`).

    Of a picture so thin that it touches no middle, those that any pixel of the mask lies in.

    Args:
      mask: What counts.
      whole: All real pixels of the picture.
      grid: Rows and columns of patches.

    Source: the released preprocessing; but there a thin picture is lost.
    """
    if patch_mask(whole, grid).any():
        return patch_mask(mask, grid)
    (rows, columns), (height, width) = grid, mask.shape
    return mask.reshape(rows, height // rows, columns, width // columns).any(axis=(1, 3)).reshape(-1)


@dataclasses.dataclass(frozen=True)
class MediaInput(Modality):
    """A picture-like array cut into patches. An item is one picture; masked patches take no place in the row.

    Attributes:
      patch: Side of a square patch.
      position_scale: Factor on the rotary coordinates (4/3 in the released models).
      frozen: Stop the gradient at the encoder's output.
      samples: Patches of an item, drawn anew for every seed, real ones first: a number, a part (a float), None for all.
    """

    patch: int = 16
    position_scale: float = 1.0
    frozen: bool = True
    samples: int | float | None = None

    def __post_init__(self):
        if self.samples is None:
            return
        most = 1.0 if isinstance(self.samples, float) else self.grid[0] * self.grid[1]
        if not 0 < self.samples <= most:
            raise ConfigError(
                f"samples is {self.samples} of {self.grid[0]}x{self.grid[1]} patches; give a number of patches, "
                "a float up to 1.0 as the part of them, or None for all"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width (frames and mels) of the array."""
        raise TypeError(f"{type(self).__name__} must define size")

    @property
    def channels(self) -> int:
        """Numbers a pixel holds."""
        return 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    @property
    def slot_size(self) -> int:
        total = self.grid[0] * self.grid[1]
        if isinstance(self.samples, float):
            return max(1, int(self.samples * total))
        return total if self.samples is None else self.samples

    @property
    def fields(self) -> tuple[str, ...]:
        return f"{self.name}_inputs", f"{self.name}_input_masks"

    def features(self) -> dict[str, FeatureSpec]:
        dim = self.patch * self.patch * self.channels
        return {
            "patches": FeatureSpec((self.slot_size, dim), "float32", "normalised patches"),
            "mask": FeatureSpec((self.slot_size,), "bool", "patches the encoder may see"),
            "positions": FeatureSpec((self.slot_size,), "int32", "index of the patch on the grid"),
        }

    def pixels(self, raw: np.ndarray) -> tuple[Float[np.ndarray, "H W C"], np.ndarray]:
        """Turns the raw field into a normalised array of `size` and the mask of its real pixels."""
        raise TypeError(f"{type(self).__name__} must define pixels")

    def real(self, raw: np.ndarray) -> Bool[np.ndarray, "H W"]:
        """The mask of the real pixels alone."""
        raise TypeError(f"{type(self).__name__} must define real")

    def place(self, raw: np.ndarray, keep: np.ndarray) -> Bool[np.ndarray, "H W"]:
        """Lays a mask of the raw field's shape out as `pixels` does the raw field."""
        raise TypeError(f"{type(self).__name__} must define place")

    def locate(self, raw: np.ndarray) -> tuple[Int[np.ndarray, " h"], Int[np.ndarray, " w"]]:
        """The row and the column of patches that every row and every column of the raw field lies in."""
        raise TypeError(f"{type(self).__name__} must define locate")

    def cells(self, raw: np.ndarray) -> Cells:
        """The patches that a raw field is cut into: what can be hidden of it one by one."""
        whole = self.real(raw)
        real = real_patches(whole, whole, self.grid).reshape(self.grid)
        rows, columns = (np.clip(at, 0, n - 1) for at, n in zip(self.locate(raw), self.grid, strict=True))
        touched = np.zeros(self.grid, bool)
        touched[np.unique(rows)[:, None], np.unique(columns)[None, :]] = True
        return Cells(rows, columns, touched & real)

    def item(
        self, raw: np.ndarray, keep: np.ndarray | None = None, *, seed: int | Sequence[int] = 0
    ) -> Features:
        """Features of one picture.

        Args:
          raw: The raw field.
          keep: Mask of the raw field's shape of what may be seen; None or an empty one is all.
          seed: Seeds the choice of patches, where not all are taken.
        """
        array, mask = self.pixels(raw)
        seen = mask & self.place(raw, keep) if given(keep) else mask
        real = real_patches(seen, mask, self.grid)
        chosen = self._choose(real, seed)
        return {"patches": patchify(array, self.patch)[chosen], "mask": real[chosen], "positions": chosen}

    def _choose(self, real: Bool[np.ndarray, " P"], seed: int | Sequence[int]) -> Int[np.ndarray, " n"]:
        """Which patches an item holds: all of them in order, or a random part, real ones first."""
        if self.slot_size == len(real):
            return np.arange(len(real), dtype=np.int32)
        order = np.random.default_rng(seed).permutation(len(real)).astype(np.int32)
        return order[np.argsort(~real[order], kind="stable")][: self.slot_size]

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        raw = example.get(self.fields[0])
        if not given(raw):
            return self.empty()
        item = self.item(raw, example.get(self.fields[1]), seed=(seed, *self.name.encode()))
        return {key: value[None] for key, value in item.items()}

    def slots(self, features: Features) -> np.ndarray:
        return features["mask"]

    def encoder(self, config: Any) -> nn.Module:
        """The modality encoder: (patches, mask, positions, grid) -> two levels of features."""
        raise TypeError(f"{type(self).__name__} must define encoder")

    @property
    def encoder_name(self) -> str:
        """Under which name the encoder is shared with the history of the same kind."""
        return f"{self.name}_encoder"

    def shared(self, config: Any) -> dict[str, nn.Module]:
        return {self.encoder_name: self.encoder(config)}

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return MediaInputEmbedder(config, self, shared[self.encoder_name])


class MediaInputEmbedder(Embedder):
    """Encodes a bank of media and projects [last ‖ second] features to the backbone's width."""

    media: MediaInput
    encoder: nn.Module

    def setup(self):
        super().setup()
        self.projection = Dense(self.config.emb_dim, ("image_patch", "embed"), dtype=self.config.dtype)

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        levels = encode_media(self.encoder, self.media, features)
        embeddings = self.mark(self.projection(jnp.concatenate(levels, axis=-1)))
        scale, columns = self.media.position_scale, self.media.grid[1]
        rows, cols = features["positions"] // columns, features["positions"] % columns
        angles = angles_2d(scale * rows, scale * cols, self.config.head_dim)
        groups = embeddings.shape[0]
        return InputSequence(
            embeddings.reshape(groups, -1, embeddings.shape[-1]), angles.reshape(groups, -1, angles.shape[-1])
        )


def encode_media(encoder: nn.Module, media: MediaInput, features: dict[str, Array]) -> tuple[Array, Array]:
    """Runs the modality encoder over a bank [G, M, P, ...]; returns (last, second) features [G, M, P, W]."""
    lead = features["mask"].shape[:2]
    flat = {
        key: features[key].reshape(-1, *features[key].shape[2:]) for key in ("patches", "mask", "positions")
    }
    levels = encoder(flat["patches"], flat["mask"], flat["positions"], grid=media.grid)
    levels = tuple(level.reshape(*lead, *level.shape[1:]) for level in levels)
    return jax.tree.map(jax.lax.stop_gradient, levels) if media.frozen else levels


@dataclasses.dataclass(frozen=True)
class CodeTarget(TargetModality):
    """A picture-like array the decoder writes as codes of a frozen tokenizer. An item is one picture.

    Attributes:
      vocab_size: Rows of the token table: codes, two special tokens, and padding.
      temperature: Sampling temperature unless the user says otherwise.
      top_p: Likewise the probability that the sampled tokens make up.
      only_hidden: Of a target that the encoder was shown in part, count in the loss only the codes it was not shown.
    """

    vocab_size: int = 16512
    temperature: float = 1.0
    top_p: float = 0.9
    only_hidden: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        return f"{self.name}_targets", f"{self.name}_target_hidden_masks"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels (frames, mels, 1) of the array."""
        raise TypeError(f"{type(self).__name__} must define shape")

    @property
    def code_grid(self) -> tuple[int, int]:
        """Rows and columns of codes, in the order they are written."""
        raise TypeError(f"{type(self).__name__} must define code_grid")

    @property
    def blank(self) -> float:
        """What stands in the tokenizer's array where nothing is written yet."""
        return 0.0

    @property
    def columns(self) -> int:
        return self.code_grid[1]

    @property
    def rotary_columns(self) -> int:
        """Columns of the grid that rotary positions are taken from."""
        return self.code_grid[1]

    @property
    def slot_size(self) -> int:
        return self.code_grid[0] * self.code_grid[1]

    @property
    def length(self) -> int:
        return self.slot_size

    def features(self) -> dict[str, FeatureSpec]:
        return {
            "pixels": FeatureSpec(self.shape, "float32", "normalised array for the tokenizer"),
            "mask": FeatureSpec((self.slot_size,), "bool", "codes that are real"),
            "hidden": FeatureSpec((self.slot_size,), "bool", "codes whose pixels the encoder was not shown"),
            "weights": FeatureSpec((self.slot_size,), "float32", "how much each code counts in the loss"),
        }

    def pixels(self, raw: np.ndarray) -> tuple[Float[np.ndarray, "H W C"], np.ndarray]:
        """Turns the raw field into the tokenizer's normalised array and the mask of its real pixels."""
        raise TypeError(f"{type(self).__name__} must define pixels")

    def place(self, raw: np.ndarray, mask: np.ndarray) -> Bool[np.ndarray, "H W"]:
        """Lays a mask of the raw field's shape out as `pixels` does the raw field."""
        raise TypeError(f"{type(self).__name__} must define place")

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        raw, hidden = (example.get(f"{self.name}_{kind}") for kind in ("targets", "target_hidden_masks"))
        if not given(raw):
            return self.empty()
        array, mask = self.pixels(raw)
        return self.item(array, mask, self.place(raw, hidden) if given(hidden) else None)

    def item(
        self,
        array: Float[np.ndarray, "H W C"],
        mask: Bool[np.ndarray, "H W"],
        hidden: Bool[np.ndarray, "H W"] | None = None,
    ) -> Features:
        """Features of one picture.

        Args:
          array: What the tokenizer reads.
          mask: Its real pixels; a code is real, or hidden, where the pixel at its middle is.
          hidden: Pixels that the encoder is not shown; None is none of them.
        """
        real = real_patches(mask, mask, self.code_grid)
        unseen = np.zeros_like(real) if hidden is None else real & real_patches(hidden, mask, self.code_grid)
        counts = unseen if self.only_hidden and unseen.any() else real
        return {
            "pixels": array[None],
            "mask": real[None],
            "hidden": unseen[None],
            "weights": counts[None].astype(np.float32),
        }

    def slots(self, features: Features) -> np.ndarray:
        return features["mask"]

    def weights(self, features: Features) -> np.ndarray:
        return features["weights"] * features["mask"]

    @property
    def sampler(self) -> Sampler:
        return Sampler(temperature=self.temperature, top_p=self.top_p)

    def written(self, rendered: np.ndarray, tokens: int) -> np.ndarray:
        rows, columns = self.code_grid
        lines = tokens // columns * (len(rendered) // rows)  # a row of codes is known when all of it is
        return np.where(np.arange(len(rendered))[:, None, None] < lines, rendered, np.float32(self.blank))

    def tokenizer(self) -> nn.Module:
        """The tokenizer: encode(pixels) -> codes, decode(codes) -> pixels."""
        raise TypeError(f"{type(self).__name__} must define tokenizer")

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return CodeTargetEmbedder(config, self, self.tokenizer())


class CodeTargetEmbedder(Embedder):
    """Tokenizes a bank of targets inside the step, embeds the codes shifted by one, and writes them."""

    target: CodeTarget
    tokenizer: nn.Module

    def setup(self):
        super().setup()
        self.table = Embed(self.target.vocab_size, self.config.emb_dim, dtype=self.config.dtype)

    def __call__(self, features: dict[str, Array]) -> TargetSequence:
        pixels = features["pixels"]
        groups, items = pixels.shape[:2]
        flat_pixels = pixels.reshape(-1, *pixels.shape[2:])
        if self.is_initializing():
            self.tokenizer(flat_pixels)  # scoring needs only its encoder, but its decoder has parameters too
        codes = jax.lax.stop_gradient(self.tokenizer.encode(flat_pixels))
        tokens = (codes + CODE_OFFSET).reshape(groups, items, -1)
        inputs = jnp.pad(tokens, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
        positions = jnp.broadcast_to(jnp.arange(tokens.shape[-1]), tokens.shape)
        embeddings, angles = self.embed(inputs, positions)
        flat = lambda x: x.reshape(groups, -1, *x.shape[3:])  # noqa: E731
        return TargetSequence(
            flat(embeddings), flat(angles), flat(tokens), flat(masks.shown(features["hidden"]))
        )

    def embed(
        self, tokens: Int[Array, "*B"], positions: Int[Array, "*B"]
    ) -> tuple[Float[Array, "*B D"], Float[Array, "*B half"]]:
        """Embeds decoder inputs at their positions."""
        columns = self.target.rotary_columns
        angles = angles_2d(positions // columns, positions % columns, self.config.head_dim)
        return self.mark(self.table(tokens)), angles

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Scores every code and the two special tokens."""
        return self.table.attend(hidden)

    def render(self, tokens: Int[Array, "B L"]) -> Float[Array, "B H W C"]:
        """Turns generated tokens into the tokenizer's array; a token that is no code becomes the nearest code."""
        codes = jnp.clip(tokens - CODE_OFFSET, 0, self.tokenizer.config.codebook_size - 1)
        return self.tokenizer.decode(codes)
