"""Records of real text: the doc-strings of packages that are installed. Whole packages are held out.

Files are read as text and taken apart by Python's own parser; nothing of them is run.
"""

import ast
import functools
import importlib.util
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from data_tasks.sources.stored import Record
from unified_io.errors import DataError, unknown

PACKAGES = {
    "train": ("json", "asyncio", "email", "logging", "numpy", "scipy.signal", "scipy.ndimage"),
    "validation": ("librosa",),
    "test": ("sklearn",),
}
"""Packages of every split; those of the standard library come first."""
LENGTHS = {"train": 2_000, "validation": 200, "test": 500}
_SHORTEST, _LONGEST = 80, 2_000  # letters
_FOREIGN = (
    "tests",
    "externals",
    "_externals",
    "_vendored",
)  # folders of tests, and of copies of other packages
_MOST = 5_000  # pieces of a package


def docstring(name: str, index: int) -> Record:
    """Returns one doc-string.

    Raises:
      ConfigError: There is no such split.
      DataError: No package of the split is installed.
    """
    if name not in PACKAGES:
        raise unknown("split of the doc-strings", name, PACKAGES)
    found = [text for package in PACKAGES[name] for text in pieces(package)]
    if not found:
        raise DataError(
            f"none of {', '.join(PACKAGES[name])} is installed; `pip install scikit-learn librosa`"
        )
    # A step that shares no factor with most lengths mixes the packages.
    return {"text": found[index * 7919 % len(found)]}


@functools.lru_cache(maxsize=16)
def pieces(package: str) -> tuple[str, ...]:
    """Returns the doc-strings of a package, 80 to 2,000 letters each, none twice, in the order of its files."""
    found: dict[str, None] = {}
    for file in _files(package):
        for text in _docstrings(file):
            if len(text) >= _SHORTEST and len(found) < _MOST:
                found[text[:_LONGEST]] = None
    return tuple(found)


def _files(package: str) -> list[Path]:
    library = Path(sysconfig.get_path("stdlib")) / package
    if library.is_dir():
        return sorted(library.rglob("*.py"))
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or []) if spec else []
    files = [file for root in roots for file in Path(root).rglob("*.py")]
    return sorted(file for file in files if not {*file.parts}.intersection(_FOREIGN))


def _docstrings(file: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' escape sequences
            tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError, RecursionError, ValueError):
        return  # a template, or a file for another Python
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield text.strip()
