"""What a gin file may import and touch, and what it can not even load."""

import sys

import pytest

from unified_io.errors import ConfigError
from unified_io.gin_edge import session

BEGIN = "from __gin__ import dynamic_registration\n"


def parse(folder, **files):
    """Parses `first.gin`, which may include the others."""
    for name, text in files.items():
        (folder / f"{name}.gin").write_text(BEGIN + text + "\n")
    return session.parse(["first.gin"], [], [str(folder)])


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import os",
            "import os.path",
            "from os import path",
            "import os as seqio",
            "from subprocess import run",
        ),
        *(
            "import builtins",
            "import importlib",
            "import jax",
            "from flax import serialization",
            "import tests.tiny",
        ),
    ],
)
def test_only_our_packages_and_seqio_are_imported(tmp_path, line):
    with pytest.raises(
        ConfigError, match=r"first\.gin:2: a gin file may not import .* unified_io, data_tasks, seqio"
    ):
        parse(tmp_path, first=line)


def test_what_may_not_be_imported_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "canary.py").write_text(f"open({str(tmp_path / 'sang')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="may not import 'canary'"):
        parse(tmp_path, first="include 'second.gin'", second="import canary")
    assert "canary" not in sys.modules and not (tmp_path / "sang").exists()


@pytest.mark.parametrize(
    "line",
    [
        "import unified_io._hidden",
        "from seqio import _hidden",
        "from unified_io import errors\nX = @errors._nearest()",
        "from unified_io import errors\nX = @errors.__builtins__.eval()",
        "from unified_io import errors\nerrors.unknown.__init__.x = 1",
    ],
)
def test_what_a_package_keeps_to_itself_is_not_touched(tmp_path, line):
    with pytest.raises(ConfigError, match="private"):
        parse(tmp_path, first=line)


@pytest.mark.parametrize(
    "line",
    [
        "from unified_io.gin_edge import files\nX = @files.importlib.import_module()",
        "from unified_io.gin_edge import session\nX = @session.os.replace()",
        "from unified_io import model\nX = @model.jax.jit()",
    ],
)
def test_no_module_is_a_way_into_another_package(tmp_path, line):
    with pytest.raises(ConfigError, match="no class or function of unified_io, data_tasks, seqio"):
        parse(tmp_path, first=line)
