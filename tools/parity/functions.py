"""Functions without weights: rotary tables, masks and patterns, and what decoding does to logits."""

import math
import re
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from parity.fixture import Compared, Fixture
from unified_io import structures
from unified_io.generation import constraints
from unified_io.generation.constraints import Constraint
from unified_io.generation.decode import guided
from unified_io.modalities.audio import AudioTarget
from unified_io.modalities.image import ImageTarget
from unified_io.nn import masks, rope
from unified_io.tokenizers.vit_vqgan import sincos_table
from unified_io.vocab import EOS, LLAMA_PIECES, Vocabulary

KEPT = 200  # of the new scores a fixture holds no more

_sparse = jax.jit(masks.sparse, static_argnums=2)


def rope_masks(fixture: Fixture) -> Iterator[Compared]:
    """Tables of angles, rotation, the fixed sine-cosine table, sparse patterns, padding and segments."""
    config, inputs = fixture.config, {name: jnp.asarray(value) for name, value in fixture.inputs.items()}
    for name, table in config["rope1d"].items():
        angles = rope.angles_1d(jnp.arange(table["length"]), table["head_dim"])
        yield Compared(f"rope1d/{name}", _cos_sin(angles))
    for name, table in config["rope2d"].items():
        height, width = (side // table["patch_size"] for side in table["input_size"])
        index = jnp.arange(height * width)
        rows, columns = (table["resolution"] * x for x in (index // width, index % width))
        yield Compared(f"rope2d/{name}", _cos_sin(rope.angles_2d(rows, columns, table["head_dim"])))
    angles = rope.angles_1d(inputs["rotary/pos_ids"], inputs["rotary/x"].shape[-1])
    yield Compared("rotary/table", _cos_sin(angles))
    yield Compared("rotary/out", rope.rotate(inputs["rotary/x"], angles))
    for name, table in config["sincos2d"].items():
        rows, columns = (
            side // patch for side, patch in zip(table["image_size"], table["patch_size"], strict=True)
        )
        yield Compared(f"sincos2d/{name}", sincos_table(rows, columns, table["emb_dim"]))
    for name, (height, width) in {**config["grids"], **config["packed_grids"]}.items():
        planes = dict(zip(("row", "col", "conv", "full"), _planes(height * width, width), strict=True))
        for kind, plane in planes.items():
            if f"pattern/{name}/{kind}" in fixture.outputs:
                yield Compared(f"pattern/{name}/{kind}", plane)
            if f"pattern_bits/{name}/{kind}" in fixture.outputs:
                yield Compared(f"pattern_bits/{name}/{kind}", np.packbits(plane, axis=-1))
    query, key = inputs["attention_mask/query"] > 0, inputs["attention_mask/key"] > 0
    yield Compared("attention_mask/out", masks.padding(query, key))
    real, ids = inputs["decoder_mask/mask"] > 0, inputs["decoder_mask/segments"]
    causal = masks.causal(real.shape[1])
    yield Compared("decoder_mask/causal", masks.padding(real, real) & causal)
    ids = jnp.where(real, ids + 1, 0)  # ours keep 0 for padding
    yield Compared("decoder_mask/segmented", masks.segments(ids, ids) & causal)


def attention_patterns(fixture: Fixture) -> Iterator[Compared]:
    """The patterns of the released targets, as they are and joined to the dynamic mask of denoising."""
    arrays = fixture.arrays("patterns.npz")
    for target in (ImageTarget(), AudioTarget()):
        length = arrays[f"{target.name}_base"].shape[-2]
        rows, columns = target.code_grid
        planes = _planes(length, math.isqrt(length * columns // rows))
        bits = np.packbits(planes, axis=-1)
        yield Compared(f"{target.name}_base", bits, expected=arrays[f"{target.name}_base"], tolerance=0)
        name = f"{target.name}_with_task_mask"
        shown = masks.denoising(jnp.asarray(arrays[f"{target.name}_task_mask"] > 0))
        bits = np.packbits(planes[None] & np.asarray(shown)[:, None], axis=-1)
        yield Compared(name, bits, expected=arrays[name], tolerance=0)


def logits_processors(fixture: Fixture) -> Iterator[Compared]:
    """Guidance, the localisation rule and the schedule of keypoints."""
    scores = fixture.inputs["guidance/scores"]
    step = guided(lambda state, ids, index: (jnp.asarray(scores), state), fixture.config["guidance_alpha"])
    both = np.tile(step(None, jnp.zeros(len(scores) // 2, jnp.int32), jnp.int32(0))[0], (2, 1))
    yield Compared("guidance/out", both)  # the port gives both halves the same
    for name in fixture.outputs:
        if name.endswith("/location_probability"):
            yield from _boxes(fixture, name.split("/")[0])
    yield from _keypoints(fixture)


def _boxes(fixture: Fixture, case: str) -> Iterator[Compared]:
    """Places are preferred where they are likely enough, and required first where a box is."""
    scores = jnp.asarray(fixture.inputs[f"{case}/scores"])
    ids = np.arange(scores.shape[-1])
    locations = Vocabulary(None, LLAMA_PIECES, len(ids)).is_location(ids)
    yield Compared(f"{case}/location_probability", [_turning_point(locations, scores)])
    for name in fixture.outputs:
        if found := re.fullmatch(rf"({re.escape(case)}/step(\d+)_req(\d+))_changed", name):
            rule = constraints.chain(
                constraints.prefer(locations, fixture.config["thresh"]),
                constraints.forbid_before(int(found[3]), EOS),
            )
            # their first step is 1: they count the start token
            yield from _step(found[1], rule, scores, int(found[2]) - 1)


def _keypoints(fixture: Fixture) -> Iterator[Compared]:
    """Two places and the name of a part, part by part."""
    scores = jnp.asarray(fixture.inputs["keypoints/scores"])
    if (tokenizer := fixture.beside("tokenizer")) is None:
        raise FileNotFoundError(f"the names of parts need the tokenizer fixture beside {fixture.folder.name}")
    vocabulary = Vocabulary(str(tokenizer / "tokenizer.model"), LLAMA_PIECES, scores.shape[-1])
    forced = [id for part in structures.COCO_PARTS for id in (-1, -1, *vocabulary.encode(part))] + [EOS]
    yield Compared("keypoints/forced", forced)
    ids = np.arange(vocabulary.size)
    allowed = [vocabulary.is_location(ids) if id < 0 else ids == id for id in forced]
    schedule = constraints.schedule(np.stack(allowed))
    for step in fixture.config["keypoint_steps"]:
        yield from _step(f"keypoints/step{step}", schedule, scores, step)


def _step(name: str, rule: Constraint, scores: Float[Array, "B V"], step: int) -> Iterator[Compared]:
    """What a fixture keeps of one step: the scores that changed, their first new values, the largest of a row.

    Ours are -inf where a token is forbidden. The port writes -10000 there; where one token is left it writes 1000,
    and 0 everywhere else.
    """
    ours = _apply(rule, scores, step)
    allowed = np.isfinite(ours)
    theirs = np.where(allowed, 1000.0, 0.0) if allowed.sum() == 1 else np.where(allowed, scores, -10000.0)
    changed = np.flatnonzero(theirs != np.asarray(scores))
    yield Compared(f"{name}_changed", changed)
    yield Compared(f"{name}_new", theirs.reshape(-1)[changed[:KEPT]])
    yield Compared(f"{name}_argmax", ours.argmax(axis=-1))


def _apply(rule: Constraint, scores: Float[Array, "B V"], step: int) -> Float[np.ndarray, "B V"]:
    unwritten = jnp.zeros((len(scores), 1), jnp.int32)  # none of these rules looks at what is written
    return np.asarray(rule(scores, jnp.int32(step), unwritten))


def _turning_point(members: Bool[np.ndarray, " V"], scores: Float[Array, "1 V"]) -> float:
    """Finds the threshold from which on `prefer` allows everything: the probability it compares with."""
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        preferred = not np.isfinite(_apply(constraints.prefer(members, middle), scores, 0)).all()
        low, high = (middle, high) if preferred else (low, middle)
    return high


def _planes(length: int, width: int) -> Bool[np.ndarray, "4 L L"]:
    """The three sparse patterns of a grid, and plain causal attention."""
    index = jnp.arange(length)
    return np.concatenate([_sparse(index, index, width), masks.causal(length)[None]])


def _cos_sin(angles: Float[Array, "*L half"]) -> Float[np.ndarray, "*L K"]:
    """Cosine and sine of every angle side by side, as the fixtures hold them."""
    table = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return table.reshape(*table.shape[:-2], -1)
