"""Looks a machine over: versions, devices, memory, disk, extras, known-bad combinations, and a self-test.

It works where packages are missing, and says so: whatever a check needs is imported in the check.
"""

import importlib.util
from pathlib import Path

from unified_io.evaluation import environment
from unified_io.reliability import known_bad
from unified_io.reliability.finding import Finding, guarded
from unified_io.reliability.room import free_disk, ram
from unified_io.reliability.table import amount

# A module -> the extra that brings it (an empty one is no extra), and what is lost without it.
OPTIONAL = {
    "seqio": ("", "reading data: training, evaluation"),
    "tensorflow": ("", "reading data: training, evaluation"),
    "gin": ("", "run files"),
    "sentencepiece": ("", "text"),
    "librosa": ("", "reading sound"),
    "soundfile": ("", "reading sound"),
    "tensorboard": ("", "curves of a run"),
    "espeakng_loader": ("demo", "the digits demo's speech"),
    "sklearn": ("demo", "the digits demo's images and judges"),
    "skimage": ("demo", "the digits demo's scores"),
    "av": ("video", "reading video"),
    "huggingface_hub": ("hub", "downloading models"),
}
DTYPES = ("float32", "bfloat16")
_LEAST_RAM, _LEAST_DISK = 2 * 2**30, 2 * 2**30


def examine(folder: str | Path = ".", self_test: bool = True) -> list[Finding]:
    """Examines this machine; never raises.

    Args:
      folder: Where a run would write.
      self_test: Also run a tiny model, a checkpoint and the text tokenizer, some ten seconds.
    """
    found: list[Finding] = []
    for name, remedy, check in (
        ("versions", "install the package anew", _versions),
        ("devices", "see the installation guide of JAX for this accelerator, or set JAX_PLATFORMS=cpu", _devices),
        ("memory", "", _memory),
        ("folder", "choose a folder that can be written", lambda: _folder(Path(folder))),
        ("optional parts", "", _optional),
    ):  # fmt: skip
        with guarded(name, remedy, found):
            found += check()
    if self_test:
        with guarded("self-test", "mend what failed above first", found):
            from unified_io.reliability import selftest

            found += selftest.run()
    return found


def _versions() -> list[Finding]:
    have = environment.versions((*environment.PACKAGES, *known_bad.PACKAGES))
    listed = ", ".join(f"{name} {version}" for name, version in have.items())
    return [Finding("versions", "ok", listed), *known_bad.found(have)]


def _devices() -> list[Finding]:
    import jax
    import jax.numpy as jnp

    devices = jax.devices()
    cores = environment.machine()["cores"]
    kinds = ", ".join(sorted({device.device_kind for device in devices}))
    found = [Finding("devices", "ok", f"{len(devices)} {kinds} ({jax.default_backend()}); {cores} CPU cores")]
    for dtype in DTYPES:
        with guarded(dtype, f"do not set a dtype of {dtype}", found):
            product = jnp.dot(jnp.ones((8, 8), dtype), jnp.ones((8, 8), dtype))
            right = bool((product == 8).all())
            said = "multiplies right" if right else "multiplies wrong"
            found.append(Finding(dtype, "ok" if right else "failed", said, "" if right else "update jaxlib"))
    return found


def _memory() -> list[Finding]:
    total = ram()
    if total < _LEAST_RAM:
        remedy = f"use a machine with {amount(_LEAST_RAM, 'B')}, or a smaller model"
        return [Finding("memory", "warning", f"{amount(total, 'B')} of RAM", remedy)]
    return [Finding("memory", "ok", f"{amount(total, 'B')} of RAM")]


def _folder(folder: Path) -> list[Finding]:
    from unified_io.train.job import check_writable

    check_writable(folder)
    free = free_disk(folder)
    what = f"{amount(free, 'B')} free, can be written"
    if free < _LEAST_DISK:
        return [Finding("folder", "warning", what, "make room before training: checkpoints need it")]
    return [Finding("folder", "ok", what)]


def _optional() -> list[Finding]:
    found = []
    for module, (extra, purpose) in OPTIONAL.items():
        if importlib.util.find_spec(module) is not None:
            found.append(Finding(module, "ok", f"is there for {purpose}"))
            continue
        remedy = (
            f"pip install 'unified-io[{extra}]'" if extra else "pip install unified-io, dependencies included"
        )
        found.append(Finding(module, "warning", f"is missing, and with it {purpose}", remedy))
    return found
