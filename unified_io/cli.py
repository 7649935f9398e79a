"""The command line: parse flags, build what they ask for, run one verb. Knows no model and no task."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unified_io.errors import ConfigError, DataError, UnifiedIOError, unknown

VERBS = {
    "train": ("train", "train from a run file, or go on where an earlier run of the same model_dir stopped"),
    "eval": ("evaluate", "score the checkpoint in model_dir"),
    "report": ("report", "write the report of the run in model_dir"),
}
TOOLS = {
    "generate": "write one output of a trained model",
    "convert": "rewrite weights: ours, the PyTorch port's (Hugging Face) or T5X's, both ways",
    "data": "measure a mixture: lengths, how full the batches of a run file become, budgets that would fit",
}
# Read by the libraries when they start. The scheduler for many cores costs a few per cent of speed on few.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "XLA_FLAGS": "--xla_cpu_enable_concurrency_optimized_scheduler=false",
}
OK, WRONG_INPUT, INTERRUPTED = 0, 2, 130
MEDIA = {
    "image": "an image file",
    "audio": "a WAV file",
    "action": "a JSON file with [[y, x, pen], …] in [0, 1]",
}

SAMPLING = {
    "temperature": (float, "0 takes the likeliest token each time"),
    "top_p": (float, "sample from the likeliest tokens that make up this probability"),
    "top_k": (int, "sample from this many likeliest tokens; 0 from all"),
    "seed": (int, "the same seed gives the same output"),
}


class Job(Protocol):
    """What a run file binds to `cli.run.job`."""

    def check(self) -> None:
        """Raises a UnifiedIOError for what can not work, before anything is compiled."""

    def train(self) -> None:
        """Trains, or goes on training."""

    def evaluate(self) -> None:
        """Scores the trained model."""

    def report(self) -> None:
        """Writes what the run came to."""


def run(job: Job) -> Job:
    """The one name a run file binds: `cli.run.job = @SomeJob()`."""
    return job


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 2 for input that can not work, 130 when interrupted."""
    args = _parser().parse_args(_join_bindings(sys.argv[1:] if argv is None else argv))
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        {"generate": _generate, "convert": _convert, "data": _data}.get(args.verb, _run_job)(args)
    except UnifiedIOError as error:
        print(f"unified-io {args.verb}: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt as stop:
        print(f"\n{str(stop) or 'interrupted; give the same command to continue'}", file=sys.stderr)
        return INTERRUPTED
    return OK


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default not in (None, "", []) else action.help


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "unified-io", description="Any-to-any models by gin file.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join([*VERBS, *TOOLS]))
    for verb, (_, meaning) in VERBS.items():
        _add_gin_flags(verbs.add_parser(verb, help=meaning, formatter_class=_Help, allow_abbrev=False))
    for verb, meaning in TOOLS.items():
        add_flags = {"generate": _add_generate_flags, "convert": _add_convert_flags, "data": _add_data_flags}[
            verb
        ]
        add_flags(verbs.add_parser(verb, help=meaning, formatter_class=_Help, allow_abbrev=False))
    return parser


def _add_gin_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--gin_file",
        action="append",
        default=[],
        metavar="FILE",
        help="run file; may be repeated, later ones win",
    )
    add(
        "--gin_search_paths",
        default="",
        metavar="A,B",
        help="folders to look in before the packaged gin_configs",
    )
    add(
        "--gin_bindings", action="append", default=[], metavar="NAME=VALUE", help="set a macro or a parameter"
    )
    same = "the same as --gin_bindings=NAME=VALUE"  # rewritten to it by _join_bindings; here for --help
    add("--gin.NAME=VALUE", action="store_true", default=argparse.SUPPRESS, help=same)
    add("--model_dir", metavar="FOLDER", help="where the run lives; the same as --gin.MODEL_DIR=FOLDER")


