"""Our numbers against fixtures: our own, which lie here, and the official ones where they lie beside the checkout.

Our own were computed by the NumPy reference, which the official ones hold to account here as well.
"""

import ast
import json
import re
import shutil
import sys
from pathlib import Path

import check_golden
import make_golden
import numpy as np
import pytest
from parity.fixture import LAST_PLACES, Fixture
from reference import fixtures, shapes
from reference.recipes import RECIPES
from safetensors.numpy import load_file, save_file

OWN = Path(__file__).parent / "own"
# The official fixtures whose folders are not named after their kind.
FOLDERS = {"t5x_checkpoint": "t5x_checkpoint_tiny"}
SLOW = {
    "encoder",
    "full_forward",
    "decode",
    "generate_full",
    "decoding",
    "t5x_checkpoint",
    "train_loss",
    "train_loss_packed",
}
# The reference does in float64 what the officials did: it can only be off by what float32 was.
REFERENCE_FACTOR = 2.0


def failures(folder):
    return [verdict for verdict in check_golden.check(folder) if not verdict.passed]


@pytest.mark.parametrize("name", RECIPES)
def test_our_own_fixtures_pass(name):
    assert failures(OWN / name) == []


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in check_golden.CHECKS],
)
def test_official_fixtures_pass(golden, kind):
    assert failures(golden(FOLDERS.get(kind, kind))) == []


@pytest.mark.parametrize("kind", fixtures.KINDS)
def test_the_reference_agrees_with_the_officials(golden, kind):
    fixture = Fixture.open(golden(kind))
    tensors = load_file(fixture.folder / "weights.safetensors")
    assert shapes.of_fixture(fixture.config, fixture.inputs) == {name: x.shape for name, x in tensors.items()}
    outputs = fixtures.compute(fixture.config, tensors, fixture.inputs)
    wanted = [name for name in fixture.outputs if not name.startswith("grads/")]
    assert set(wanted) <= set(outputs)
    wrong = [name for name in wanted if off(fixture, name, outputs[name]) > 1]
    assert wrong == []


def off(fixture, name, output):
    """Error of the reference, in units of what it may be."""
    expected, value = fixture.outputs[name], np.asarray(output.value)
    assert value.shape == expected.shape, name
    if output.real is not None:
        expected, value = expected[output.real], value[output.real]
    error = np.max(np.abs(value - expected.astype(np.float64)), initial=0.0)
    if not np.issubdtype(expected.dtype, np.floating):
        return np.inf if error else 0.0
    floor = fixture.noise.get(name, {}).get("f32_vs_f64_max_abs", 0.0)
    return error / max(REFERENCE_FACTOR * floor, LAST_PLACES * np.max(np.abs(expected), initial=0.0))


def test_the_reference_owes_the_package_nothing():
    allowed = {"numpy", "scipy", "reference", *sys.stdlib_module_names}
    for path in Path(fixtures.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name


def test_every_fixture_of_ours_has_a_recipe():
    assert {path.name for path in OWN.iterdir()} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_what_lies_here_is_what_the_reference_computes(name):
    """Numbers, noise floors and sizes; the random numbers themselves may be another NumPy's."""
    stored, recipe = Fixture.open(OWN / name), RECIPES[name]
    described = {"fixture": recipe.kind, "config": recipe.config, "cases": recipe.cases, **recipe.more}
    assert {key: stored.config[key] for key in described} == described
    tensors = load_file(stored.folder / "weights.safetensors")
    assert shapes.of_fixture(stored.config, stored.inputs) == {name: x.shape for name, x in tensors.items()}
    outputs, single = (
        fixtures.compute(stored.config, tensors, stored.inputs, t) for t in (np.float64, np.float32)
    )
    assert set(stored.outputs) == {name for name in outputs if re.fullmatch(recipe.keep, name)}
    for key, value in stored.outputs.items():
        assert np.isfinite(value).all(), key
        np.testing.assert_allclose(outputs[key].value, value, rtol=1e-6, atol=1e-6, err_msg=key)
        if np.issubdtype(value.dtype, np.floating):
            floor = make_golden.noise(key, outputs[key], single)
            assert stored.noise[key]["masked"] == floor["masked"], key
            allowed = 5 * floor["f32_vs_f64_max_abs"] + LAST_PLACES * floor["max_abs_value"]
            assert stored.noise[key]["f32_vs_f64_max_abs"] <= allowed, key


def test_a_new_fixture_passes(tmp_path):
    make_golden.write(tmp_path / "new", RECIPES["hifigan"])
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        path.name for path in (OWN / "hifigan").iterdir()
    }
    assert failures(tmp_path / "new") == []


@pytest.fixture
def copied(tmp_path):
    """A fixture of ours that may be damaged."""
    return Path(shutil.copytree(OWN / "hifigan", tmp_path / "hifigan"))


def verdict_of(folder, monkeypatch, capsys):
    """Runs the checker as from a shell; returns its exit code and what it printed."""
    monkeypatch.setattr(sys, "argv", ["check_golden.py", str(folder)])
    code = check_golden.main()
    return code, capsys.readouterr().out


def change_weight(folder):
    """One number of one weight, by 1 %."""
    path = folder / "weights.safetensors"
    tensors = load_file(path)
    value = tensors["resblocks.0.convs.0.weight_v"]
    value.flat[np.abs(value).argmax()] *= 1.01
    save_file(tensors, path)


def change_output(folder):
    arrays = dict(np.load(folder / "outputs.npz"))
    arrays["waveform"][5] += 1e-3
    np.savez(folder / "outputs.npz", **arrays)


def ask_for_more(folder):
    arrays = dict(np.load(folder / "outputs.npz"))
    np.savez(folder / "outputs.npz", **arrays, unheard_of=np.zeros(3, np.float32))


def truncate(file):
    def cut(folder):
        path = folder / file
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return cut


def mistake_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "fixture": "hifi"}))


def test_the_checker_passes_what_is_right(copied, monkeypatch, capsys):
    code, out = verdict_of(copied, monkeypatch, capsys)
    assert code == 0
    assert re.search(r"^hifigan  \d+  \S+  \S+  PASS$", out, re.M)
    assert out.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (change_weight, "first: stage0_branch0_out: differs"),
        (change_output, "first: waveform: differs"),
        (ask_for_more, "first: unheard_of: not computed"),
        (truncate("weights.safetensors"), "first: error: SafetensorError"),
        (truncate("outputs.npz"), "first: files: BadZipFile"),
        (mistake_kind, "no check for fixtures of kind 'hifi'"),
    ],
)
def test_the_checker_fails_what_is_wrong(copied, monkeypatch, capsys, damage, named):
    damage(copied)
    code, out = verdict_of(copied, monkeypatch, capsys)
    assert code == 1
    assert re.search(r"^hifigan  \d+  \S+  \S+  FAIL$", out, re.M)
    assert re.search(named, out), out
    assert out.splitlines()[-1] == "0 passed, 1 failed"
