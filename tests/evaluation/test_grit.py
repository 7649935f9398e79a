"""The total of seven tasks."""

import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import grit


def test_the_total_is_the_mean_of_seven():
    scores = dict.fromkeys(grit.TASKS, 0.5) | {"vqa": 1.0}
    assert len(grit.TASKS) == 7
    assert grit.total(scores) == pytest.approx(0.5 + 0.5 / 7)


def test_every_task_is_judged_in_zero_to_one():
    assert all((metric.best, metric.worst) == (1.0, 0.0) for metric in grit.TASKS.values())


def test_refuses_missing_unknown_and_percentages():
    scores = dict.fromkeys(grit.TASKS, 0.5)
    with pytest.raises(DataError, match="no score for normal"):
        grit.total({name: 0.5 for name in scores if name != "normal"})
    with pytest.raises(ConfigError, match="did you mean 'normal'"):
        grit.total(scores | {"normals": 0.5})
    with pytest.raises(DataError, match="percentage"):
        grit.total(scores | {"vqa": 71.0})
