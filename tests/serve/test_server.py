"""The server over loopback: what it answers is what the model says, and what it refuses it refuses by name."""

import base64
import io
import json
import struct
import threading
import zlib

import httpx
import numpy as np
import openai
import pytest
from PIL import Image
from serving import Serving

from unified_io.preprocess import sound
from unified_io.serve.app import make_app
from unified_io.serve.limits import Limits

from .conftest import LIMITS

DRAW = {"temperature": 1.0, "top_p": 1.0}


def uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    sound.write_wav(file, 0.3 * np.sin(np.arange(int(seconds * rate)) / 9.0), rate)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A PNG file of a few bytes that says it is `side` pixels along."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def ask(url, **body):
    return httpx.post(f"{url}/v1/generate", json=body, timeout=120)


def streamed(url, path, body):
    """The events of an answer that comes as it is written."""
    with httpx.stream("POST", f"{url}{path}", json={**body, "stream": True}, timeout=120) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        return [line.removeprefix("data: ") for line in response.iter_lines() if line]


def test_text_is_what_the_model_says(url, model):
    options = {"seed": 3, "max_length": 8, **DRAW}
    found = ask(
        url, output="text", inputs={"text": "say", "image": uri(png(PICTURE), "image/png")}, options=options
    )
    assert found.status_code == 200 and found.json()["done"]
    assert found.json()["value"] == model.generate("text", text="say", image=png(PICTURE), **options)


def test_boxes_in_a_text_are_told_in_pixels_of_the_picture(url, model):
    inputs = {"text": "find", "image": uri(png(PICTURE), "image/png")}
    found = ask(url, inputs=inputs, options={"constraint": "one_box", "temperature": 1.5, "seed": 2}).json()
    expected = model.boxes_in(found["value"], png(PICTURE))
    assert [one["box"] for one in found["boxes"]] == expected.boxes.tolist() and len(expected) == 1
    box = np.array(found["boxes"][0]["box"])
    assert (box[2:] > box[:2]).all() and (box >= 0).all() and (box <= [20, 30, 20, 30]).all()


def test_pictures_sounds_and_points_come_as_files_and_numbers(url, model):
    picture = ask(url, output="image", inputs={"text": "draw"}, options={"seed": 5}).json()["value"]
    pixels = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(picture.removeprefix("data:image/png;base64,"))))
    )
    np.testing.assert_allclose(pixels / 255, model.generate("image", text="draw", seed=5), atol=1 / 255)

    heard = {"audio": uri(wav(0.2), "audio/wav"), "text": "say"}
    spoken = ask(url, output="audio", inputs=heard, options={"seed": 5}).json()["value"]
    waveform, rate = sound.read_file(base64.b64decode(spoken.removeprefix("data:audio/wav;base64,")))
    assert rate == model.config.target("audio").mel.sample_rate
    whole = model.generate("audio", text="say", audio=wav(0.2), seed=5)
    np.testing.assert_allclose(waveform[:, 0], np.clip(whole, -1, 1), atol=1e-3)

    given = {"text": "write", "action": [[0.1, 0.2, 1.0], [0.5, 0.5, 0.0]]}
    points = ask(url, output="action", inputs=given).json()["value"]
    expected = model.generate("action", text="write", action=np.array(given["action"], np.float32))
    np.testing.assert_allclose(np.reshape(points, (-1, 3)), np.reshape(expected, (-1, 3)), atol=1e-6)


def test_a_picture_comes_row_by_row(url, model):
    body = {"output": "image", "inputs": {"text": "draw"}, "options": {"seed": 1}}
    events = [json.loads(line) for line in streamed(url, "/v1/generate", body)]
    assert events[-1]["done"] and events[-1]["value"] == ask(url, **body).json()["value"]
    assert len(events) > 1 and [e["tokens"] for e in events] == sorted({e["tokens"] for e in events})
    assert not any(event["done"] for event in events[:-1])


