"""`unified-io generate`: one output of a trained model, written to a file or printed."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.commands import requests
from unified_io.errors import ConfigError, DataError, unknown

MEANING = "write one output of a trained model"
MEDIA = {
    "image": "an image file",
    "video": "a video file, or frames as .npy",
    "audio": "a WAV file",
    "point_cloud": "a .ply, .obj or .npy file of points",
    "imu": "a .csv or .npy file of motion, six numbers a step",
    "action": "a JSON file with [[y, x, pen], …] in [0, 1]",
}
SAMPLING = {
    "temperature": (float, "0 takes the likeliest token each time"),
    "top_p": (float, "sample from the likeliest tokens that make up this probability"),
    "min_p": (float, "sample from tokens at least this share as likely as the likeliest"),
    "top_k": (int, "sample from this many likeliest tokens; 0 from all"),
    "seed": (int, "the same seed gives the same output"),
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("--model_dir", "--checkpoint", required=True, metavar="FOLDER", help="folder of a trained model")
    add("--output", default="text", help="what to make: text, image, audio or action")
    add("--text", "--prompt", default="", help="the prompt")
    for name, what in MEDIA.items():
        add(f"--{name}", metavar="FILE", help=what)
    add(
        "--dialog",
        type=Path,
        metavar="FILE",
        help='what was said before, a JSON file such as {"messages": [{"role": "user", "text": "…"}, …]}',
    )
    add("--out", type=Path, metavar="FILE", help="where to write it; text and action are printed without")
    add(
        "--requests",
        type=Path,
        metavar="FILE",
        help='answer every line of a file, such as {"text": "…", "image": "a.png"}, into the folder --out',
    )
    add(
        "--vocoder",
        metavar="PATH",
        help="speak with this HiFi-GAN: weights, or the folder of one trained here",
    )
    for name, (kind, meaning) in SAMPLING.items():
        add(f"--{name}", type=kind, help=f"{meaning} (default: that of the model)")


def run(args: argparse.Namespace) -> int | None:
    """Generates and writes; 1 where lines of --requests could not be answered."""
    if not Path(args.model_dir).is_dir():
        raise ConfigError(f"no model in {args.model_dir!r}; give the --model_dir of a trained run")
    if args.requests and not args.out:
        raise ConfigError("the answers to --requests go into a folder; give --out=FOLDER")
    if args.out and not args.requests and args.out.suffix not in WRITERS:
        raise unknown("kind of file for --out", args.out.suffix, WRITERS)
    inputs = {name: getattr(args, name) for name in ("text", *MEDIA) if getattr(args, name)}
    if args.action:
        inputs["action"] = _read_points(Path(args.action))
    from unified_io import api

    model = api.from_pretrained(args.model_dir, vocoder=args.vocoder)
    for name in inputs:
        if name not in (readable := [modality.name for modality in model.config.inputs]):
            raise unknown("input of this model", name, readable)
    if args.dialog:
        inputs["dialog"] = _read_dialog(args.dialog)
    sampling = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
    if args.requests:
        failed = requests.answer(model, args.requests, args.out, args.output, sampling, WRITERS)
        print(f"answers are in {args.out / requests.RESULTS}" + (f"; {failed} have none" if failed else ""))
        return int(failed > 0)
    value = model.generate(output=args.output, **inputs, **sampling)
    if args.out:
        WRITERS[args.out.suffix](args.out, value, model.config.target(args.output))
        print(f"{args.output} written to {args.out}")
    elif np.ndim(value) in (0, 2):
        print(value if isinstance(value, str) else json.dumps(np.asarray(value).tolist()))
    else:
        raise ConfigError(f"{args.output} can not be printed; give --out=FILE, one of {', '.join(WRITERS)}")


def _read_points(path: Path) -> np.ndarray:
    try:
        points = np.asarray(json.loads(path.read_text(encoding="utf-8")), np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"no action in {str(path)!r} ({error}); expected {MEDIA['action']}") from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise DataError(f"{str(path)!r} holds numbers of shape {points.shape}; expected {MEDIA['action']}")
    return points


def _read_dialog(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"no dialog in {str(path)!r} ({error}); give a file of JSON") from error


def _write_text(path: Path, value: Any, target: Any) -> None:
    path.write_text(f"{_fits(path, value, 0)}\n", encoding="utf-8")


def _write_points(path: Path, value: Any, target: Any) -> None:
    path.write_text(json.dumps(np.asarray(_fits(path, value, 2)).tolist()) + "\n", encoding="utf-8")


def _write_image(path: Path, value: Any, target: Any) -> None:
    from PIL import Image

    pixels = np.clip(np.asarray(_fits(path, value, 3)), 0.0, 1.0)
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(path)


def _write_sound(path: Path, value: Any, target: Any) -> None:
    from unified_io.preprocess import sound

    sound.write_wav(path, np.asarray(_fits(path, value, 1)), target.mel.sample_rate)


def _fits(path: Path, value: Any, axes: int) -> Any:
    if np.ndim(value) != axes:
        raise ConfigError(
            f"{path.suffix} can not hold this output of shape {np.shape(value)}; take another --out"
        )
    return value


WRITERS = {".txt": _write_text, ".json": _write_points, ".png": _write_image, ".wav": _write_sound}
