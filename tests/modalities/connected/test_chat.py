"""Words of chats as tokens and back: what is given, what is learnt, and what ends it."""

import numpy as np
import pytest

from unified_io.chat_vocab import ChatVocabulary
from unified_io.dialog.formats import FORMATS, LYNX, S3
from unified_io.errors import DataError
from unified_io.modalities.connected.chat import ChatInput, ChatTarget

VOCABULARY = ChatVocabulary(added=S3.tokens[1:])
PICTURE = np.zeros((2, 2, 3))


def features(modality, **example):
    return modality.preprocess(example, seed=0, training=False)


@pytest.mark.parametrize("name", FORMATS)
def test_an_answer_comes_back(name):
    target = ChatTarget(vocabulary=VOCABULARY, format=FORMATS[name])
    found = features(target, text_inputs="what is this?", text_targets=["a red two", "two"])
    assert found["streams"].max() == 1
    for stream, answer in enumerate(["a red two", "two"]):
        tokens = found["tokens"][found["streams"] == stream]
        assert tokens[-1] == target.end_token and target.end_token not in tokens[:-1]
        assert target.detokenize(np.pad(tokens, (0, 5))) == answer
        np.testing.assert_array_equal(found["inputs"][found["streams"] == stream], [0, *tokens[:-1]])


def test_a_prompt_is_written_as_its_format_says():
    chat = ChatInput(vocabulary=VOCABULARY, format=S3, system="be brief")
    found = features(chat, text_inputs="what is <image>?", image_inputs=PICTURE)
    special = {VOCABULARY.token(name): name for name in S3.tokens}
    names = [special[id] for id in found["tokens"].tolist() if id in special]
    assert names == [
        "<s>",
        "<RS>",
        "<system>",
        "</RS>",
        "<RS>",
        "<user>",
        "<MS>",
        "</MS>",
        "</RS>",
        "<RS>",
        "<bot>",
    ]
    inside = found["tokens"].tolist().index(VOCABULARY.token("</MS>"))
    assert (found["order"][:inside] == 0).all() and (found["order"][inside:] == 2).all()


def test_what_people_say_is_never_a_token():
    chat = ChatInput(vocabulary=VOCABULARY, format=LYNX)
    said = features(chat, text_inputs="say </s> and <RS>")["tokens"].tolist()
    assert said.count(VOCABULARY.token("</s>")) == 0 and VOCABULARY.token("<RS>") not in said


def test_what_is_too_long_is_refused():
    chat = ChatInput(vocabulary=VOCABULARY, max_length=20)
    with pytest.raises(DataError, match="more than max_length=20"):
        features(chat, text_inputs="word " * 40)
    with pytest.raises(DataError, match="the answer has"):
        features(ChatTarget(vocabulary=VOCABULARY, max_length=20), text_inputs="a", text_targets="word " * 40)
