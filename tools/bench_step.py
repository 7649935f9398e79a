"""How long one step takes, and what it makes of the machine. Needs JAX, flax and optax only.

    python tools/bench_step.py --preset reduced            the work the official JAX code was timed on
    python tools/bench_step.py --preset large --dtype bfloat16 --remat full      for a GPU
    python tools/bench_step.py --depth                      what 24 + 24 layers take to compile, beside 2 + 2
    python tools/bench_step.py --quick --json               seconds; the last line is one JSON object

Batches are synthetic. `reduced` fills every place of two rows, as the reference timing asks; the others pack examples
of drawn lengths, several a row (`bench/batches.py`). A preset's parts are timed one after the other, the first call
apart from the repeats, each in a process of its own, so that its peak of memory is its own.

useful_mfu of a whole step = useful operations / (median seconds x peak of the device in bfloat16). Useful is what
real tokens and real media ask for, attention only within an example and only where no mask hides it; nothing is added
for padding or recomputation. `unified_io.flops.FORMULA` has the formula. Where it can not be known it is null, and
`why_no_mfu` says why.

JSON: `preset`, `where`, `dtype`, `remat`, `attention`, `lengths`, and for every part what `measure` returns, or
{"failed": why}. With --depth: `where`, `remat`, `attention`, `layers` (what `measure_depth` returns, medians, for "2"
and "24"), `compile_ratio` and `first_ratio`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jax
import numpy as np
from bench import batches, memory, model
from bench.clock import timed, where
from bench.parts import loss_of, part
from bench.presets import PRESETS, deep

from unified_io.flops import StepFlops
from unified_io.nn.attention import IMPLEMENTATIONS
from unified_io.nn.transformer import REMAT
from unified_io.train.peaks import peak_flops

DEPTHS = (2, 24)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Times one part of a step in this process."""
    preset = PRESETS[args.preset]
    config = preset.model(dtype=args.dtype, remat=args.remat, attention=args.attention)
    made = batches.make(args.lengths or preset.lengths, config, args.rows or preset.rows, args.seed)
    call = part(args.part, config, made.batch)
    first, _ = timed(call)
    walls, cpus = zip(*(timed(call)[0] for _ in range(args.repeats)), strict=True)
    wall = float(np.median(walls))
    result = {
        "device": jax.devices()[0].device_kind,
        "rows": args.rows or preset.rows,
        "examples": made.examples,
        "fill_encoder": made.fill_encoder,
        "fill_decoder": made.fill_decoder,
        "first_s": first.wall,
        "wall_s": wall,
        "cpu_s": float(np.median(cpus)),
        "peak_gb": memory.peak() / 1e9,
        "tokens_per_s": made.tokens / wall,
    }
    if args.part != "step":
        return result
    speed = sum(StepFlops(config).useful_in(made.batch).values()) / wall
    peak, why = peak_flops(result["device"], args.dtype)
    used = (
        {"useful_mfu": None, "why_no_mfu": why}
        if peak is None
        else {"useful_mfu": speed / peak, "why_no_mfu": None}
    )
    return result | {"useful_tflops_per_s": speed / 1e12} | used


def measure_depth(args: argparse.Namespace) -> dict[str, Any]:
    """Traces, compiles and calls loss and gradients of `args.part` + `args.part` scanned layers in this process."""
    config = deep(int(args.part), dtype=args.dtype, remat=args.remat, attention=args.attention)
    batch = batches.make("full", config, rows=2, seed=args.seed).batch
    params = model.random_params(model.shapes(config), args.seed)
    function = jax.jit(jax.value_and_grad(loss_of(config), has_aux=True))
    tracing, lowered = timed(lambda: function.lower(params, batch))
    compiling, program = timed(lowered.compile)
    running, _ = timed(lambda: jax.block_until_ready(program(params, batch)))
    return {
        "device": jax.devices()[0].device_kind,
        "operations": lowered.as_text().count("stablehlo."),
        "trace_s": tracing.wall,
        "compile_s": compiling.wall,
        "compile_cpu_s": compiling.cpu,
        "first_s": tracing.wall + compiling.wall + running.wall,
    }


def in_process(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Measures one part, or one depth, in a process of its own. This one never touches the device: there is but one."""
    options = vars(args) | {"part": name}
    flags = [f"--{key}" for key, value in options.items() if value is True]
    given = [f"--{key}={value}" for key, value in options.items() if not isinstance(value, bool | None)]
    command = [sys.executable, __file__, *flags, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"failed": said[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def compare_depths(args: argparse.Namespace) -> dict[str, Any]:
    """Measures every depth in turn, `args.repeats` times; medians, and the deep model's over the shallow one's."""
    runs: dict[int, list[dict[str, Any]]] = {layers: [] for layers in DEPTHS}
    for _ in range(args.repeats):
        for layers in DEPTHS:
            runs[layers].append(in_process(args, str(layers)))
            if failed := runs[layers][-1].get("failed"):
                sys.exit(f"{layers} + {layers} layers failed: {failed}")
    layers = {
        str(number): {
            key: value if isinstance(value, str) else float(np.median([one[key] for one in results]))
            for key, value in results[0].items()
        }
        for number, results in runs.items()
    }
    shallow, deep_ = (layers[str(number)] for number in DEPTHS)
    ratios = {f"{key}_ratio": deep_[f"{key}_s"] / shallow[f"{key}_s"] for key in ("compile", "first")}
    return {"layers": layers, **ratios}


def show(name: str, result: dict[str, Any]) -> None:
    """Prints a line of what was measured."""
    numbers = (
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in result.items()
    )
    print(f"{name:10} {'  '.join(numbers)}", flush=True)


def main() -> None:
    """Prints a line a part; with --json the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="reduced")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--remat", choices=REMAT, default="none")
    parser.add_argument("--attention", choices=IMPLEMENTATIONS, default="xla")
    parser.add_argument("--rows", type=int, default=0, help="rows of the batch; 0 takes the preset's")
    parser.add_argument("--lengths", choices=batches.LENGTHS, help="of examples; the preset's unless given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", help="measure this part, or number of layers, only, in this process")
    parser.add_argument(
        "--depth", action="store_true", help="compare what deep and shallow models take to compile"
    )
    parser.add_argument("--quick", action="store_true", help="a tiny model, seconds")
    parser.add_argument("--json", action="store_true", help="last line one JSON object")
    args = parser.parse_args()
    if args.quick:
        args.preset, args.repeats = "quick", 1
    if args.part:
        jax.config.update("jax_enable_compilation_cache", False)  # a first call compiles
        print(json.dumps(measure_depth(args) if args.depth else measure(args)))
        return
    summary = {
        "preset": "depth" if args.depth else args.preset,
        "where": where("jax", "jaxlib", "flax", "optax", "numpy"),
        "dtype": args.dtype,
        "remat": args.remat,
        "attention": args.attention,
    }
    print(", ".join(f"{key}: {value}" for key, value in summary.items()))
    if args.depth:
        found = compare_depths(args)
        for layers, result in found["layers"].items():
            show(f"{layers} + {layers}", result)
        print(f"ratio: compile {found['compile_ratio']:.3g}, first call {found['first_ratio']:.3g}")
    else:
        found = {"lengths": args.lengths or PRESETS[args.preset].lengths}
        for name in PRESETS[args.preset].parts:
            found[name] = in_process(args, name)
            show(name, found[name])
    if args.json:
        print(json.dumps(summary | found))


if __name__ == "__main__":
    main()
