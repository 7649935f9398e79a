"""Writes our own fixtures, in the layout of the official ones, with the numbers of the NumPy reference.

python tools/make_golden.py OUT [NAME ...]

OUT/NAME gets config.json, weights.safetensors, inputs.npz, outputs.npz and tolerances.json; what there is already is
overwritten. Outputs are computed in float64; how far the same formulas are off in float32 is the noise floor. The same
command writes the same files wherever it runs, up to that noise.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests")]

from reference import fixtures, shapes  # noqa: E402
from reference.part_fixtures import Outputs  # noqa: E402
from reference.recipes import RECIPES, Recipe  # noqa: E402

# Weights are multiples of this, so that git compresses them; the convolutions, which are the bulk, of the larger.
STEP, CONVOLUTION_STEP = 1 / 256, 1 / 32
# Below this a different choice of code or token would be float noise.
LEAST_MARGIN = 1e-3
LEAST_VARIETY = 4
ATTEMPTS = 900
END = 1

Arrays = Mapping[str, np.ndarray]


def main() -> int:
    """Writes the fixtures that were asked for, all unless named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the fixtures")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; all unless given")
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - set(RECIPES)):
        parser.error(f"no fixture {unknown[0]!r}; there are {', '.join(RECIPES)}")
    for name in args.names or RECIPES:
        write(args.out / name, RECIPES[name])
    return 0


def write(folder: Path, recipe: Recipe) -> None:
    """Makes one fixture; takes the first seed from the recipe's on that leaves no choice to float noise."""
    for seed in range(recipe.seed, recipe.seed + ATTEMPTS):
        drawing, showing = np.random.default_rng(seed).spawn(2)
        config = {
            "fixture": recipe.kind,
            "set": "own",
            **recipe.more,
            "config": recipe.config,
            "cases": recipe.cases,
            "seed": seed,
        }
        inputs = recipe.inputs(showing, recipe.config, recipe.cases)
        tensors = weights(drawing, shapes.of_fixture(config, inputs))
        outputs = fixtures.compute(config, tensors, inputs)
        in_float32 = fixtures.compute(config, tensors, inputs, np.float32)
        if is_clear(outputs) and same_choices(outputs, in_float32):
            break
    else:
        raise SystemExit(
            f"make_golden: {folder.name}: every draw leaves some choice to float noise; change its sizes"
        )
    outputs = {name: output for name, output in outputs.items() if re.fullmatch(recipe.keep, name)}
    folder.mkdir(parents=True, exist_ok=True)
    _json(folder / "config.json", config)
    save_file(tensors, folder / "weights.safetensors")
    np.savez_compressed(folder / "inputs.npz", **inputs)
    np.savez_compressed(folder / "outputs.npz", **{name: _single(o.value) for name, o in outputs.items()})
    _json(
        folder / "tolerances.json",
        {n: noise(n, o, in_float32) for n, o in outputs.items() if _is_float(o.value)},
    )
    (folder / "README.md").write_text(
        f"Our own fixture of kind `{recipe.kind}`: numbers of `tests/reference`, written by `tools/make_golden.py`.\n"
        "Weights and inputs are drawn by the two children of NumPy's `default_rng(seed)`; `seed` is in config.json.\n",
        encoding="utf-8",
    )
    print(f"{folder.name}  {len(outputs)} arrays  {sum(p.stat().st_size for p in folder.iterdir())} bytes")


def weights(rng: np.random.Generator, named: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Draws weights such that every one of them matters and activations stay near 1."""
    tensors = {}
    for name, shape in named.items():
        step = CONVOLUTION_STEP if len(shape) == 4 else STEP
        tensors[name] = (np.round(_draw(rng, name, shape) / step) * step).astype(np.float32)
    return tensors


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    value = rng.normal(size=shape)
    *_, module, leaf = ["", *name.split(".")]
    if leaf == "weight_g":
        return 1 + 0.5 * np.tanh(value)
    if leaf == "logit_scale":  # from soft to beyond the largest that counts
        return np.linspace(np.log(150.0), 1.0, *shape)
    if leaf == "scale" or (leaf == "weight" and value.ndim == 1):
        return 1 + 0.3 * value
    if "bias" in leaf or leaf == "modality_embedding":
        return 0.3 * value
    if module == "embedding" and "quantize" in name or leaf == "latents":
        return value
    if module.endswith("_embedder"):  # larger ones would have every token followed by itself
        return 0.4 * value
    if leaf in ("positional_embedding", "class_embedding", "cls_token", "dist_token"):
        return 0.6 * value
    return value / np.sqrt(np.prod(shape[1:]))


def is_clear(outputs: Outputs) -> bool:
    """Whether all codes and tokens are the best by far, and what is written is worth reading.

    Images and sounds never end before their time and have several tokens; of the texts some end early, some do not.
    """
    margins = [o.value for name, o in outputs.items() if name.endswith("margin")]
    if any(np.min(margin) < LEAST_MARGIN for margin in margins):
        return False
    tokens = {name.split("/")[0]: o.value for name, o in outputs.items() if name.endswith("/tokens")}
    if not tokens:
        return True
    ended = (tokens.pop("text")[:, :-1] == END).any(axis=1)
    lasting = not any((value == END).any() for value in tokens.values())
    varied = all(len(np.unique(value)) >= LEAST_VARIETY for value in tokens.values())
    return bool(ended.any() and not ended.all() and lasting and varied)


def same_choices(outputs: Outputs, in_float32: Outputs) -> bool:
    """Whether whole numbers came out alike."""
    whole = [name for name, output in outputs.items() if not _is_float(output.value)]
    return all(np.array_equal(outputs[name].value, in_float32[name].value) for name in whole)


def noise(name: str, output: Any, in_float32: Outputs) -> dict[str, Any]:
    """How far float32 is from float64 where it means something, and how large the values are there."""
    value, single = (np.asarray(x, np.float64) for x in (output.value, in_float32[name].value))
    if output.real is not None:
        value, single = value[output.real], single[output.real]
    return {
        "f32_vs_f64_max_abs": float(np.max(np.abs(value - single), initial=0.0)),
        "max_abs_value": float(np.max(np.abs(value), initial=0.0)),
        "rms": float(np.sqrt(np.mean(value**2))),
        "masked": output.real is not None,
    }


def _is_float(value: Any) -> bool:
    return np.issubdtype(np.asarray(value).dtype, np.floating)


def _single(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32) if _is_float(value) else np.asarray(value)


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
