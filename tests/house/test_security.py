"""Nothing that we load runs code, starts a shell or leaves its folder; what is allowed is named, with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path for folder in ("unified_io", "data_tasks", "tools") for path in (ROOT / folder).rglob("*.py")
)

# Modules that run what they load, start other programs, reach the net, or unpack archives.
MODULES = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib", "torch", "yaml"),
    *("subprocess", "tarfile", "zipfile", "ctypes", "urllib", "requests", "http", "socket"),
}
# Functions, by their last names, with or without a module before them.
CALLS = {
    *("eval", "exec", "compile", "__import__", "import_module", "run_path", "run_module"),
    *("system", "popen", "execv", "execve", "execvp", "spawnl", "spawnv", "startfile"),
    *("extractall", "unpack_archive", "Unpickler", "_Unpickler", "read_pickle"),
}
# Of other owners than Python itself they are something else: `re.compile`, `platform.system`.
OWNED = {"compile", "eval", "exec", "system"}
# Decoders of media: outside `preprocess`, which limits bytes, pixels and seconds, nobody calls them.
DECODERS = {
    *(
        "PIL.Image.open",
        "cv2.imread",
        "cv2.VideoCapture",
        "imageio.imread",
        "matplotlib.pyplot.imread",
        "av.open",
    ),
    *("soundfile.read", "soundfile.blocks", "soundfile.SoundFile", "librosa.load", "wave.open"),
    *("scipy.io.wavfile.read", "scipy.io.loadmat"),
    *(
        f"tensorflow.{name}"
        for name in (
            *("io.decode_image", "io.decode_jpeg", "io.decode_png", "io.decode_gif", "io.decode_bmp"),
            *(
                "image.decode_image",
                "image.decode_jpeg",
                "image.decode_png",
                "image.decode_gif",
                "audio.decode_wav",
            ),
        )
    ),
}
KEYWORDS = {"shell", "trust_remote_code", "allow_pickle", "weights_only"}

# What is done on purpose: file, what is found there, why.
ALLOWED = {
    ("unified_io/convert/pickles.py", "import pickle"): "reads PyTorch's files with four names in its world",
    ("unified_io/convert/pickles.py", "pickle._Unpickler"): "the base of the reader with four names",
    ("unified_io/convert/pickles.py", "import zipfile"): "reads members into memory by name, extracts none",
    ("unified_io/configuration.py", "import_module()"): "a config of JSON names a dataclass below unified_io",
    ("unified_io/__init__.py", "import_module()"): "public names from a fixed table",
    ("unified_io/gin_edge/files.py", "import_module()"): "modules on the allow-list of gin imports",
    (
        "unified_io/reliability/drills/sameness.py",
        "import subprocess",
    ): "starts itself elsewhere, without a shell",
    (
        "unified_io/reliability/drills/sessions.py",
        "import subprocess",
    ): "starts this Python, without a shell",
    ("unified_io/t5x_compat/launcher.py", "run_module()"): "starts T5X where the user has installed it",
    ("unified_io/train/telemetry.py", "import socket"): "asks for the name of this machine",
    ("unified_io/preprocess/image_ops.py", "PIL.Image.open()"): "behind the limits",
    ("unified_io/preprocess/sound.py", "soundfile.SoundFile()"): "behind the limits",
    ("unified_io/serve/app.py", "import urllib.parse"): "takes addresses apart, opens none",
    ("unified_io/serve/inputs.py", "PIL.Image.open()"): "looks at the head, behind a limit of bytes",
    ("unified_io/serve/inputs.py", "soundfile.SoundFile()"): "looks at the head, behind a limit of bytes",
    ("unified_io/evaluation/report/embed.py", "wave.open()"): "writes",
    ("data_tasks/sources/maps.py", "PIL.Image.open()"): "behind the limits",
    ("unified_io/evaluation/library.py", "import_module()"): "optional libraries, named by our own metrics",
    ("unified_io/reliability/drills/sessions.py", "import ctypes"): "asks glibc for fewer heaps",
    ("data_tasks/datasets/__init__.py", "import_module()"): "the modules of its own folder",
    ("data_tasks/made_up.py", "av.open()"): "writes",
    ("data_tasks/sources/tar.py", "import tarfile"): "reads members where they lie, extracts none",
    ("data_tasks/digits/cache.py", "import zipfile"): "the error of a broken npz",
    (
        "data_tasks/digits/espeak.py",
        "import subprocess",
    ): "starts Python with a script of ours, without a shell",
    ("data_tasks/digits/espeak_worker.py", "import ctypes"): "calls the library of espeak-ng",
    ("tools/bench_step.py", "import subprocess"): "starts itself, one process a measurement",
    ("tools/check_golden.py", "import zipfile"): "the error of a broken npz",
    ("tools/check_golden.py", "import_module()"): "its own parts, from a fixed table",
}


def findings(source: str) -> Iterator[str]:
    """Names what a program imports or calls of the above."""
    tree = ast.parse(source)
    modules = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if alias.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in MODULES:
            yield f"import {node.module}"
        elif isinstance(node, ast.ClassDef):
            yield from (base for base in map(ast.unparse, node.bases) if base.split(".")[-1] in CALLS)
        elif isinstance(node, ast.Call):
            yield from _of_call(node, modules)


def _imported(tree: ast.AST) -> dict[str, str]:
    """What every imported name stands for, e.g. `sf` for `soundfile`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _of_call(node: ast.Call, modules: dict[str, str]) -> Iterator[str]:
    first, *rest = ast.unparse(node.func).split(".")
    full = ".".join([modules.get(first, first), *rest])
    *owner, name = full.split(".")
    fixed = name == "import_module" and node.args and isinstance(node.args[0], ast.Constant)
    others = owner and name in OWNED and owner != ["os"] and owner[-1] != "builtins"
    if name in CALLS and not fixed and not others:
        yield f"{name}()"
    if full in DECODERS:
        yield f"{full}()"
    for keyword in node.keywords:
        on = not (isinstance(keyword.value, ast.Constant) and keyword.value.value in (False, None))
        # Ours is a promise that a restricted reader is asked for; NumPy's runs what it loads.
        if (
            keyword.arg in KEYWORDS
            and on
            and not (keyword.arg == "allow_pickle" and owner[:1] not in (["np"], ["numpy"]))
        ):
            yield f"{keyword.arg}="


