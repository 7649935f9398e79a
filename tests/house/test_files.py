"""What every file of the repository keeps to."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("unified_io", "data_tasks", "tools")
CODE = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))
TEST_COMMAND = 'python3 -m pip install -e ".[test]" && python3 -m pytest'
DEMO_COMMAND = re.compile(
    r'^python3 -m pip install -e "\.\[demo\]" && unified-io train --gin_file=\S+ .*$', re.M
)

NO_NOUNS = {"utils", "util", "common", "helpers", "helper", "misc", "base_utils", "t5x"}
# Assembled, so that this file does not contain what it looks for.
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:" + "|".join(["root", "home", "opt", "work", "farm"]) + r")/[A-Za-z]"
)
SOFT = re.compile(r"except(?: Exception)?:\s*pass|assert True|TODO|FIXME|^\s*except:", re.M)


def _tracked() -> list[Path]:
    """Text files that git knows or would add; all files of the tree where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = (
        done.stdout.split("\n") if done.returncode == 0 else [str(p) for p in ROOT.rglob("*") if p.is_file()]
    )
    suffixes = {".py", ".gin", ".md", ".toml", ".txt", ".html", ".json", ".cfg", ".yml", ""}
    return [path for name in names if name and (path := ROOT / name).suffix in suffixes and path.is_file()]


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_contains_a_path_of_one_machine():
    found = [(path, MACHINE_PATHS.search(path.read_text())) for path in _tracked()]
    assert [f"{_relative(path)}: {match[0]}" for path, match in found if match] == []


def test_no_code_is_unfinished():
    assert [
        f"{_relative(path)}: {match[0]}" for path in CODE if (match := SOFT.search(path.read_text()))
    ] == []


def test_every_module_is_a_noun():
    assert [_relative(path) for path in CODE if path.stem in NO_NOUNS or path.parent.name in NO_NOUNS] == []


def _public_without_docstring(node: ast.AST, prefix: str = "") -> list[str]:
    missing = []
    for child in getattr(node, "body", []):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef) or child.name.startswith("_"):
            continue
        inherits = isinstance(node, ast.ClassDef) and node.bases and isinstance(child, ast.FunctionDef)
        if not ast.get_docstring(child) and not inherits and child.name != "setup":
            missing.append(f"{prefix}{child.name}:{child.lineno}")
        if isinstance(child, ast.ClassDef):
            missing += _public_without_docstring(child, f"{child.name}.")
    return missing


@pytest.mark.parametrize(
    "path", [path for path in CODE if path.parts[len(ROOT.parts)] == "unified_io"], ids=_relative
)
def test_every_public_name_says_what_it_is(path):
    """A method of a derived class may rely on the words of its base."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the file has no docstring"
    assert _public_without_docstring(tree) == []


def test_shape_annotations_are_read_at_run_time():
    assert [
        _relative(path) for path in CODE if "from __future__ import annotations" in path.read_text()
    ] == []


def test_the_readme_holds_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert TEST_COMMAND in readme.splitlines()
    assert DEMO_COMMAND.search(readme), "no line installs the demo and trains it"


def test_ci_reads_its_command_from_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m 1 -E '(.+)' README.md", script)[1]
    assert re.search(pattern, TEST_COMMAND)
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0
