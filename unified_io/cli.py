"""The command line: parse flags, build what they ask for, run one verb. Knows no model and no task."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from unified_io.commands import convert, data, demo, doctor, drill, evaluate, generate, plan, serve
from unified_io.errors import ConfigError, UnifiedIOError

VERBS = {
    "train": ("train", "train from a run file, or go on where an earlier run of the same model_dir stopped"),
    "eval": (
        "evaluate",
        "score the checkpoint in model_dir, or those that the run file names; any, with --tasks",
    ),
    "infer": ("infer", "write what a model says of a task's examples, as JSON lines"),
    "report": ("report", "write the report of the run in model_dir"),
}
COMMANDS = {
    module.__name__.rpartition(".")[2]: module
    for module in (generate, serve, demo, convert, data, plan, doctor, drill)
}
# These read a run file too; a command of commands says itself which of them do.
WITH_RUN_FILE = ("plan",)
# Read by the libraries when they start. The scheduler for many cores costs a few per cent of speed on few.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "XLA_FLAGS": "--xla_cpu_enable_concurrency_optimized_scheduler=false",
}
OK, WRONG_INPUT, INTERRUPTED = 0, 2, 130


class Job(Protocol):
    """What a run file binds to `cli.run.job`: what it can not do it need not have.

    One that writes somewhere else than into `model_dir` says where: in `output_dir`.
    """

    def check(self) -> None:
        """Raises a UnifiedIOError for what can not work, before anything is compiled."""

    def train(self) -> None:
        """Trains, or goes on training."""

    def evaluate(self) -> None:
        """Scores the trained model."""

    def infer(self) -> None:
        """Writes what the model says of examples."""

    def report(self) -> None:
        """Writes what the run came to."""


def run(job: Job) -> Job:
    """The one name a run file binds: `cli.run.job = @SomeJob()`."""
    return job


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, also when SIGTERM had it save and stop; 1 when a check failed, 2
    for input that can not work, 130 when interrupted."""
    args = _parser().parse_args(_join_bindings(sys.argv[1:] if argv is None else argv))
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        args.build = lambda: _build(args)
        if args.verb in COMMANDS:
            return COMMANDS[args.verb].run(args) or OK
        if args.verb == "eval" and evaluate.asked(args):
            _find_data(args)
            return evaluate.run(args) or OK
        _run_job(args)
        return OK
    except UnifiedIOError as error:
        print(f"unified-io {args.verb}: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt as stop:
        print(f"\n{str(stop) or 'interrupted; give the same command to continue'}", file=sys.stderr)
        return OK if getattr(stop.__cause__, "terminated", False) else INTERRUPTED


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default not in (None, "", []) else action.help


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "unified-io", description="Any-to-any models by gin file.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join([*VERBS, *COMMANDS]))
    for verb, (_, meaning) in VERBS.items():
        flags = verbs.add_parser(verb, help=meaning, formatter_class=_Help, allow_abbrev=False)
        _add_gin_flags(flags)
        _add_process_flags(flags)
        _add_data_flags(flags)
        if verb == "eval":
            evaluate.add_flags(flags)
        if verb == "infer":
            flags.add_argument("--shard_id", type=int, metavar="I", help="which part of the examples, from 0")
    for verb, command in COMMANDS.items():
        flags = verbs.add_parser(verb, help=command.MEANING, formatter_class=_Help, allow_abbrev=False)
        readers = command.add_flags(flags) or ([flags] if verb in WITH_RUN_FILE else [])
        for reader in readers:
            _add_gin_flags(reader)
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


def _add_process_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    meaning = "join the other processes of this run; SLURM and Open MPI need no flag"
    add("--multiprocess", "--multiprocess_gpu", action="store_true", help=meaning)
    add("--coordinator_address", metavar="HOST:PORT", help="where process 0 listens")
    add("--process_count", type=int, metavar="N", help="how many processes there are")
    add("--process_index", type=int, metavar="I", help="which one this is, from 0")
    add("--initialization_timeout", type=int, default=300, metavar="S", help="seconds to wait for the others")


def _add_data_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tfds_data_dir", metavar="FOLDER", help="where TensorFlow Datasets finds what tasks read")
    add(
        "--seqio_additional_cache_dirs",
        default="",
        metavar="A,B",
        help="folders in which seqio has cached tasks",
    )


def _find_data(args: argparse.Namespace) -> None:
    """Tells seqio where data lies, if a flag says so."""
    folders = [folder for folder in args.seqio_additional_cache_dirs.split(",") if folder]
    for folder in [*folders, *filter(None, [args.tfds_data_dir])]:
        if not Path(folder).is_dir():
            raise ConfigError(f"there is no folder {folder!r}; data lies elsewhere, or is not prepared")
    if not folders and not args.tfds_data_dir:
        return
    import seqio

    if args.tfds_data_dir:
        seqio.set_tfds_data_dir_override(args.tfds_data_dir)
    seqio.add_global_cache_dirs(folders)


def _join_processes(args: argparse.Namespace) -> bool:
    """Joins the other processes of a run, if there are any; says whether this one writes for all of them."""
    import jax

    from unified_io.train import hosts

    hosts.start(
        args.coordinator_address,
        args.process_count,
        args.process_index,
        asked=args.multiprocess,
        timeout_s=args.initialization_timeout,
    )
    return jax.process_index() == 0


def _join_bindings(argv: Sequence[str]) -> list[str]:
    """Turns every `--gin.NAME=VALUE` into a `--gin_bindings` of its own, order kept."""
    return [
        f"--gin_bindings={arg.removeprefix('--gin.')}" if arg.startswith("--gin.") else arg for arg in argv
    ]


def _reading(args: argparse.Namespace) -> Any:
    """Reads the gin files and bindings of a command."""
    from unified_io.gin_edge import session

    flags = [f"{session.MODEL_DIR}={args.model_dir!r}"] if args.model_dir else []
    if getattr(args, "shard_id", None) is not None:
        flags.append(f"infer.shard_id={args.shard_id}")
    files = args.gin_file or _files_of(args.model_dir, session.CONFIG_FILE)
    return session.parse(
        files, [*args.gin_bindings, *flags], [p for p in args.gin_search_paths.split(",") if p]
    )


def _build(args: argparse.Namespace) -> Any:
    """Builds the job of a run file."""
    from unified_io.gin_edge import session

    return session.build(_reading(args), run)


def _run_job(args: argparse.Namespace) -> None:
    from unified_io.gin_edge import session

    first = _join_processes(args)
    _find_data(args)
    reading = _reading(args)
    method, _ = VERBS[args.verb]
    job = session.build(reading, run)
    model_dir = reading.macros.get(session.MODEL_DIR, (None, ""))[0]
    output_dir = getattr(job, "output_dir", None)
    folder = output_dir or model_dir
    if not isinstance(folder, str) or not folder:
        raise ConfigError(f"where does the run live? got model_dir {model_dir!r}; give --model_dir=FOLDER")
    missing = [name for name in ("check", method) if not callable(getattr(job, name, None))]
    if missing:
        raise ConfigError(
            f"{type(job).__name__} can not {args.verb}: it has no method {' or '.join(missing)}"
        )
    job.check()
    # Several shards of a job may write into one folder at the same time.
    first = first and getattr(job, "shard_id", 0) == 0
    if (args.verb == "train" or output_dir) and first:
        changes = session.save(Path(folder))
        if changes:
            print(f"the config of {folder} has changed:", *changes, sep="\n  ", file=sys.stderr)
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


if __name__ == "__main__":
    from unified_io import cli  # the module that run files import, whose `run` they bind

    sys.exit(cli.main())