def _add_generate_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model_dir", required=True, metavar="FOLDER", help="folder of a trained model")
    add("--output", required=True, help="what to make: text, image, audio or action")
    add("--text", default="", help="the prompt")
    for name, what in MEDIA.items():
        add(f"--{name}", metavar="FILE", help=what)
    add("--out", type=Path, metavar="FILE", help="where to write it; text and action are printed without")
    for name, (kind, meaning) in SAMPLING.items():
        add(f"--{name}", type=kind, help=f"{meaning} (default: that of the model)")


def _add_convert_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        required=True,
        metavar="FOLDER",
        help="weights: ours, the port's or a T5X checkpoint",
    )
    add(
        "--to",
        dest="target",
        required=True,
        metavar="FOLDER",
        help="where to write; appears when all is written",
    )
    add("--format", default="unified-io", help="what to write: unified-io, port or t5x")
    add(
        "--config",
        metavar="FILE",
        help="gin file of the model; needed for T5X, which does not say what it is",
    )
    add(
        "--tokenizer",
        metavar="FILE",
        help="the text tokenizer to put beside the weights (LLaMA's tokenizer.model)",
    )
    add("--allow_pickle", action="store_true", help="also read .bin files; nothing in them is run")


def _add_data_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", choices=("report",), help="what to do with it")
    add("mixture", metavar="MIXTURE", help="a registered task or mixture; the run file imports its module")
    _add_gin_flags(parser)
    add("--examples", type=int, default=2000, metavar="N", help="how many examples to measure")
    add("--split", default="train", help="a split of its sources")
    add("--json", action="store_true", help="print one JSON object, as the last line, and no table")


def _join_bindings(argv: Sequence[str]) -> list[str]:
    """Turns every `--gin.NAME=VALUE` into a `--gin_bindings` of its own, order kept."""
    return [
        f"--gin_bindings={arg.removeprefix('--gin.')}" if arg.startswith("--gin.") else arg for arg in argv
    ]


def _reading(args: argparse.Namespace) -> Any:
    """Reads the gin files and bindings of a command."""
    from unified_io.gin_edge import session

    folder = [f"{session.MODEL_DIR}={args.model_dir!r}"] if args.model_dir else []
    files = args.gin_file or _files_of(args.model_dir, session.CONFIG_FILE)
    return session.parse(
        files, [*args.gin_bindings, *folder], [p for p in args.gin_search_paths.split(",") if p]
    )


def _run_job(args: argparse.Namespace) -> None:
    from unified_io.gin_edge import session

    reading = _reading(args)
    method, _ = VERBS[args.verb]
    model_dir = reading.macros.get(session.MODEL_DIR, (None, ""))[0]
    if not isinstance(model_dir, str) or not model_dir:
        raise ConfigError(f"where does the run live? got model_dir {model_dir!r}; give --model_dir=FOLDER")
    job = session.build(reading, run)
    missing = [name for name in ("check", method) if not callable(getattr(job, name, None))]
    if missing:
        raise ConfigError(
            f"{type(job).__name__} can not {args.verb}: it has no method {' or '.join(missing)}"
        )
    job.check()
    if args.verb == "train":
        changes = session.save(Path(model_dir))
        if changes:
            print("the config of this model_dir has changed:", *changes, sep="\n  ", file=sys.stderr)
    from unified_io.train.loop import Interrupted

    try:
        getattr(job, method)()
    except Interrupted as stop:
        raise KeyboardInterrupt(str(stop)) from stop


def _files_of(model_dir: str | None, name: str) -> list[str]:
    """The config that an earlier run left in its folder, for a command that names no gin file."""
    earlier = Path(model_dir, name).resolve() if model_dir else None
    if not earlier or not earlier.is_file():
        raise ConfigError(
            f"nothing to run: give --gin_file=FILE, or the --model_dir of a run that has a {name}"
        )
    return [str(earlier)]


