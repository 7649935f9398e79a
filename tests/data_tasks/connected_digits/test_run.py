"""The four systems on digits: each trains from its gin file, and what a stage does not name stays bit for bit."""

import re

import numpy as np
import pytest

from unified_io import cli, pytree
from unified_io.api.loading import from_pretrained
from unified_io.convert import folders
from unified_io.gin_edge import session

SHORT = ["LANGUAGE_STEPS=2", "ENCODER_STEPS=2", "run.ConnectedRun.examples=2"]
STAGES = {
    "s3": ["stage.Stage.steps=2"],
    "anymal": [f"{scope}/stage.Stage.steps=2" for scope in ("image", "audio", "tuning")],
    "lynx": [f"{scope}/stage.Stage.steps=2" for scope in ("first", "second", "third")],
    "x_instructblip": [f"{scope}/stage.Stage.steps=2" for scope in ("image", "audio")],
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "s3" else pytest.mark.slow) for name in STAGES]
)
def test_a_system_trains_and_answers_and_frozen_parameters_stay(name, tmp_path):
    flags = [f"MODEL_DIR={str(tmp_path)!r}", *SHORT, *STAGES[name]]
    run = session.build(session.parse([f"run/{name}_digits.gin"], flags), cli.run)
    run.check()
    run.train()
    for stage in run.stages:
        begun, ended = (
            pytree.named_leaves(folders.load(tmp_path / "stages" / stage.name / at).params)
            for at in ("begins", "model")
        )
        moved = {key for key in begun if not np.array_equal(begun[key], ended[key])}
        named = {key for key in begun if any(re.search(pattern, key) for pattern in stage.trained)}
        assert moved and moved <= named, sorted(moved - named)
        assert any("connector" in key for key in moved)
    model = from_pretrained(tmp_path)
    picture = np.zeros((32, 32, 3), np.float32)
    assert isinstance(model.generate("text", text="which digit is this?", image=picture, max_length=3), str)
    assert (tmp_path / "report.json").is_file()