def test_many_at_once_are_answered_as_if_each_were_alone(url, model):
    found = {}

    def one(i):
        found[i] = ask(url, inputs={"text": f"say {i}"}, options={"seed": i, "max_length": 6, **DRAW})

    threads = [threading.Thread(target=one, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(6):
        assert found[i].json()["value"] == model.generate(
            "text", text=f"say {i}", seed=i, max_length=6, **DRAW
        )


@pytest.fixture
def client(url):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120, max_retries=0)


def test_the_client_of_openai_chats(client, model):
    said = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "say"}],
        temperature=1.0,
        top_p=1.0,
        seed=2,
        max_tokens=7,
    )
    expected = model.generate("text", text="say", seed=2, max_length=7, **DRAW)
    assert said.choices[0].message.content == expected and said.object == "chat.completion"
    assert said.choices[0].finish_reason == ("length" if said.usage.completion_tokens == 7 else "stop")
    fields = model.read({"text": "say"}, "text")
    read = len(model.config.input("text").preprocess(fields, seed=0, training=False)["tokens"])
    assert said.usage.prompt_tokens == read == said.usage.total_tokens - said.usage.completion_tokens


def test_the_client_of_openai_shows_speaks_and_remembers(client, model):
    parts = [
        {"type": "text", "text": "and now?"},
        {"type": "image_url", "image_url": {"url": uri(png(PICTURE), "image/png")}},
        {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(wav(0.2)).decode(), "format": "wav"},
        },
    ]
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "good day"},
        {"role": "user", "content": parts},
    ]
    said = client.chat.completions.create(model="tiny", messages=messages, temperature=0, max_tokens=6)
    text = "and now? earlier: system: be brief\nuser: hello\nassistant: good day"
    expected = model.generate(
        "text", text=text, image=png(PICTURE), audio=wav(0.2), max_length=6, temperature=0.0
    )
    assert said.choices[0].message.content == expected


def test_the_client_of_openai_gets_json_of_its_schema(client):
    schema = {"type": "array", "items": {"enum": ["cat", "dog"]}, "minItems": 1, "maxItems": 2}
    form = {"type": "json_schema", "json_schema": {"name": "animals", "schema": schema}}
    for seed in range(3):
        said = client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "say"}],
            temperature=1.0,
            seed=seed,
            response_format=form,
        )
        found = json.loads(said.choices[0].message.content)
        assert 1 <= len(found) <= 2 and set(found) <= {"cat", "dog"}
    with pytest.raises(openai.BadRequestError, match="response_format"):
        client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "say"}],
            response_format={"type": "json_object"},
        )


def test_the_client_of_openai_reads_a_stream(client, model):
    chunks = list(
        client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "say"}],
            temperature=1.0,
            top_p=1.0,
            seed=4,
            stream=True,
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[-1].choices[0].finish_reason
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == model.generate("text", text="say", seed=4, **DRAW)


def test_the_client_of_openai_gets_pictures_and_speech(client, model):
    made = client.images.generate(model="tiny", prompt="draw", n=2)
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one.b64_json)))) for one in made.data]
    np.testing.assert_allclose(pixels[1] / 255, model.generate("image", text="draw", seed=1), atol=1 / 255)
    assert not np.array_equal(*pixels)
    spoken = client.audio.speech.create(model="tiny", voice="any", input="say", response_format="wav")
    waveform, _ = sound.read_file(spoken.content)
    np.testing.assert_allclose(waveform[:, 0], np.clip(model.generate("audio", text="say"), -1, 1), atol=1e-3)
    assert [entry.id for entry in client.models.list()] == ["tiny"]


def test_the_client_of_openai_understands_a_refusal(client):
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4' here"):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "say"}])
    with pytest.raises(openai.BadRequestError, match="'tools' means nothing"):
        tools = [{"type": "function", "function": {"name": "f"}}]
        client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "say"}], tools=tools
        )