def _generate(args: argparse.Namespace) -> None:
    if not Path(args.model_dir).is_dir():
        raise ConfigError(f"no model in {args.model_dir!r}; give the --model_dir of a trained run")
    if args.out and args.out.suffix not in WRITERS:
        raise unknown("kind of file for --out", args.out.suffix, WRITERS)
    inputs = {name: getattr(args, name) for name in ("text", "image", "audio") if getattr(args, name)}
    if args.action:
        inputs["action"] = _read_points(Path(args.action))
    from unified_io import api

    model = api.from_pretrained(args.model_dir)
    for name in inputs:
        if name not in (readable := [modality.name for modality in model.config.inputs]):
            raise unknown("input of this model", name, readable)
    sampling = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
    value = model.generate(output=args.output, **inputs, **sampling)
    if args.out:
        WRITERS[args.out.suffix](args.out, value, model.config.target(args.output))
        print(f"{args.output} written to {args.out}")
    elif np.ndim(value) in (0, 2):
        print(value if isinstance(value, str) else json.dumps(np.asarray(value).tolist()))
    else:
        raise ConfigError(f"{args.output} can not be printed; give --out=FILE, one of {', '.join(WRITERS)}")


def _convert(args: argparse.Namespace) -> None:
    from unified_io.convert import folders

    config = None
    if args.config:
        from unified_io.gin_edge import session

        config = session.build_macro(session.parse([args.config], []), "MODEL")
    folders.convert(
        args.source,
        args.target,
        args.format,
        config=config,
        tokenizer=args.tokenizer,
        allow_pickle=args.allow_pickle,
    )
    print(f"written to {args.target}")


def _data(args: argparse.Namespace) -> None:
    from unified_io.data import pipeline, statistics
    from unified_io.gin_edge import session

    job = session.build(_reading(args), run)
    training = getattr(job, "training", job)  # a job of several stages has one that trains the model
    needed = ("model", "budgets", "lookahead", "seed")
    if missing := [name for name in needed if not hasattr(training, name)]:
        raise ConfigError(
            f"{type(training).__name__} has no {' and no '.join(missing)}; give the run file of a TrainJob"
        )
    inputs, targets = training.model.inputs, training.model.targets
    source = getattr(training, "source", None) or getattr(job, "source", None)
    objective = getattr(training, "objective", None)
    bound = pipeline.bind(args.mixture, inputs, targets, source=source, objective=objective)
    sample = statistics.draw(
        bound,
        inputs,
        targets,
        training.budgets,
        args.examples,
        split=args.split,
        seed=training.seed,
        tell=_Progress(args.examples),
    )
    report = statistics.report(sample, inputs, targets, training.budgets, training.lookahead)
    found = {"mixture": args.mixture, "split": args.split, **report}
    print(json.dumps(found) if args.json else f"{args.mixture}, {args.split}: {statistics.as_text(found)}")


class _Progress:
    """Says every other second how far it is, on the error stream: on one line of a terminal, else on lines."""

    def __init__(self, total: int):
        self._total, self._told = total, time.monotonic()
        self._ends = ("\r", "\x1b[K") if sys.stderr.isatty() else ("\n", None)

    def __call__(self, done: int) -> None:
        end, wipe = self._ends
        if done == self._total and wipe:
            print(wipe, end="", file=sys.stderr)
        elif done < self._total and time.monotonic() - self._told >= 2:
            self._told = time.monotonic()
            print(f"{done} of {self._total} examples", end=end, file=sys.stderr, flush=True)


def _read_points(path: Path) -> np.ndarray:
    try:
        points = np.asarray(json.loads(path.read_text(encoding="utf-8")), np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"no action in {str(path)!r} ({error}); expected {MEDIA['action']}") from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise DataError(f"{str(path)!r} holds numbers of shape {points.shape}; expected {MEDIA['action']}")
    return points


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


if __name__ == "__main__":
    from unified_io import cli  # the module that run files import, whose `run` they bind

    sys.exit(cli.main())
