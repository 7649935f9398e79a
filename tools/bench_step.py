"""How long one step takes, and what it makes of the machine. Needs JAX, flax and optax only.

    python tools/bench_step.py --preset reduced            the work the official JAX code was timed on
    python tools/bench_step.py --preset large --dtype bfloat16 --remat full --rows 16      for a GPU
    python tools/bench_step.py --quick --json               seconds; the last line is one JSON object

Batches are synthetic and packed: every row is filled with real tokens up to `--fill`. A preset's parts are timed one
after the other, the first call apart from the repeats, each in a process of its own, so that its peak of memory is its
own.
"""

import argparse
import dataclasses
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, one_per_row
from unified_io.encoders.vit import VitConfig
from unified_io.loss import total_loss
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import Network, UnifiedIOConfig, parameter_shapes
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step
from unified_io.vocab import IdsOnly

TEXT_LENGTH, TEXT_IDS = 512, 33280
# Dense bfloat16 peaks of the makers' data sheets, FLOP/s.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


@dataclasses.dataclass(frozen=True)
class Preset:
    """Sizes of the backbone, and which parts of the step to time."""

    backbone: dict[str, int]
    parts: tuple[str, ...]
    rows: int = 2
    vit_layers: int = 11
    vqgan_channels: int = 128


def _sizes(width: int, heads: int, head_dim: int, mlp: int, layers: int) -> dict[str, int]:
    sizes = {"emb_dim": width, "num_heads": heads, "head_dim": head_dim, "mlp_dim": mlp}
    return {**sizes, "num_encoder_layers": layers, "num_decoder_layers": layers}


PARTS = ("encode", "forward", "gradients", "step")
PRESETS = {
    "reduced": Preset(_sizes(512, 8, 64, 2048, 6), PARTS),
    "large": Preset(_sizes(1024, 16, 64, 2816, 24), ("step",)),
    "quick": Preset(_sizes(64, 2, 32, 128, 2), PARTS, vit_layers=2, vqgan_channels=32),
}


def model_of(preset: Preset, dtype: str, remat: str, attention: str) -> UnifiedIOConfig:
    """Text and images, in and out: 512 + 576 places in, 512 + 1024 out."""
    vocabulary, vit = IdsOnly(None, 0, TEXT_IDS), VitConfig(num_layers=preset.vit_layers)
    return UnifiedIOConfig(
        BackboneConfig(**preset.backbone, dtype=dtype, remat=remat, attention_impl=attention),
        (TextInput(vocabulary, TEXT_LENGTH), ImageInput(vit=vit, position_scale=4 / 3)),
        (TextTarget(vocabulary, TEXT_LENGTH), ImageTarget(vqgan=VQGANConfig(channels=preset.vqgan_channels))),
    )


def full_batch(config: UnifiedIOConfig, rows: int, fill: float, seed: int = 0) -> tuple[dict[str, Any], int]:
    """Returns a batch whose rows are real up to a part `fill` of their text, and its number of real tokens."""
    rng = np.random.default_rng(seed)
    words = max(2, round(TEXT_LENGTH * fill))
    image_in, image_out = config.inputs[1], config.targets[1]

    def text() -> dict[str, np.ndarray]:
        return {
            "tokens": rng.integers(3, TEXT_IDS, words, dtype=np.int32),
            "positions": np.arange(words, dtype=np.int32),
        }

    def example() -> dict[str, Any]:
        target = text()
        target |= {"inputs": np.roll(target["tokens"], 1), "streams": np.zeros(words, np.int32)}
        patches = image_in.empty(1)
        patches["patches"] = rng.standard_normal(patches["patches"].shape, np.float32)
        patches["mask"][:] = True
        patches["positions"][:] = np.arange(image_in.slot_size)
        pixels = rng.uniform(-1, 1, (256, 256, 3)).astype(np.float32)
        return {
            "inputs": {"text": text(), "image": patches},
            "targets": {"text": target, "image": image_out.item(pixels, np.ones((256, 256), bool))},
        }

    examples = [example() for _ in range(rows)]
    lengths = [measure(x, config.inputs, config.targets) for x in examples]
    budgets = Budgets(
        rows,
        TEXT_LENGTH + image_in.slot_size,
        TEXT_LENGTH + image_out.slot_size,
        {"text": rows * TEXT_LENGTH, "image": rows},
        {"text": rows * TEXT_LENGTH, "image": rows},
    )
    batch = assemble(examples, one_per_row(lengths, budgets), config.inputs, config.targets)
    return batch, sum(x.encoder + x.decoder for x in lengths)


def random_params(config: UnifiedIOConfig) -> Any:
    """Draws parameters fast: normal with deviation 0.02, norm scales 1."""
    import flax.linen as nn

    rng = np.random.default_rng(0)

    def draw(name: str, leaf: Any) -> jax.Array:
        if name.endswith("scale"):
            return jnp.ones(leaf.shape, leaf.dtype)
        return jnp.asarray(rng.standard_normal(leaf.shape, np.float32) * np.float32(0.02))

    return pytree.map_named(draw, nn.meta.unbox(parameter_shapes(config)))


