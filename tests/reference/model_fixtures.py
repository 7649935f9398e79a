"""Everything a fixture of the whole network holds: the encoder's path, the training forward, generation."""

import numpy as np

from reference import generation, targets
from reference.inputs import ORDER, frame_angles, grid_of, media_angles
from reference.model import Arrays, Model, encode, score
from reference.part_fixtures import Config, Output, Outputs
from reference.rotary import angles_1d, side_by_side
from reference.weights import Trace, Weights


def _chosen(arrays: Arrays, prefix: str, names: tuple[str, ...] | list[str] = ORDER) -> dict[str, np.ndarray]:
    found = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    return {key: value for key, value in found.items() if key.split("/")[0] in names}


def encoder(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """The embedders, their row, the encoder."""
    model = Model(config["config"], w)
    found = {f"rope/pos_cache/{name}": Output(table) for name, table in _position_tables(model).items()}
    for case, names in config["cases"].items():
        features = _chosen(inputs, "inputs/", names)
        seen = Trace()
        encoded = encode(model, features, seen)
        for name, value in seen.values.items():
            found[f"{case}/{name}"] = Output(value, _real(name, value, features, seen, encoded.mask))
    return found


def _real(
    name: str, value: np.ndarray, features: Arrays, seen: Trace, whole: np.ndarray
) -> np.ndarray | None:
    """Which places of an array on the encoder's path mean something."""
    path = name.split("/")
    if path[-1] in ("mask", "position_embed"):
        return None
    if path[0] == "embed":
        return seen[f"embed/{path[1]}/mask"] > 0
    if path[0] == "vit":
        mask = features[f"{path[1]}{'_history' if name.endswith('__call2') else ''}/mask"]
        return mask.reshape(-1, mask.shape[-1]) > 0
    return whole if value.shape[:2] == whole.shape else None


def _position_tables(model: Model) -> dict[str, np.ndarray]:
    """All places that an input can have, turned into cosines and sines."""
    t5, dtype = model.config["t5_config"], model.w.dtype
    places = np.arange(t5["encoder_max_text_length"]).astype(dtype)
    found = {"text": side_by_side(angles_1d(places, t5["head_dim"]))}
    for kind in ("image", "audio"):
        places = np.arange(np.prod(grid_of(model.config, kind))).astype(dtype)
        found[kind] = side_by_side(media_angles(model.config, kind, places))
        history = model.config[f"{kind}_history_cfg"]
        frames, latents = history["max_frames"], history["latents_size"]
        table = side_by_side(frame_angles(frames, latents, t5["head_dim"], dtype))
        found[f"{kind}_history"] = table.reshape(frames, latents, -1)
    return found


def full_forward(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """Logits, targets and losses, and what the decoder went through on its way to them."""
    model = Model(config["config"], w)
    found = {}
    for case, setting in config["cases"].items():
        seen = Trace()
        features = _chosen(inputs, "inputs/", setting["inputs"])
        score(model, features, _chosen(inputs, "targets/"), setting["targets"], seen)
        real = seen["target_seq/mask"] > 0
        for name, value in seen.values.items():
            found[f"{case}/{name}"] = Output(value, _target_real(name, value, inputs, seen, real))
    return found


def _target_real(
    name: str, value: np.ndarray, inputs: Arrays, seen: Trace, real: np.ndarray
) -> np.ndarray | None:
    path = name.split("/")
    if path[0] in ("encoder", "seq", "embed", "vit"):
        whole = seen["seq/mask"] > 0
        return whole if value.shape[:2] == whole.shape and path[0] == "encoder" else None
    if path[0] == "decoder":
        return real if value.shape[:2] == real.shape else None
    if path[0] in targets.ORDER and path[1] in ("logits", "nll"):
        return inputs[f"targets/{path[0]}/mask"] > 0
    return None


def decode(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """Text, an image and a sound written greedily; an image with guidance; answers scored."""
    model, cases = Model(config["config"], w), config["cases"]
    found = {}
    for name in targets.ORDER:
        seen = Trace()
        features = _chosen(inputs, f"{name}_case/inputs/")
        generation.write(model, name, features, cases[f"{name}_steps"], seen)
        real = {"encoder_out": seen["encoder_mask"] > 0}
        found |= {f"{name}/{key}": Output(value, real.get(key)) for key, value in seen.values.items()}
    prompts = [
        encode(model, _chosen(inputs, f"{prompt}/inputs/"), Trace()) for prompt in ("guided_case", "neg")
    ]
    step = generation.guided(model, "image", *prompts, cases["guidance_scale"])
    tokens, scores = generation.greedy(step, len(prompts[0].embed), cases["image_steps"], may_end=False)
    at = {"tokens": tokens, "scores": scores, "margin": generation.margin(scores)}
    found |= {f"image_guided/{key}": Output(value) for key, value in at.items()}
    options = inputs["answers/options"]
    costs = generation.answer_costs(model, _chosen(inputs, "text_case/inputs/"), options).sum(axis=1)
    found["answers/sum_nll"] = Output(costs)
    found["answers/mean_nll"] = Output(costs / (options > 0).sum(axis=1))
    return found
