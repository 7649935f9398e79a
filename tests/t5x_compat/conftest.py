"""One tiny training on our engine that the tests of T5X's surface share."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.own_gin import gin_of_its_own
from tests.t5x_compat import tiny_job
from unified_io import cli
from unified_io.gin_edge import session
from unified_io.gin_edge.files import PACKAGED


@pytest.fixture(autouse=True)
def own_gin() -> Iterator[None]:
    """Every test has one."""
    with gin_of_its_own():
        yield


@pytest.fixture(scope="session")
def search_paths(tmp_path_factory) -> list[str]:
    """Where the files of the tiny job and our run files lie."""
    folder = tmp_path_factory.mktemp("t5x_job")
    (folder / "tiny_model.gin").write_text(tiny_job.MODEL)
    (folder / "tiny_job.gin").write_text(tiny_job.JOB)
    return [str(folder), f"{PACKAGED}/t5x/engine"]


@pytest.fixture(scope="session")
def built(search_paths) -> Callable[..., Any]:
    """Returns `built(run, *bindings)`: the job of a T5X user's command line."""

    def build(run: str, *bindings: str) -> Any:
        files = [f"{name}.gin" for name in ("tiny_model", run, "tiny_job")]
        with gin_of_its_own():
            return session.build(session.parse(files, bindings, search_paths), cli.run)

    return build


@pytest.fixture(scope="session")
def t5x(search_paths) -> Callable[..., str]:
    """Returns `t5x(verb, run, *flags)`: runs a T5X user's command line on our engine and returns what it printed."""

    def command(verb: str, run: str, *flags: str, code: int = cli.OK) -> str:
        paths = f"--gin_search_paths={','.join(search_paths)}"
        files = [f"--gin_file={name}.gin" for name in ("tiny_model", run, "tiny_job")]
        said = io.StringIO()
        with gin_of_its_own(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            found = cli.main([verb, paths, *files, *flags])
        assert found == code, said.getvalue()
        return said.getvalue()

    return command


@pytest.fixture(scope="session")
def trained(t5x, tmp_path_factory) -> Path:
    """The MODEL_DIR of three steps."""
    model_dir = tmp_path_factory.mktemp("t5x_run") / "run"
    t5x(
        "train",
        "pretrain",
        f"--gin.MODEL_DIR={model_dir}",
        "--gin.TRAIN_STEPS=3",
        "--gin.EVAL_STEPS=2",
        "--gin.train.eval_period=2",
        "--gin.utils.SaveCheckpointConfig.period=2",
    )
    return model_dir
