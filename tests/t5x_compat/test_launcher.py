"""T5X is started where it is there; where it is not, the way to get it is told."""

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import jax
import pytest

import unified_io.t5x_compat
from unified_io.errors import ConfigError
from unified_io.gin_edge.files import PACKAGED
from unified_io.t5x_compat import __main__ as command
from unified_io.t5x_compat import launcher


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A package called t5x that writes down how it was started."""
    package = tmp_path / "t5x"
    package.mkdir()
    # T5X imports nearly all of itself as soon as anyone looks into the package.
    (package / "__init__.py").write_text(
        "from jax.experimental.pjit import PartitionSpec\n"
        "import airio.core as airio\n"
        "assert issubclass(airio.Task, object) and airio.dataset_providers.Mixture is airio.Mixture\n"
    )
    (package / "infer.py").write_text(
        "import sys\n"
        "import __main__ as infer_script\n"
        "assert infer_script.__spec__.name == 't5x.infer'\n"
        "print(__name__, *sys.argv)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.delitem(sys.modules, "t5x", raising=False)
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield package
    for name in {name for name in set(sys.modules) - before if name.split(".")[0] in ("t5x", "airio")}:
        del sys.modules[name]


def test_upstream_is_run_as_a_script_with_its_own_flags(upstream, capsys):
    assert command.main(["infer", "--gin_file=infer.gin", "--gin.BATCH_SIZE=4"]) == 0
    name, module, *flags = capsys.readouterr().out.split()
    assert name == "__main__" and module.endswith("infer.py")
    assert flags[:2] == ["--gin_file=infer.gin", "--gin.BATCH_SIZE=4"]
    assert flags[2].endswith(f",{PACKAGED}/t5x/runs,{PACKAGED}")
    from jax.experimental import pjit

    assert pjit.PartitionSpec is jax.sharding.PartitionSpec


@pytest.mark.parametrize(
    "given", [["--gin_search_paths=a,b"], ["--gin_search_paths", "a,b"], ["-gin_search_paths=a,b"]]
)
def test_the_users_folders_come_first(given):
    made = launcher.with_search_paths(["--x=1", *given, "--y=2"])
    assert made == ["--x=1", "--y=2", f"--gin_search_paths=a,b,{PACKAGED}/t5x/runs,{PACKAGED}"]


def test_what_t5x_lacks_is_told_with_the_recipe(upstream, capsys):
    (upstream / "__init__.py").write_text("import a_package_of_its_own\n")
    importlib.invalidate_caches()
    assert command.main(["train"]) == 2
    told = capsys.readouterr().err
    assert "No module named 'a_package_of_its_own'" in told and ".[t5x]" in told


@pytest.mark.parametrize("there", ["nothing", "a folder of that name"])
def test_where_t5x_is_absent_the_recipe_is_told(there, tmp_path, monkeypatch, capsys):
    if importlib.util.find_spec("t5x") is not None:
        pytest.skip("T5X is installed")
    if there != "nothing":
        (tmp_path / "t5x" / "runs").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path))
    assert command.main(["train"]) == 2
    told = capsys.readouterr().err
    assert "git+https://github.com/google-research/t5x" in told and "docs/t5x.md" in told


@pytest.mark.parametrize("argv", [[], ["trian"]])
def test_another_mode_is_refused(argv, capsys):
    assert command.main(argv) == 2
    assert "train|eval|infer" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        launcher.launch("trian", [])


def test_nothing_of_t5x_is_imported_by_this_package():
    for path in Path(unified_io.t5x_compat.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign = {"t5x", "airio", "jestimator", "fiddle"} & {name.split(".")[0] for name in names}
            assert not foreign, f"{path.name}:{node.lineno}"
