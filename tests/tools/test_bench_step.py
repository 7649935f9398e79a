"""What the benchmark of a step rests on: the work that it times, the operations it counts, and that it needs little."""

import argparse
import json
import os
import subprocess
import sys

import bench_step
import jax
import numpy as np
import pytest
from bench import batches, model
from bench.presets import PRESETS

ARGS = argparse.Namespace(
    preset="quick",
    dtype="float32",
    remat="none",
    attention="xla",
    rows=0,
    lengths=None,
    repeats=1,
    seed=0,
    part=None,
    depth=False,
    quick=True,
    json=False,
)
PLAIN = {"dtype": "float32", "remat": "none", "attention": "xla"}
# What a borrowed machine with a GPU has not.
ABSENT = ("gin", "seqio", "tensorflow", "tensorflow_datasets", "orbax", "clu", "sentencepiece", "PIL", "librosa",
          "soundfile", "torch", "safetensors")  # fmt: skip
MEASURED = {"device", "rows", "examples", "fill_encoder", "fill_decoder", "first_s", "wall_s", "cpu_s", "peak_gb",
            "tokens_per_s"}  # fmt: skip


@pytest.fixture(scope="module")
def quick():
    return PRESETS["quick"].model(**PLAIN)


def test_it_runs_where_there_is_little_but_jax(root, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {ABSENT!r}:\n"
        "            raise ModuleNotFoundError(f'{name} is not here')\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    missing = [sys.executable, "-c", "import gin"]
    assert subprocess.run(missing, env=environment, capture_output=True, check=False).returncode
    command = [
        sys.executable,
        "tools/bench_step.py",
        "--quick",
        "--json",
        "--remat=full",
        "--attention=chunked",
    ]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1], parse_constant=pytest.fail)
    chosen = {
        "preset": "quick",
        "dtype": "float32",
        "remat": "full",
        "attention": "chunked",
        "lengths": "drawn",
    }
    assert {**result, **chosen} == result
    assert result.keys() == {*chosen, "where", *PRESETS["quick"].parts}
    assert result["forward"].keys() == MEASURED
    step = result["step"]
    assert step.keys() == MEASURED | {"useful_tflops_per_s", "useful_mfu", "why_no_mfu"}
    assert step["useful_tflops_per_s"] > 0 and step["peak_gb"] > 0 and step["first_s"] > step["wall_s"] > 0
    assert step["useful_mfu"] is None and "no peak is known of a 'cpu'" in step["why_no_mfu"]


def test_reduced_is_the_work_of_the_reference():
    """Batch of 2, 512 + 576 places in and 512 + 1,024 out, every one real, float32; the parameters of its report."""
    preset = PRESETS["reduced"]
    assert (preset.rows, preset.lengths, preset.parts) == (
        2,
        "full",
        ("encode", "forward", "gradients", "step"),
    )
    config = preset.model(**PLAIN)
    made = batches.make(preset.lengths, config, preset.rows)
    sizes = {name: len(jax.tree.leaves(bank)[0][0]) for name, bank in made.batch["inputs"].items()}
    assert sizes == {"text": 2 * 512, "image": 2}
    for side, length in (("encoder", 512 + 576), ("decoder", 512 + 1024)):
        assert made.batch[side]["segment_ids"].shape == (1, 2, length)
        assert (made.batch[side]["segment_ids"] > 0).all()
    for name, places in (("text", 2 * 512), ("image", 2 * 1024)):
        assert made.batch["heads"][name]["weights"].sum() == places
    assert made.batch["targets"]["image"]["pixels"].shape == (1, 2, 256, 256, 3)
    assert (made.tokens, made.examples, made.fill_encoder, made.fill_decoder) == (2 * 2624, 2, 1.0, 1.0)
    assert {"float32"} == {leaf.dtype.name for leaf in jax.tree.leaves(model.shapes(config))}
    assert sum(leaf.size for leaf in jax.tree.leaves(model.shapes(config))) == 229_351_087


def test_drawn_rows_hold_several_examples(quick):
    first, again, other = (batches.make("drawn", quick, 3, seed) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first.batch, again.batch)
    assert first.tokens != other.tokens
    mates = first.batch["encoder"]["segment_ids"].max(axis=-1)
    assert mates.min() > 1 and mates.sum() == first.examples
    assert min(first.fill_encoder, first.fill_decoder) > 0.8
    real = (first.batch["encoder"]["segment_ids"] > 0).sum() + (
        first.batch["decoder"]["segment_ids"] > 0
    ).sum()
    assert real == first.tokens
    lengths = np.bincount(first.batch["decoder"]["example_ids"][0, 0])[1:]
    assert len(np.unique(lengths)) > 1
    shown = first.batch["inputs"]["image"]["mask"]
    assert 0 < shown.mean() < 1, "pictures are not square"


def test_unknown_lengths_suggest_the_nearest(quick):
    with pytest.raises(ValueError, match="did you mean 'drawn'"):
        batches.make("drawm", quick, 2)


def test_depths_are_compared_each_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(bench_step, "DEPTHS", (1, 2))
    args = argparse.Namespace(**vars(ARGS) | {"depth": True})
    found = bench_step.compare_depths(args)
    assert found.keys() == {"layers", "compile_ratio", "first_ratio"}
    shallow, deep = (found["layers"][name] for name in ("1", "2"))
    assert shallow["operations"] == deep["operations"] > 100
    assert found["compile_ratio"] == deep["compile_s"] / shallow["compile_s"]


def test_a_part_that_fails_says_why():
    assert "gradient" in bench_step.in_process(ARGS, "gradient")["failed"]
