"""A server of a connected model: chats with media in their turns, as a whole and as they are written."""

import base64
import io
import json

import httpx
import numpy as np
import openai
import pytest
from PIL import Image

from unified_io.errors import ConfigError
from unified_io.preprocess import sound


def png(seed):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def wav():
    file = io.BytesIO()
    sound.write_wav(file, 0.3 * np.sin(np.arange(2000) / 9.0), 8000)
    return file.getvalue()


def base(data):
    return base64.b64encode(data).decode()


def picture(data):
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base(data)}"}}


def words(text):
    return {"type": "text", "text": text}


HEARD = {"type": "input_audio", "input_audio": {"data": base(wav()), "format": "wav"}}
MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [words("see"), picture(png(0))]},
    {"role": "assistant", "content": "a seven"},
    {"role": "user", "content": [words("is"), picture(png(1)), words("like"), HEARD]},
]
OPTIONS = {"temperature": 1.0, "top_p": 1.0, "seed": 3}


@pytest.fixture(scope="module")
def said(sensing):
    """What the model itself says to the messages."""
    dialog = {
        "system": "be brief",
        "messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "a seven"}],
    }
    media = {"image": [png(0), png(1)], "audio": wav()}
    asked = {"text": "is <image> like <audio>", "dialog": dialog, **media}
    return sensing.generate("text", **asked, max_length=8, **OPTIONS)


@pytest.fixture
def client(url):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120, max_retries=0)


def test_a_chat_of_several_turns_has_its_media_in_their_places(client, said):
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=8, **OPTIONS)
    assert answer.choices[0].message.content == said
    turned = [MESSAGES[0], MESSAGES[3], MESSAGES[2], MESSAGES[1]]
    other = client.chat.completions.create(model="tiny", messages=turned, max_tokens=8, **OPTIONS)
    assert other.choices[0].message.content != said


def test_a_chat_comes_as_it_is_written(client, said):
    chunks = client.chat.completions.create(
        model="tiny", messages=MESSAGES, max_tokens=8, stream=True, **OPTIONS
    )
    found = [chunk.choices[0] for chunk in chunks]
    assert "".join(one.delta.content or "" for one in found) == said
    assert found[-1].finish_reason in ("stop", "length")


def ask(url, **inputs):
    body = {"inputs": inputs, "options": {"max_length": 8, **OPTIONS}}
    return httpx.post(f"{url}/v1/generate", json=body, timeout=120)


def test_the_own_interface_takes_dialogs_lists_of_pictures_points_and_motion(url, sensing):
    dialog = {"messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "a seven"}]}
    rng = np.random.default_rng(2)
    numbers = {"point_cloud": rng.normal(size=(20, 3)).tolist(), "imu": rng.normal(size=(50, 6)).tolist()}
    uris = [f"data:image/png;base64,{base(png(seed))}" for seed in (0, 1)]
    asked = {"text": "and <image>?", "dialog": dialog}
    found = ask(url, **asked, image=uris, **numbers)
    arrays = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
    assert found.status_code == 200, found.text
    expected = sensing.generate("text", **asked, image=[png(0), png(1)], **arrays, max_length=8, **OPTIONS)
    assert found.json()["value"] == expected


def test_a_picture_is_answered_about_without_places(url, sensing):
    found = ask(url, text="what?", image=f"data:image/png;base64,{base(png(0))}")
    assert found.status_code == 200 and found.json()["boxes"] == []
    assert found.json()["value"] == sensing.generate(
        "text", text="what?", image=png(0), max_length=8, **OPTIONS
    )
    with pytest.raises(ConfigError, match="no words for places"):
        sensing.localize(png(0), "a dog")
    with pytest.raises(ConfigError, match="does not know where in a picture things are"):
        sensing.boxes_in("a dog", png(0))


def test_an_answer_is_held_to_a_form_of_words(url, client):
    schema = {"enum": ["cat", "dog"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = client.chat.completions.create(
        model="tiny", messages=MESSAGES, response_format=form, max_tokens=8, **OPTIONS
    )
    assert json.loads(answer.choices[0].message.content) in ("cat", "dog")
    body = {"inputs": {"text": "say"}, "options": {"constraint": "one_box"}}
    found = httpx.post(f"{url}/v1/generate", json=body, timeout=120)
    assert found.status_code == 400 and "no form 'one_box'" in found.json()["error"]["message"]


def test_the_own_interface_streams(url, sensing):
    body = {"inputs": {"text": "say"}, "options": {"max_length": 8, **OPTIONS}, "stream": True}
    with httpx.stream("POST", f"{url}/v1/generate", json=body, timeout=120) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    events = [json.loads(line) for line in lines]
    assert events[-1]["done"] and not any(event["done"] for event in events[:-1])
    assert events[-1]["value"] == sensing.generate("text", text="say", max_length=8, **OPTIONS)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"text": "<image> <image>", "image": f"data:image/png;base64,{base(png(0))}"},
            "turn 0 lacks the medium of a slot <image>",
        ),
        (
            {"text": "<image>", "image": [f"data:image/png;base64,{base(png(i))}" for i in (0, 1)]},
            "2 media of kind 'image' but slots <image> for 1",
        ),
        ({"text": "a", "dialog": {"messages": [{"role": "bots", "text": "a"}]}}, "role in turn 0"),
        ({"text": "a", "dialog": {"messages": [{"role": "user", "text": ""}]}}, "turn 0 is empty"),
        ({"text": "a", "dialog": {"messages": [{"role": "user"}]}}, "want JSON such as"),
        ({"text": "a", "point_cloud": [[0.0, 0.0, None]]}, "that are NaN"),
        ({"text": "a", "imu": [[0.0] * 5]}, "the motion is of shape (1, 5)"),
        ({"text": "a", "image": ["/etc/passwd"]}, "nothing is fetched or opened"),
    ],
)
def test_what_can_not_be_answered_is_named(url, inputs, said):
    found = ask(url, **inputs)
    assert 400 <= found.status_code < 500 and said in found.json()["error"]["message"], found.text


def test_a_chat_that_can_not_be_is_named(client):
    for messages, said in (
        ([{"role": "robot", "content": "a"}], "want an object with a role"),
        ([{"role": "user", "content": [{"type": "video_url"}]}], "want text, image_url or input_audio"),
        ([{"role": "assistant", "content": "a"}], "the last message is to be the user's"),
    ):
        with pytest.raises(openai.BadRequestError, match=said):
            client.chat.completions.create(model="tiny", messages=messages)