def work(config: UnifiedIOConfig, part: str, batch: dict[str, Any]) -> Callable[[], Any]:
    """Returns a function that does one call of a part and waits for it."""
    network, params = Network(config), random_params(config)

    def loss_fn(params: Any, batch: Any, rng: Any = None) -> tuple[Any, Any]:
        return total_loss(network.apply({"params": params}, batch))

    if part == "encode":
        run = jax.jit(lambda params, batch: network.apply({"params": params}, batch, method="encode"))
        return lambda: jax.block_until_ready(run(params, batch))
    if part == "forward":
        run = jax.jit(loss_fn)
        return lambda: jax.block_until_ready(run(params, batch))
    if part == "gradients":
        run = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
        return lambda: jax.block_until_ready(run(params, batch))
    frozen = ("^shared_image_encoder/", "/tokenizer/")
    settings = OptimizerConfig("adafactor", ScheduleConfig("constant", base=1e-3), b1=0.9, frozen=frozen)
    optimizer = optimizers.build(settings, params)
    step = make_train_step(loss_fn, optimizer, seed=0)
    state = [TrainState.create(params, optimizer)]

    def once() -> Any:
        state[0], metrics = step(state[0], batch)
        return jax.block_until_ready(metrics)

    return once


def step_flops(config: UnifiedIOConfig, batch: dict[str, Any]) -> float:
    """Useful FLOPs of one training step: products with matrices and attention over real tokens, backward twice forward.

    The frozen image encoder and tokenizer count forward only; recomputation counts nothing.
    """
    b = config.backbone
    per_layer = 4 * b.emb_dim * b.num_heads * b.head_dim + 3 * b.emb_dim * b.mlp_dim
    sources = (np.asarray(batch["encoder"]["segment_ids"]) > 0).sum(axis=-1).reshape(-1).astype(float)
    targets = (np.asarray(batch["decoder"]["segment_ids"]) > 0).sum(axis=-1).reshape(-1).astype(float)
    heads = b.num_heads * b.head_dim
    encoder = b.num_encoder_layers * (2 * per_layer * sources + 4 * heads * sources**2)
    cross = 2 * (2 * b.emb_dim * heads * (targets + sources)) + 4 * heads * targets * sources
    decoder = b.num_decoder_layers * (2 * per_layer * targets + 2 * heads * targets**2 + cross)
    logits = sum(
        2 * b.emb_dim * size * float((np.asarray(batch["heads"][name]["weights"]) > 0).sum())
        for name, size in (("text", TEXT_IDS), ("image", config.targets[1].vocab_size))
    )
    trained = float(encoder.sum() + decoder.sum()) + logits
    vit = config.inputs[1].vit
    images, patches = batch["inputs"]["image"]["mask"].shape[1:]
    per_block = 2 * patches * (4 * vit.width**2 + 2 * vit.width * vit.mlp_dim) + 4 * vit.width * patches**2
    return 3 * trained + images * vit.num_layers * per_block


def measure_part(args: argparse.Namespace) -> dict[str, float]:
    """Times one part in this process."""
    preset = PRESETS[args.preset]
    config = model_of(preset, args.dtype, args.remat, args.attention)
    batch, tokens = full_batch(config, args.rows or preset.rows, args.fill)
    before = memory()
    call = work(config, args.part, batch)
    first = timed(call)
    walls, cpus = zip(*(timed(call) for _ in range(args.repeats)), strict=True)
    wall = float(np.median(walls))
    result = {
        "first_s": first[0],
        "wall_s": wall,
        "cpu_s": float(np.median(cpus)),
        "peak_gb": (peak_memory() or before) / 1e9,
        "tokens_per_s": tokens / wall,
    }
    if args.part == "step":
        flops = step_flops(config, batch)
        kind = jax.devices()[0].device_kind
        result["useful_tflops_per_s"] = flops / wall / 1e12
        peak = next((value for name, value in PEAKS.items() if name in kind), None)
        if peak and args.dtype == "bfloat16":
            result["useful_mfu"] = flops / wall / peak
    return result


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def memory() -> int:
    """Memory of this process now, bytes."""
    status = Path("/proc/self/status")
    return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) * 1024 if status.is_file() else 0


def peak_memory() -> int:
    """Peak memory: of the accelerator where there is one, else of this process, bytes."""
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_process(args: argparse.Namespace, part: str) -> dict[str, float]:
    """Times one part in a process of its own."""
    given = [
        "--preset",
        args.preset,
        "--dtype",
        args.dtype,
        "--remat",
        args.remat,
        "--attention",
        args.attention,
    ]
    given += [
        "--repeats",
        str(args.repeats),
        "--fill",
        str(args.fill),
        "--rows",
        str(args.rows),
        "--part",
        part,
    ]
    done = subprocess.run([sys.executable, __file__, *given], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": math.nan, "why": done.stderr.strip().splitlines()[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Prints a line a part; with --json the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="reduced")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--remat", choices=("none", "full"), default="none")
    parser.add_argument("--attention", choices=("xla", "chunked"), default="xla")
    parser.add_argument("--rows", type=int, default=0, help="rows of the batch; 0 takes the preset's")
    parser.add_argument("--fill", type=float, default=1.0, help="part of the text places that are real")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", help="time this part only, in this process")
    parser.add_argument("--quick", action="store_true", help="a tiny model, seconds")
    parser.add_argument("--json", action="store_true", help="last line one JSON object")
    args = parser.parse_args()
    if args.quick:
        args.preset, args.repeats = "quick", 1
    if args.part:
        print(json.dumps(measure_part(args)))
        return
    where = f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, jax {jax.__version__}"
    print(f"{args.preset}: {args.dtype}, remat {args.remat}, attention {args.attention}; {where}")
    results = {part: in_process(args, part) for part in PRESETS[args.preset].parts}
    for part, result in results.items():
        numbers = "  ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in result.items()
        )
        print(f"{part:10} {numbers}")
    if args.json:
        print(json.dumps({"preset": args.preset, "where": where, **results}))


if __name__ == "__main__":
    main()