@pytest.mark.parametrize(
    "source, found",
    [
        ("import pickle", ["import pickle"]),
        ("from pickle import loads", ["import pickle"]),
        ("import torch.serialization", ["import torch.serialization"]),
        ("from yaml import safe_load", ["import yaml"]),
        ("eval('1')", ["eval()"]),
        ("builtins.exec('1')", ["exec()"]),
        ("compile('1', '', 'eval')", ["compile()"]),
        ("os.system('ls')", ["system()"]),
        ("os.popen('ls')", ["popen()"]),
        ("importlib.import_module(name)", ["import_module()"]),
        ("importlib.import_module('unified_io.cli')", []),
        ("archive.extractall(folder)", ["extractall()"]),
        ("shutil.unpack_archive(file)", ["unpack_archive()"]),
        ("np.load(path, allow_pickle=True)", ["allow_pickle="]),
        ("run(command, shell=True)", ["shell="]),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", ["trust_remote_code="]),
        ("import tarfile as t; t.open(path).extract(one)", ["import tarfile"]),
        ("from PIL import Image; Image.open(path)", ["PIL.Image.open()"]),
        ("from PIL.Image import open as look; look(path)", ["PIL.Image.open()"]),
        ("import PIL.Image; PIL.Image.open(path)", ["PIL.Image.open()"]),
        ("import soundfile as sf; sf.read(path)", ["soundfile.read()"]),
        ("from scipy.io import wavfile; wavfile.read(path)", ["scipy.io.wavfile.read()"]),
        ("import tensorflow as tf; tf.io.decode_image(content)", ["tensorflow.io.decode_image()"]),
        ("from os import system as run; run('ls')", ["system()"]),
        ("class A(pickle.Unpickler): pass", ["pickle.Unpickler"]),
        ("re.compile('x'); np.load(path); run(command, shell=False); 'pickle and eval() in words'", []),
        ("jax.jit(f).lower(x).compile(); model.eval(); open_store(path, allow_pickle=allow)", []),
    ],
)
def test_what_is_unsafe_is_found(source, found):
    assert [*findings(source)] == found


def test_nothing_unsafe_but_what_is_named():
    seen = {(str(path.relative_to(ROOT)), what) for path in CODE for what in findings(path.read_text())}
    assert sorted(seen - ALLOWED.keys()) == [], "do without it, or name it above with its reason"
    assert sorted(ALLOWED.keys() - seen) == [], "no longer there; take it off the list"
