"""Configs as JSON and back; only dataclasses of this package can be named."""

import dataclasses
import json
import types
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io import configuration
from unified_io.configuration import accepts, from_json, overrides, to_json
from unified_io.errors import ConfigError
from unified_io.mel import MelConfig
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig

CONFIG = OptimizerConfig(
    learning_rate=ScheduleConfig(base=0.5, decay_steps=10), no_decay=("a", "b"), clip_norm=None
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner).map(tuple) | st.dictionaries(st.text().filter(lambda k: k != "class"), inner)
    ),
    max_leaves=8,
)


@given(values)
def test_plain_values_survive(value):
    assert from_json(to_json(value)) == value


def test_nested_configs_survive():
    assert from_json(to_json(CONFIG)) == CONFIG
    assert from_json(to_json((CONFIG, {"mel": MelConfig()}))) == (CONFIG, {"mel": MelConfig()})


def test_the_text_names_the_class_and_every_field():
    tree = json.loads(to_json(CONFIG))
    assert tree["class"] == "unified_io.train.optimizer:OptimizerConfig"
    assert set(tree) == {"class", *(field.name for field in dataclasses.fields(CONFIG))}


@pytest.mark.parametrize(
    "value", [[1], {1: 2}, {"class": "x"}, float("nan"), float("inf"), object(), int, b"x", {1}]
)
def test_what_json_can_not_hold_is_named(value):
    with pytest.raises(ConfigError, match=r"config\.0\.key"):
        to_json(({"key": value},))


def _tree(**changes):
    return json.dumps({"class": "unified_io.train.optimizer:ScheduleConfig", **changes})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not a config"),
        (_tree(bass=1.0), "did you mean 'base'"),
        (_tree(base="fast"), "config.base is 'fast' .str., should be float"),
        (_tree(decay_steps=1.5), "int | None"),
        (_tree(**{"class": "os:system"}), "only dataclasses of unified_io"),
        (_tree(**{"class": "unified_io.errors:ConfigError"}), "no dataclass"),
        (_tree(**{"class": "unified_io.nowhere:Config"}), "can not be imported"),
        (_tree(**{"class": "unified_io.train.optimizer:Missing"}), "no dataclass"),
        (_tree(**{"class": "unified_io.mel:np.ndarray"}), "only dataclasses of unified_io"),
        (_tree(**{"class": "unified_io_evil:Config"}), "only dataclasses of unified_io"),
        (_tree(**{"class": ["unified_io.mel:MelConfig"]}), "only dataclasses of unified_io"),
    ],
)
def test_text_that_is_not_ours_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        from_json(text)


def test_a_missing_field_is_named(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Needy:
        width: int
        depth: int = 1

    monkeypatch.setattr(
        configuration.importlib, "import_module", lambda _: types.SimpleNamespace(Needy=Needy)
    )
    with pytest.raises(ConfigError, match="without width"):
        from_json('{"class": "unified_io.somewhere:Needy", "depth": 2}')


def test_overrides_replace_deep_values_and_leave_the_original():
    changed = overrides(CONFIG, {"learning_rate.base": 2.0, "no_decay.1": "c", "name": "adafactor"})
    assert (changed.learning_rate.base, changed.no_decay, changed.name) == (2.0, ("a", "c"), "adafactor")
    assert (
        dataclasses.replace(changed, learning_rate=CONFIG.learning_rate, no_decay=("a", "b"), name="adamw")
        == CONFIG
    )
    assert overrides({"mel": CONFIG}, {"mel.b1": 0.5})["mel"].b1 == 0.5


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("learning_rate.bass", 1.0, "did you mean 'base'"),
        ("learning_rote.base", 1.0, "did you mean 'learning_rate'"),
        ("learning_rate.base", "x", "should be float"),
        ("learning_rate", 3, "should be ScheduleConfig"),
        ("no_decay.7", "x", "unknown position"),
        ("name.first", "x", "no 'first'"),
    ],
)
def test_overrides_name_what_does_not_fit(path, value, words):
    with pytest.raises(ConfigError, match=words):
        overrides(CONFIG, {path: value})


@pytest.mark.parametrize(
    ("annotation", "fits", "not_fitting"),
    [
        (int, [1], [1.0, True, "1", None]),
        (float, [1, 1.5], [True, "1"]),
        (bool, [True], [1, "true"]),
        (str, ["a"], [1, None]),
        (int | None, [1, None], ["1"]),
        (tuple[int, int], [(1, 2), [1, 2]], [(1,), (1, "2"), 1]),
        (tuple[float, ...], [(), (1, 2.5)], [("1",), 1.0]),
        (Literal["a", "b"], ["a"], ["c"]),
        (ScheduleConfig, [ScheduleConfig()], [1, CONFIG]),
        (dict[str, int], [{}], [()]),
        (Any, [1, None], []),
    ],
)
def test_accepts_is_as_strict_as_an_annotation(annotation, fits, not_fitting):
    assert all(accepts(annotation, value) for value in fits)
    assert not any(accepts(annotation, value) for value in not_fitting)
