"""Who may import whom, and what costs nothing to import."""

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import unified_io

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path for folder in ("unified_io", "data_tasks", "tools") for path in (ROOT / folder).rglob("*.py")
)

# What runs where there is no TensorFlow: a machine that trains, generates or serves.
LIGHT = ("api", "model", "connected_lm", "dialog", "chat_vocab", "loss", "checkpoint", "configuration",
         "sequence", "vocab", "structures", "mel", "nn",
         "encoders", "connectors", "backbones", "tokenizers", "generation", "train", "convert")  # fmt: skip
HEAVY = ("tensorflow", "tensorflow_datasets", "seqio", "gin", "clu", "sklearn", "skimage", "librosa")

# A distribution whose import name is another one.
IMPORT_NAMES = {
    "gin-config": "gin",
    "orbax-checkpoint": "orbax",
    "Pillow": "PIL",
    "protobuf": "google",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


def _light_modules() -> list[str]:
    names = []
    for module in pkgutil.walk_packages(unified_io.__path__, "unified_io."):
        if module.name.split(".")[1] in LIGHT:
            names.append(module.name)
    return names


def test_light_modules_import_nothing_heavy():
    names = _light_modules()
    assert {
        "unified_io.api",
        "unified_io.model",
        "unified_io.train.loop",
        "unified_io.generation.decode",
    } <= {*names}
    script = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
    heavy = sorted(set({HEAVY!r}) & set(sys.modules))
    if heavy:
        sys.exit(f"{{name}} imports {{heavy}}")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_public_names_resolve():
    for name in unified_io.__all__:
        assert getattr(unified_io, name) is not None
    with pytest.raises(AttributeError, match="it has"):
        unified_io.no_such_name  # noqa: B018


def test_import_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_folder_of_code_is_a_package():
    # The import contract does not see a folder without __init__.py.
    folders = {path.parent for path in CODE if path.parts[len(ROOT.parts)] != "tools"}
    assert (
        sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file())
        == []
    )


def _distributions(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [
        line for extra in extras for line in project["optional-dependencies"][extra]
    ]
    return {re.match(r"[\w.-]+", line)[0] for line in lines}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_whatever_is_imported_is_declared():
    declared = {
        IMPORT_NAMES.get(name, name).replace("-", "_")
        for name in _distributions(
            *("connected", "data", "demo", "forms", "hub", "metrics", "page", "plot", "serve", "t5x", "video")
        )
    }
    ours = {"unified_io", "data_tasks", "tools", "check_golden", "parity", "reference", "bench"}
    undeclared = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in CODE
        for name in _imports(path) - declared - ours - set(sys.stdlib_module_names)
    }
    assert undeclared == set()