BAD = {
    "no JSON": (400, b"{", "no JSON"),
    "no object": (400, b"[1]", "send a JSON object"),
    "nested": (400, b'{"inputs":' + b"[" * 90_000 + b"]" * 90_000 + b"}", ""),
    "an unknown output": (400, {"output": "smell"}, "smell"),
    "an unknown input": (400, {"inputs": {"smell": "x"}}, "data"),
    "an unknown option": (400, {"options": {"temprature": 1}}, "temperature"),
    "an option that is not theirs": (400, {"options": {"allow_random": True}}, "allow_random"),
    "an option out of range": (400, {"options": {"temperature": -1}}, "temperature"),
    "an option of another type": (400, {"options": {"temperature": "hot"}}, "temperature"),
    "a form that is none": (400, {"options": {"constraint": [1]}}, "no form"),
    "a stream of another type": (400, {"stream": "yes"}, "true or false"),
    "a path": (400, {"inputs": {"image": "/etc/passwd"}}, "nothing is fetched or opened"),
    "an address": (400, {"inputs": {"image": "http://127.0.0.1/cat.png"}}, "nothing is fetched or opened"),
    "broken base64": (400, {"inputs": {"image": "data:image/png;base64,@@@"}}, "broken"),
    "a picture that is none": (400, {"inputs": {"image": uri(b"nothing", "image/png")}}, "no picture"),
    "a sound that is none": (400, {"inputs": {"audio": uri(b"nothing", "audio/wav")}}, "no sound"),
    "a film": (400, {"inputs": {"image": uri(b"x", "video/mp4")}}, "video/mp4"),
    "a ragged list": (400, {"inputs": {"action": [[1, 2, 3], [1]]}}, "rows of as many numbers"),
    "points of another shape": (400, {"inputs": {"action": [1, 2, 3]}}, ""),
    "too many pixels": (413, {"inputs": {"image": uri(bomb(9000), "image/png")}}, "shrink it"),
    "a bomb": (413, {"inputs": {"image": uri(bomb(60_000), "image/png")}}, "too large"),
    "a long sound": (413, {"inputs": {"audio": uri(wav(3.5), "audio/wav")}}, "cut it"),
    "too many tokens": (400, {"inputs": {"text": "a b c d e " * 39}}, "tokens"),
    "a long text": (413, {"inputs": {"text": "word " * 10_000}}, "shorten it"),
    "too many bytes": (413, b" " * 300_000, "bytes"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_not_be_answered_is_refused_by_name(url, what):
    status, body, word = BAD[what]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = httpx.post(f"{url}/v1/generate", content=data, timeout=60)
    assert found.status_code == status, found.text
    assert word in found.json()["error"]["message"]


def test_a_stream_that_can_not_begin_has_a_status(url):
    assert ask(url, output="smell", stream=True).status_code == 400


@pytest.mark.parametrize("headers", [{"origin": "http://elsewhere.example"}, {"host": "elsewhere.example"}])
def test_pages_of_other_sites_are_not_answered(url, headers):
    found = httpx.post(f"{url}/v1/generate", json={"inputs": {"text": "say"}}, headers=headers)
    assert found.status_code == 403 and "elsewhere.example" in found.json()["error"]["message"]


def test_a_full_house_says_come_again_and_one_that_hangs_up_makes_room(model):
    limits = Limits(slots=1, waiting=1, timeout_s=120)
    with Serving(make_app(model, "tiny", limits)) as url:
        body = {"output": "image", "inputs": {"text": "draw"}, "stream": True}
        first = httpx.Client(timeout=120)
        with first.stream("POST", f"{url}/v1/generate", json=body) as response:
            next(response.iter_lines())
            load = lambda: httpx.get(f"{url}/metrics").text  # noqa: E731
            assert "unified_io_writing 1.0" in load() or "unified_io_writing 0.0" in load()
        assert httpx.get(f"{url}/health").text == "ok\n"
        assert ask(url, inputs={"text": "say"}, options={"max_length": 2}).status_code == 200


def test_it_counts_what_it_does(url):
    ask(url, inputs={"text": "say"}, options={"max_length": 2})
    ask(url, output="smell")
    counted = httpx.get(f"{url}/metrics").text
    assert 'unified_io_requests_total{path="/v1/generate",status="200"}' in counted
    assert 'unified_io_requests_total{path="/v1/generate",status="400"}' in counted
    assert "unified_io_waiting 0.0" in counted


def test_what_takes_too_long_is_ended(model):
    with Serving(make_app(model, "tiny", Limits(timeout_s=1e-3))) as url:
        found = ask(url, inputs={"text": "say"})
        assert found.status_code == 504 and "--timeout_s" in found.json()["error"]["message"]


def test_the_model_is_described(url, model):
    found = httpx.get(f"{url}/v1/model").json()
    assert found["name"] == "tiny" and found["outputs"] == [m.name for m in model.config.targets]
    assert LIMITS.seconds == 3.0
