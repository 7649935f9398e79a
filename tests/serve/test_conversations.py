"""Messages of OpenAI's interface as inputs: turns for models that read dialogs, one prompt for others."""

import base64
import io
import json

import numpy as np
from PIL import Image

from unified_io.modalities.connected.talk import conversation
from unified_io.serve.limits import Limits
from unified_io.serve.openai import _conversation


def picture(value):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(file, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": uri}}


MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "see"}, picture(10)]},
    {"role": "assistant", "content": "an <image> tag"},
    {"role": "user", "content": [picture(200), {"type": "text", "text": "and this?"}]},
]


def test_every_picture_stands_in_its_turn():
    inputs = _conversation(MESSAGES, Limits(), dialogs=True)
    assert inputs["text"] == "<image> and this?" and len(inputs["image"]) == 2
    assert inputs["dialog"] == {
        "system": "be brief",
        "messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "an < image> tag"}],
    }


def test_what_is_said_is_a_conversation_that_can_be_read():
    inputs = _conversation(MESSAGES, Limits(), dialogs=True)
    media = [np.zeros((4, 4, 3)), np.ones((4, 4, 3))]
    fields = {
        "text_inputs": inputs["text"],
        "dialog_inputs": json.dumps(inputs["dialog"]),
        "image_inputs": media,
    }
    dialog = conversation(fields)
    assert [len(message.media) for message in dialog.messages] == [1, 0, 1]


def test_other_models_read_one_prompt_and_see_the_last_picture():
    inputs = _conversation(MESSAGES, Limits(), dialogs=False)
    assert "<image> tag" in inputs["text"] and inputs["text"].startswith("and this? earlier: ")
    assert not isinstance(inputs["image"], list) and "dialog" not in inputs
