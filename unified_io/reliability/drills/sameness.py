"""The same run again, in other ways and other surroundings: the same bytes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from unified_io.reliability.drills import streams, tiny, world
from unified_io.reliability.drills.ground import Ground, Run
from unified_io.reliability.drills.sessions import Session, Surroundings, command_line, side_by_side
from unified_io.reliability.drills.verdict import Skip, insist, tail

_LONGEST_S = 300
_NOBODY = 65534


def determinism(ground: Ground) -> str:
    """Two processes, with and without a profiler, with one loader and two, with more and less prepared ahead."""
    reference = ground.reference
    again = ground.run("again")
    again.start().succeed()
    again.same_as(reference, "started anew,")
    profiled = ground.run("profiled")
    log = profiled.folder.with_name("profile")
    around = Surroundings(ground.cache)
    Session(with_profiler, [profiled.command, str(log)], profiled.log, around).succeed()
    insist(any(log.rglob("*.xplane.pb")), "the profiler wrote nothing")
    profiled.same_as(reference, "with a profiler")
    _loaders(ground.world)
    return (
        "started twice, with a profiler, read by one loader and by two, 1 and 4 batches ahead: the same bytes"
    )


def with_profiler(command: Sequence[str], log: str) -> int:
    """Runs a command line under JAX's profiler."""
    import jax

    with jax.profiler.trace(log):
        return command_line(command)


def _loaders(of: world.World) -> None:
    steps = 2 * tiny.SAVED + 1
    both = streams.loader(of, groups=2).batches()
    halves = [streams.loader(of, groups=2, mine=[group], depth=1 + 3 * group).batches() for group in (0, 1)]
    for step in range(steps):
        whole = streams.by_group(next(both))
        parts = [streams.by_group(next(half))[0] for half in halves]
        insist(whole == parts, f"two loaders make another batch {step + 1} than one")
    for stream in (both, *halves):
        stream.close()


def surroundings(ground: Ground) -> str:
    """Other time zone, language, hash seed, folder, home, user and terminal: fresh processes, the same bytes."""
    reference = ground.reference
    home, where = (ground.folder / name for name in ("home", "elsewhere"))
    for folder in (home, where):
        folder.mkdir(exist_ok=True)
    home.chmod(0o555)

    def elsewhere(name: str) -> None:
        run = ground.run(f"in {name} ü")
        _fresh(run, {"HOME": str(home), **_VARIANTS[name]}, where)
        run.same_as(reference, f"with {name}")

    side_by_side(elsewhere, _VARIANTS)
    done = " and ".join(_VARIANTS)
    return f"with {done}; in a path with spaces and accents, without a terminal: the same bytes"


_VARIANTS: dict[str, dict[str, str]] = {
    "another clock and language": {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "tr_TR.UTF-8",
        "LANG": "tr_TR.UTF-8",
    },
    "another hash seed and the C locale": {"PYTHONHASHSEED": "4711", "LC_ALL": "C", "TZ": "America/St_Johns"},
}


def another_user(ground: Ground) -> str:
    """As a user who owns nothing but the folder of the run."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise Skip("only root can become another user")
    command = [sys.executable, "-c", "import unified_io"]
    try:
        probe = subprocess.run(command, user=_NOBODY, group=_NOBODY, capture_output=True, check=False)
        readable = probe.returncode == 0
    except PermissionError:
        readable = False
    if not readable:
        raise Skip("another user can not read this Python or this package")
    reference = ground.reference
    run = ground.run("nobody")
    run.folder.mkdir()
    os.chown(run.folder, _NOBODY, _NOBODY)
    ground.folder.chmod(0o755)
    _fresh(run, {"HOME": "/nonexistent"}, ground.folder, user=_NOBODY, group=_NOBODY)
    run.same_as(reference, "as another user")
    return "a user without a home who owns nothing but the folder of the run: the same bytes"


def offline(ground: Ground) -> str:
    """A process that has no network at all."""
    unshare = shutil.which("unshare")
    if unshare is None:
        raise Skip("there is no unshare to take the network away")
    without = [unshare, "--net"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--net"]
    probe = subprocess.run([*without, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        raise Skip(f"the network can not be taken away here: {probe.stderr.strip()}")
    reference = ground.reference
    run = ground.run("offline")
    _fresh(run, {}, ground.folder, without)
    run.same_as(reference, "without a network")
    return "a run without any network: the same bytes"


def _fresh(
    run: Run, changes: Mapping[str, str], where: Path, before: Sequence[str] = (), **options: object
) -> None:
    """Runs a session as a command of its own, in another folder and without a terminal."""
    environment = {
        **os.environ,
        **changes,
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(run.cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [*before, sys.executable, "-m", "unified_io.cli", *run.command]
    with run.log.open("a") as log:
        done = subprocess.run(
            command,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_LONGEST_S,
            check=False,
            start_new_session=True,
            **options,
        )
    insist(done.returncode == 0, f"a session ended with {done.returncode}: {tail(run.log)}")
