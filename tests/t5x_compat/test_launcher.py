"""T5X is started where it is there; where it is not, the way to get it is told."""

import importlib
import subprocess
import sys

import jax
import pytest

from unified_io.errors import ConfigError
from unified_io.gin_edge.files import PACKAGED
from unified_io.t5x_compat import __main__ as command
from unified_io.t5x_compat import launcher


@pytest.fixture
def upstream(tmp_path, monkeypatch):
    """A package called t5x that writes down how it was started."""
    package = tmp_path / "t5x"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "infer.py").write_text(
        "import sys\n"
        "from jax.experimental.pjit import PartitionSpec\n"
        "import airio.core as airio\n"
        "assert issubclass(airio.Task, object) and airio.dataset_providers.Mixture is airio.Mixture\n"
        "import __main__ as infer_script\n"
        "assert infer_script.__spec__.name == 't5x.infer'\n"
        "print(__name__, *sys.argv)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.delitem(sys.modules, "t5x", raising=False)
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield
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


@pytest.mark.parametrize("given", [["--gin_search_paths=a,b"], ["--gin_search_paths", "a,b"]])
def test_the_users_folders_come_first(given):
    made = launcher.with_search_paths(["--x=1", *given, "--y=2"])
    assert made == ["--x=1", "--y=2", f"--gin_search_paths=a,b,{PACKAGED}/t5x/runs,{PACKAGED}"]


def test_where_t5x_is_absent_the_recipe_is_told(monkeypatch, capsys):
    monkeypatch.setattr(launcher, "_exists", lambda module: False)
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
    script = (
        "import importlib, sys, unified_io.t5x_compat as package, pkgutil\n"
        "for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "found = sorted({'t5x', 'airio', 'jestimator', 'fiddle'} & set(sys.modules))\n"
        "sys.exit(f'imports {found}' if found else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
