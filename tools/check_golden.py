"""Compares our numbers with fixtures of the official implementations.

python tools/check_golden.py DIR [DIR ...]

DIR is a fixture or a folder of fixtures. One line a fixture: name, arrays compared, the error that came nearest to
(or went furthest past) what is allowed, what was allowed there, PASS or FAIL; under a FAIL what parted first. Ends
with "N passed, M failed"; the exit code is 0 only if all passed.
"""

import argparse
import importlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Before JAX is imported: full float32 on one kind of machine, and no XLA pass that a tiny model would wait for.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from parity.fixture import Compared, Fixture, Verdict, judge  # noqa: E402

# Which function checks which kind of fixture; the modules are imported when needed.
CHECKS = {
    "image_encoder": "parity.encoders:image_encoder",
    "audio_encoder": "parity.encoders:audio_encoder",
    "image_resampler": "parity.resamplers:resampler",
    "audio_resampler": "parity.resamplers:resampler",
    "image_vqgan": "parity.codecs:image_vqgan",
    "audio_vqgan": "parity.codecs:audio_vqgan",
    "hifigan": "parity.codecs:hifigan",
    "encoder": "parity.forward:encoder",
    "full_forward": "parity.forward:full_forward",
    "decode": "parity.generation:decode",
    "generate_full": "parity.generation:generate_full",
    "audio_features": "parity.features:audio_features",
    "image_preprocess": "parity.features:image_preprocess",
    "rope_masks": "parity.functions:rope_masks",
    "logits_processors": "parity.functions:logits_processors",
    "discretisation": "parity.words:discretisation",
    "tokenizer": "parity.words:tokenizer",
    "attention_patterns": "parity.functions:attention_patterns",
    "packing_pairs": "parity.packing:packing_pairs",
    "packing_sequences": "parity.packing:packing_sequences",
    "t5x_checkpoint": "parity.training:t5x_checkpoint",
    "train_loss": "parity.training:train_loss",
    "train_loss_packed": "parity.training:train_loss_packed",
    "decoding": "parity.decoding:decoding",
}

# Fixtures without a config.json that names their kind, by what they hold: (file, key in it) -> kind.
SIGNS = (
    ("parameters.json", None, "t5x_checkpoint"),
    ("patterns.npz", None, "attention_patterns"),
    ("sequences.npz", None, "packing_sequences"),
    ("cases.json", "pairing", "packing_pairs"),
    ("expected.json", "packed", "train_loss_packed"),
    ("expected.json", "all_modalities", "train_loss"),
    ("expected.npz", None, "decoding"),
)


def kind_of(folder: Path) -> str | None:
    """Returns the kind of a fixture folder, None where it is no fixture."""
    config = folder / "config.json"
    if config.is_file() and "fixture" in (content := json.loads(config.read_text(encoding="utf-8"))):
        return content["fixture"]
    for file, key, kind in SIGNS:
        path = folder / file
        if path.is_file() and (key is None or key in json.loads(path.read_text(encoding="utf-8"))):
            return kind
    return None


def find(paths: list[Path]) -> list[Path]:
    """Returns the fixture folders: every path that is one, and the children that are of those that are not."""
    found = []
    for path in paths:
        if not path.is_dir():
            raise SystemExit(f"check_golden: no folder {str(path)!r}")
        children = [path] if kind_of(path) else sorted(p for p in path.iterdir() if p.is_dir() and kind_of(p))
        if not children:
            raise SystemExit(f"check_golden: {str(path)!r} is no fixture and holds none")
        found += children
    return found


def check(folder: Path) -> list[Verdict]:
    """Compares one fixture."""
    kind = kind_of(folder) or ""
    if kind not in CHECKS:
        return [
            Verdict(
                kind,
                float("inf"),
                0.0,
                f"no check for fixtures of kind {kind!r}; there are {', '.join(CHECKS)}",
            )
        ]
    module, name = CHECKS[kind].split(":")
    function: Callable[[Fixture], Iterator[Compared]] = getattr(importlib.import_module(module), name)
    try:
        fixture = Fixture.open(folder)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        return [Verdict("files", float("inf"), 0.0, f"{type(error).__name__}: {error}")]
    done = judge(fixture, function(fixture))
    return done or [Verdict("nothing", float("inf"), 0.0, "nothing was compared")]


def report(folder: Path, verdicts: list[Verdict]) -> bool:
    """Prints the line of one fixture, and what parted first; returns whether it passed."""
    worst = max(verdicts, key=lambda v: (not v.passed, v.strain))
    passed = all(verdict.passed for verdict in verdicts)
    line = f"{folder.name}  {len(verdicts)}  {worst.error:.3g}  {worst.tolerance:.3g}  {'PASS' if passed else 'FAIL'}"
    print(line, flush=True)
    if not passed:
        failed = [verdict for verdict in verdicts if not verdict.passed]
        first = failed[0]
        print(
            f"    first: {first.name}: {first.reason}, error {first.error:.3g}, allowed {first.tolerance:.3g}"
        )
        if len(failed) > 1:
            names = [verdict.name for verdict in failed[1:9]] + ["..."] * (len(failed) > 9)
            print(f"    then {len(failed) - 1} more: {', '.join(names)}")
    return passed


def main() -> int:
    """Checks every fixture and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="a fixture, or a folder of fixtures"
    )
    results = [report(folder, check(folder)) for folder in find(parser.parse_args().folders)]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
