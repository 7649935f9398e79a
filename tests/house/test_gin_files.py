"""Every gin file tells how it is run, parses, and builds what it promises."""

import re
from pathlib import Path

import jax
import pytest

from unified_io import cli, configuration
from unified_io.gin_edge import session
from unified_io.model import parameter_shapes

ROOT = Path(__file__).resolve().parents[2]
GIN = ROOT / "gin_configs"
FILES = sorted(path.relative_to(GIN).as_posix() for path in GIN.rglob("*.gin"))
HEADER = ("command", "hardware", "time", "expect")


def _header(name: str) -> str:
    """The comment at the top of a file."""
    lines = (GIN / name).read_text().splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(lines[:end])


@pytest.mark.parametrize("name", FILES)
def test_the_header_says_command_hardware_time_and_what_to_expect(name):
    header = _header(name)
    missing = [key for key in HEADER if not re.search(rf"^# {key}:\s+\S", header, re.M)]
    assert missing == [] or ("not yet run" in header and missing == ["expect"]), header


@pytest.mark.parametrize("name", FILES)
def test_the_command_of_the_header_names_files_that_exist(name):
    named = re.findall(r"gin_configs/[\w/.-]+\.gin|(?:tools|data_tasks)/[\w/.-]+\.py", _header(name))
    assert [path for path in named if not (ROOT / path).is_file()] == []


def _parse(name: str, tmp_path: Path):
    return session.parse([name], [f"MODEL_DIR={str(tmp_path / 'model')!r}"])


def _whole(folder: str) -> list[str]:
    """Files of a folder that are not only parts of others."""
    return [name for name in FILES if name.startswith(folder) and "included by" not in _header(name)]


@pytest.mark.parametrize("name", _whole("model/"))
def test_a_model_survives_its_checkpoint(name, tmp_path):
    config = session.build_macro(_parse(name, tmp_path), "MODEL")
    assert configuration.from_json(configuration.to_json(config)) == config


COUNTED = [name for name in _whole("model/") if "total" in _header(name)]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n != "model/large.gin" else []) for n in COUNTED]
)
def test_a_model_has_as_many_parameters_as_its_header_says(name, tmp_path):
    config = session.build_macro(_parse(name, tmp_path), "MODEL")
    total = int(re.search(r"^# expect:\s+total (\d+)", _header(name), re.M)[1])
    assert sum(leaf.size for leaf in jax.tree.leaves(parameter_shapes(config))) == total


@pytest.mark.parametrize("name", _whole("run/"))
def test_a_run_builds_its_job_and_the_job_has_nothing_against_it(name, tmp_path):
    job = session.build(_parse(name, tmp_path), cli.run)
    job.check()
    lacks = {method for method, _ in cli.VERBS.values() if not callable(getattr(job, method, None))}
    assert lacks <= {"infer"}, "only what a model says of a task's examples may be left to the report"


@pytest.mark.parametrize("name", _whole("run/"))
def test_every_macro_of_a_run_is_read_by_somebody(name, tmp_path):
    reading = _parse(name, tmp_path)
    assert set(reading.macros) - set(reading.uses) - {session.MODEL_DIR} == set()


@pytest.mark.parametrize("name", sorted({*FILES} - {*_whole("")}))
def test_a_part_is_included_by_somebody(name):
    assert any(f'include "{name}"' in (GIN / other).read_text() for other in FILES)
