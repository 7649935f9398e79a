"""How fast a model writes, and what it makes of the machine. Needs JAX and flax only.

    python tools/bench_generate.py                      widths of the base model, 4 + 4 layers
    python tools/bench_generate.py --preset reduced     the work the official JAX code was timed on
    python tools/bench_generate.py --quick --json       pictures only, under a minute; the last line is one JSON object

Parameters are random and inputs synthetic: 512 words and a picture a row; answers are 1,024 tokens of a picture, 512 of
text, and 512 of a sound (not in `reduced`, which has none). Prefill is the encoder and the keys and
values it leaves for the decoder; decode is what a token takes half-way through the answer, where the cache grows.

of_bandwidth = bytes that a step has to read / (seconds x bytes a second that this process can read): the weights of the
decoder and of the head once, keys and values of real tokens of every row. of_matmul = operations of a step / (seconds x
operations a second of a large product): two for each weight and row, and for attention over real tokens. Both bounds
are measured in the same process just before; of_bound is the share of what the nearer of the two allows, for a step
that reads much and computes little can not come near the other.

A whole picture is timed with its pixels, and beside it the first 128 and 384 tokens of one, from the inputs on;
marginal is what a token takes between these. naive is the loop without a cache: encoder and decoder over all places
again for every token. It is timed for a few tokens, all of which take as long.

JSON: `batch1_of_bandwidth`, `batch16_of_matmul`, `image_over_naive`, `recompiles` (programs compiled by second calls),
and under `rows` what was measured.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import numpy as np
from bench import bounds, model
from bench.clock import where
from bench.presets import PRESETS, Preset, sizes

from unified_io.api.compiled import compiled, rooms
from unified_io.api.rows import lay_out
from unified_io.encoders.vit import VitConfig
from unified_io.generation.sampling import Sampler
from unified_io.modalities.audio import AudioTarget
from unified_io.model import UnifiedIOConfig
from unified_io.pytree import named_leaves
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig

BATCHES = (1, 4, 16)
SMALL_VIT = VitConfig(width=192, num_heads=3, num_layers=3, mlp_dim=768)
GENERATING = {
    "base": dataclasses.replace(PRESETS["quick"], backbone=sizes(768, 12, 64, 2048, 4), vit=SMALL_VIT),
    "reduced": PRESETS["reduced"],
    "quick": PRESETS["quick"],
}
# Sounds are spoken by the base model's number of codes; what turns codes into sound is no part of a step.
SOUND = AudioTarget(vit_vqgan=ViTVQGANConfig(width=64, num_heads=1, num_layers=1, mlp_dim=128))
SAMPLER = Sampler(temperature=1.0, top_p=0.95)
SOME = 256  # tokens, half of them before the cache grows


class Writer:
    """A model and some rows of inputs, one target to write.

    Args:
      config: The model.
      params: Its parameters.
      target: What to write.
      rows: How many answers at once.
      words: Of each prompt.
    """

    def __init__(self, config: UnifiedIOConfig, params: Any, target: str, rows: int, words: int):
        self.target, self.rows, self.length = config.target(target), rows, config.target(target).length
        self._params = params
        self.config = dataclasses.replace(config, targets=(self.target,))
        picture = np.random.default_rng(0).random((384, 384, 3), np.float32)
        fields = {"text_inputs": str(words), "image_inputs": picture}
        self.batch = lay_out(self.config, [fields] * rows)
        self._functions = compiled(self.config)
        self._places = np.stack([np.arange(rows), np.zeros(rows)], axis=1).astype(np.int32)

    def begin(self, at: int = 0) -> Any:
        """Encodes the inputs. Tokens before place `at` stay unwritten: what is in them is nothing to the time."""
        begun = self._functions.begin(
            self._params,
            self.batch,
            np.arange(self.rows, dtype=np.int32),
            np.uint32(0),
            self._places,
            length=self.length,
            room=next(room for room in rooms(self.length) if room > at),
        )
        return begun._replace(index=np.int32(at)) if at else begun

    def write(self, writing: Any, tokens: int) -> Any:
        """Writes so many tokens more in every row."""
        form = {"target": self.target.name, "constraint": None}
        return self._functions.extend(self._params, writing, None, SAMPLER, tokens, **form)

    def render(self, writing: Any) -> Any:
        """Turns all tokens into pixels."""
        return self._functions.render(self._params, writing.tokens, target=self.target.name)

    def step_work(self) -> tuple[float, float]:
        """Bytes that a step has to read, and operations that it computes, half-way through the answer."""
        backbone, rows = self.config.backbone, self.rows
        leaves = named_leaves(model.shapes(self.config))
        # Keys and values of the encoded tokens are there already.
        done = ("encoder_decoder_attention/key/", "encoder_decoder_attention/value/")
        used = {n: x for n, x in leaves.items() if n.startswith("decoder/") and not any(d in n for d in done)}
        weights = sum(leaf.size for leaf in used.values())
        head = _head(self.target, backbone)
        real = int((self.batch["encoder"]["segment_ids"][0, 0] > 0).sum()) + self.length // 2
        kept = 2 * backbone.num_decoder_layers * backbone.num_heads * backbone.head_dim * real
        size = np.dtype(backbone.dtype).itemsize
        return size * (weights + head + rows * kept), 2 * rows * (weights + head + kept)


def _head(target: Any, backbone: Any) -> int:
    rows = target.vocabulary.size if hasattr(target, "vocabulary") else target.vocab_size
    return rows * backbone.emb_dim


def measure(
    config: UnifiedIOConfig, params: Any, target: str, rows: int, words: int, repeats: int
) -> dict[str, Any]:
    """Times prefill and decoding of one target in one batch."""
    writer = Writer(config, params, target, rows, words)
    at = writer.length // 2 - SOME // 2
    first, prefill, step = np.inf, np.inf, np.inf
    for repeat in range(repeats + 1):
        begun = time.perf_counter()
        writing = jax.block_until_ready(writer.begin(at))
        encoded = time.perf_counter()
        jax.block_until_ready(writer.write(writing, SOME))
        ended = time.perf_counter()
        if repeat == 0:
            first = ended - begun
        else:
            prefill, step = min(prefill, encoded - begun), min(step, (ended - encoded) / SOME)
    bytes_read, operations = writer.step_work()
    return {
        "target": target,
        "batch": rows,
        "first_s": first,
        "prefill_s": prefill,
        "prefill_tokens_per_s": rows
        * int((writer.batch["encoder"]["segment_ids"][0, 0] > 0).sum())
        / prefill,
        "decode_tokens_per_s": rows / step,
        "of_bandwidth": (read := bytes_read / bounds.bandwidth()) / step,
        "of_matmul": (computed := operations / bounds.products()) / step,
        "of_bound": max(read, computed) / step,
    }


def whole(config: UnifiedIOConfig, params: Any, words: int, repeats: int) -> dict[str, Any]:
    """Times a whole picture, pixels included, beside the loop without a cache."""
    writer = Writer(config, params, "image", 1, words)
    call = lambda: writer.render(writer.write(writer.begin(), writer.length))  # noqa: E731
    jax.block_until_ready(call())
    seconds = min(_seconds(call) for _ in range(repeats))
    begun = {
        n: min(_seconds(lambda n=n: writer.write(writer.begin(), n)) for _ in range(repeats))
        for n in (128, 384)
    }
    naive = _naive(writer, params)
    return {
        "target": "image",
        "tokens": writer.length,
        "first_128_s": begun[128],
        "first_384_s": begun[384],
        "marginal_tokens_per_s": (384 - 128) / (begun[384] - begun[128]),
        "whole_s": seconds,
        "naive_s": naive * writer.length,
        "over_naive": naive * writer.length / seconds,
    }


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begun


def _naive(writer: Writer, params: Any) -> float:
    """Seconds of one token by a loop that computes all of the encoder and decoder anew."""
    network = compiled(writer.config)._network
    tokens = np.zeros((1, writer.length), np.int32)

    def one(params: Any, batch: Any, tokens: Any) -> Any:
        def forward(net: Any) -> Any:
            encoded = net.encode(batch)
            positions = np.arange(writer.length)[None]
            embedder = net.target_embedders["image"]
            y, angles = embedder.embed(tokens, positions)
            hidden = net.decoder(
                y,
                encoded.hidden,
                self_mask=np.tril(np.ones((writer.length, writer.length), bool))[None, None],
                cross_mask=(encoded.segment_ids > 0)[:, None, None],
                angles=angles,
                encoded_angles=encoded.angles,
            )
            return embedder.logits(hidden[:, writer.length // 2])

        return network.apply({"params": params}, method=forward)

    run = jax.jit(one)
    return bounds.fastest(lambda: run(params, writer.batch, tokens), 2.0)


def main() -> None:
    """Prints a line a measurement; with --json the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=GENERATING, default="base")
    parser.add_argument("--words", type=int, default=512, help="of each prompt")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tiny model, under a minute")
    parser.add_argument("--json", action="store_true", help="last line one JSON object")
    args = parser.parse_args()
    batches = {name: BATCHES if args.preset != "reduced" else (1,) for name in ("text", "image", "audio")}
    if args.quick:
        args.preset, args.repeats = "quick", 1
        batches = {"text": (), "image": (1, 16), "audio": ()}
    preset: Preset = GENERATING[args.preset]
    config = preset.model(dtype="float32", remat="none", attention="xla")
    if args.preset != "reduced":
        config = dataclasses.replace(config, targets=(*config.targets, SOUND))
    params = model.random_params(model.shapes(config), seed=0)
    about = {"preset": args.preset, "where": where("jax", "jaxlib", "flax", "numpy")}
    about |= {"bandwidth_gb_per_s": bounds.bandwidth() / 1e9, "matmul_gflop_per_s": bounds.products() / 1e9}
    print(", ".join(f"{key}: {value}" for key, value in about.items()), flush=True)
    compilations = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if "backend_compile" in event else None
    )
    rows = []
    for target in config.targets:
        for batch in batches[target.name]:
            rows.append(_told(measure(config, params, target.name, batch, args.words, args.repeats)))
    rows.append(_told(whole(config, params, args.words, args.repeats)))
    before = len(compilations)
    writer = Writer(config, params, "image", 1, args.words)
    jax.block_until_ready(writer.render(writer.write(writer.begin(), writer.length)))
    images = {row.get("batch"): row for row in rows if row["target"] == "image"}
    summary = {
        "batch1_of_bandwidth": images[1]["of_bandwidth"],
        "batch16_of_matmul": images.get(16, {}).get("of_matmul"),
        "image_over_naive": rows[-1]["over_naive"],
        "recompiles": len(compilations) - before,
    }
    print(", ".join(f"{key}: {value}" for key, value in summary.items()), flush=True)
    if args.json:
        print(json.dumps(summary | about | {"rows": rows}))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    print(
        "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True
    )
    return row


if __name__ == "__main__":
    main()
