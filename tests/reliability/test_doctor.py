"""The doctor says what is there, what is missing and what to do, and never falls over."""

import json
import subprocess
import sys

import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.reliability import doctor, known_bad, selftest
from unified_io.reliability.finding import Finding, as_json, as_text, exit_code, guarded

GOOD = {
    "python": "3.12.1",
    "jax": "0.12.0.1",
    "jaxlib": "0.12.0",
    "flax": "0.12.12",
    "orbax-checkpoint": "0.12.8",
    "seqio": "0.0.20",
    "tensorboard": "2.21.0",
    "tensorflow-datasets": "4.9.10",
    "importlib-resources": "6.5",
    "sentencepiece": "0.2.3",
    "protobuf": "7.36.2",
}


def by_name(findings) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_a_sound_machine_passes_the_self_test():
    found = by_name(selftest.run())
    assert {name: finding.state for name, finding in found.items()} == {
        "tiny model": "ok",
        "checkpoint": "ok",
        "text tokenizer": "ok",
    }
    assert "a flipped bit was found" in found["checkpoint"].what


def test_the_self_test_sees_a_checkpoint_that_is_not_verified(monkeypatch):
    monkeypatch.setattr("unified_io.checkpoint.manifest.damage", lambda *_: None)
    assert by_name(selftest.run())["checkpoint"].state == "failed"


def test_the_self_test_sees_gradients_that_are_not_finite(monkeypatch):
    step = selftest._step

    def broken(params, batch):
        result, grads = step(params, batch)
        grads["encoder"]["encoder_norm"]["scale"] = np.full(3, np.nan)
        return result, grads

    monkeypatch.setattr(selftest, "_step", broken)
    found = by_name(selftest.run())["tiny model"]
    assert found.state == "failed" and "not finite" in found.what and found.remedy


def test_the_self_test_sees_a_mask_that_lets_examples_meet(monkeypatch):
    from unified_io.nn import masks

    monkeypatch.setattr(masks, "segments", lambda q, k: (q[:, None, :, None] > 0) & (k[:, None, None, :] > 0))
    found = by_name(selftest.run())["tiny model"]
    assert found.state == "failed" and "packed" in found.what


def test_versions_that_work_together_are_not_complained_about():
    assert list(known_bad.found(GOOD)) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"python": "3.13.0"}, "python"),
        ({"protobuf": "6.33.6"}, "sentencepiece and protobuf"),
        ({"importlib-resources": None}, "tensorflow-datasets and importlib_resources"),
        ({"tensorboard": None}, "seqio and tensorboard"),
        ({"jaxlib": "0.10.2"}, "jax and jaxlib"),
        ({"flax": "0.10.4"}, "jax and flax"),
        ({"jax": "0.9.1", "jaxlib": "0.9.1"}, "jax"),
        ({"orbax-checkpoint": "1.0.0"}, "orbax-checkpoint"),
    ],
)
def test_a_known_bad_combination_is_named_with_its_remedy(change, name):
    have = {package: version for package, version in (GOOD | change).items() if version}
    (found,) = known_bad.found(have)
    assert found.name == name and found.state != "ok" and found.remedy


def test_a_package_that_is_not_installed_is_no_combination():
    assert list(known_bad.found({"python": "3.12.1", "protobuf": "6.33.6"})) == []


@pytest.mark.parametrize(
    ("version", "numbers"), [("0.12.0.1", (0, 12, 0, 1)), ("2.0rc1", (2, 0)), ("1.0.dev3", (1, 0)), ("x", ())]
)
def test_versions_compare_by_number(version, numbers):
    assert known_bad.release(version) == numbers


def test_this_machine_is_examined(tmp_path):
    found = by_name(doctor.examine(tmp_path / "runs", self_test=False))
    assert found["devices"].state == found["bfloat16"].state == found["folder"].state == "ok"
    assert "jax" in found["versions"].what
    assert doctor.OPTIONAL.keys() <= found.keys()


def test_a_folder_that_can_not_be_written_fails(tmp_path):
    (tmp_path / "file").touch()
    found = by_name(doctor.examine(tmp_path / "file", self_test=False))
    assert found["folder"].state == "failed" and "choose" in found["folder"].remedy


BLOCKED = """
import json, sys
for name in {missing!r}:
    sys.modules[name] = None
from unified_io.reliability import doctor, finding
found = doctor.examine({folder!r})
print(json.dumps(finding.as_json(found)))
sys.exit(finding.exit_code(found))
"""


@pytest.mark.parametrize(
    ("missing", "code", "states"),
    [
        (
            ("seqio", "tensorflow", "gin", "av", "espeakng_loader", "sklearn", "librosa"),
            0,
            {"seqio": "warning", "av": "warning", "tiny model": "ok", "text tokenizer": "ok"},
        ),
        (
            ("sentencepiece",),
            0,
            {"sentencepiece": "warning", "tiny model": "ok", "text tokenizer": "warning"},
        ),
        (("jax",), 1, {"versions": "ok", "memory": "ok", "devices": "failed", "self-test": "failed"}),
    ],
    ids=["no data packages", "no sentencepiece", "no jax"],
)
def test_it_works_where_packages_are_missing(missing, code, states, tmp_path):
    script = BLOCKED.format(missing=missing, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    found = {check["name"]: check for check in json.loads(done.stdout.splitlines()[-1])["checks"]}
    assert {name: found[name]["state"] for name in states} == states
    assert all(check["remedy"] for check in found.values() if check["state"] == "failed")


def test_whatever_goes_wrong_in_a_check_is_a_finding():
    found: list[Finding] = []
    with guarded("disk", "buy one", found):
        raise ConfigError("it is full\nvery full")
    assert found == [Finding("disk", "failed", "ConfigError: it is full", "buy one")]


@pytest.mark.parametrize(("states", "code"), [(("ok",), 0), (("ok", "warning"), 0), (("failed", "ok"), 1)])
def test_only_a_failure_is_told_by_the_exit_code(states, code):
    findings = [Finding(state, state, "seen", "" if state == "ok" else "mend it") for state in states]
    assert exit_code(findings) == code
    counted = as_json(findings)
    assert {state: counted[state] for state in states} == {state: 1 for state in states}
    text = as_text(findings)
    assert all(state in text for state in states)
    assert ("-> mend it" in text) == (states != ("ok",))


def test_the_doctor_imports_nothing_heavy_before_it_looks():
    script = """
import json, sys
from unified_io.reliability import doctor
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"jax", "flax", "numpy", "tensorflow"} & {*json.loads(done.stdout)}
