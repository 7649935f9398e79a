"""An action and the state it leads to, in one answer; each is judged on its own."""

import numpy as np
import pytest

from data_tasks.formats.act_states import ACTION, LEADS, ActAndState
from tests.data_tasks.formats.painting import gradient
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, raw
from unified_io.errors import DataError

FORM = ActAndState("act_states")
STATES = [[0.0, 0.0, 0.0], [1.0, -50.0, 7.0], [2.0, 3.0, 6.0]]


def walk(count=2, states=STATES):
    images = [gradient() * (n + 1) / 3 for n in range(count)]
    return raw(images=images, goal="Find the lamp", actions=["left", "Forward"], states=states)


def test_laws_and_oracle():
    check_laws(FORM, walk())
    # A number read back lies within half a bin of that written.
    assert oracle(FORM, [walk()] * 2) == pytest.approx(best(FORM), abs=0.001)


def test_the_action_and_the_state_are_those_of_the_current_picture():
    fields = made(FORM, walk())
    assert fields["text_targets"].startswith("forward ( <extra_id_")
    assert FORM.truth(fields)["state"] == pytest.approx([0.52, 0.53, 6 / (2 * np.pi)])
    assert "left" in fields["text_inputs"] and "forward" not in fields["text_inputs"].partition("<image")[2]


def test_a_right_action_that_leads_elsewhere_is_half_right():
    fields = made(FORM, walk())
    truth = FORM.truth(fields)
    elsewhere = FORM.parse(made(FORM, walk(states=[*STATES[:2], [50.0, -50.0, 0.0]]))["text_targets"], fields)
    assert ACTION.total([elsewhere], [truth]) == 1.0
    assert LEADS.total([elsewhere], [truth]) > 0.3


@pytest.mark.parametrize(
    "answer", ["", "forward", "(", "( <extra_id_300> )", "1 ( ) (", "<extra_id_200>" * 9]
)
def test_any_answer_is_judged(answer):
    fields = made(FORM, walk())
    prediction, truth = FORM.parse(answer, fields), FORM.truth(fields)
    assert 0.0 <= ACTION.total([prediction], [truth]) <= 1.0
    assert 0.0 <= LEADS.total([prediction], [truth]) <= 1.0


def test_a_state_too_few_is_named():
    with pytest.raises(DataError, match="has 2 for 2 images; want one more"):
        made(FORM, walk(states=STATES[:2]))
    with pytest.raises(DataError):
        made(FORM, walk(count=0))
