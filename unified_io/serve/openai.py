"""A part of OpenAI's interface, as far as a model of ours can keep it: chat, pictures, speech.

What can not be kept is refused and not left out in silence. Source: the API reference of OpenAI.
"""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from unified_io.modalities.connected.talk import plain
from unified_io.serve.asking import Asking
from unified_io.serve.body import BadBody, Body
from unified_io.serve.events import stream
from unified_io.serve.failures import NotFound
from unified_io.serve.failures import as_json as failure
from unified_io.serve.inputs import check_text, decode_base64, decode_uri
from unified_io.serve.limits import Limits
from unified_io.serve.outputs import encoded, png, wav

ROLES = ("system", "developer", "user", "assistant")
_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "seed": "seed"}
_SYSTEM = ("system", "developer")
_MOST_PICTURES = 8
_RESPONSES = {"wav": "audio/wav", "pcm": "audio/pcm"}
# Entries that would change the answer; the rest is taken and means nothing here.
_REFUSED = ("tools", "functions", "logprobs", "logit_bias", "stop", "modalities", "audio")


async def models(asking: Asking, body: Body) -> Response:
    """GET /v1/models."""
    entry = {"id": asking.name, "object": "model", "created": asking.born, "owned_by": "unified-io"}
    return JSONResponse({"object": "list", "data": [entry]})


async def chat(asking: Asking, body: Body) -> Response:
    """POST /v1/chat/completions: text about text, pictures (data URIs) and sound, whole or as it comes."""
    _check_model(asking, body)
    for name in _REFUSED:
        if body.values.get(name):
            raise BadBody(f"{name!r} means nothing to this model; leave it out")
    if body.get("n", int, 1) != 1:
        raise BadBody("one choice a request; ask again with another seed")
    inputs = await run_in_threadpool(
        _conversation, body.get("messages", list), asking.limits, asking.model.reads_dialogs
    )
    options = {ours: body.get(theirs, (int, float), None) for theirs, ours in _SAMPLING.items()}
    options["max_length"] = body.get("max_completion_tokens", int, None) or body.get("max_tokens", int, None)
    options["constraint"] = _form(body.get("response_format", dict, {}))
    options = {name: value for name, value in options.items() if value is not None}
    about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asking.name}
    if body.get("stream", bool, False):
        return await stream(_chunks(asking, inputs, options, about), failure, end="[DONE]")
    partial = await asking.answer("text", inputs, options)
    text = await run_in_threadpool(lambda: partial.value)
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(partial)}
    usage = {
        "prompt_tokens": partial.read,
        "completion_tokens": partial.tokens,
        "total_tokens": partial.read + partial.tokens,
    }
    return JSONResponse({"object": "chat.completion", **about, "choices": [choice], "usage": usage})


async def pictures(asking: Asking, body: Body) -> Response:
    """POST /v1/images/generations: PNG in base64."""
    _check_model(asking, body)
    if body.get("response_format", str, "b64_json") != "b64_json":
        raise BadBody("pictures are sent in the answer; leave response_format out or say b64_json")
    count = body.get("n", int, 1)
    if not 1 <= count <= _MOST_PICTURES:
        raise BadBody(f"n is {count}; ask for 1 to {_MOST_PICTURES} pictures")
    prompt, seed = check_text(body.get("prompt", str), asking.limits), body.get("seed", int, 0)
    made = []
    for i in range(count):
        partial = await asking.answer("image", {"text": prompt}, {"seed": seed + i})
        made.append(
            {"b64_json": encoded(await run_in_threadpool(lambda partial=partial: png(partial.value)))}
        )
    return JSONResponse({"created": int(time.time()), "data": made})


async def speech(asking: Asking, body: Body) -> Response:
    """POST /v1/audio/speech: a WAV file, or its samples of 16 bits."""
    _check_model(asking, body)
    kind = body.get("response_format", str, "wav")
    if kind not in _RESPONSES:
        raise BadBody(f"response_format is {kind!r}; sound is sent as wav or pcm")
    words = check_text(body.get("input", str), asking.limits)
    partial = await asking.answer("audio", {"text": words}, {})
    target = asking.model.config.target("audio")
    data = await run_in_threadpool(lambda: wav(partial.value, target))
    return Response(data if kind == "wav" else data[44:], media_type=_RESPONSES[kind])


def _check_model(asking: Asking, body: Body) -> None:
    if (name := body.get("model", str, asking.name)) != asking.name:
        raise NotFound(f"there is no model {name!r} here; this one is {asking.name!r}")


async def _chunks(asking: Asking, inputs: Any, options: Any, about: Mapping[str, Any]) -> AsyncIterator[Any]:
    """What is new of the text, again and again."""

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"object": "chat.completion.chunk", **about, "choices": [choice]}

    sent, partial = "", None
    yield chunk({"role": "assistant", "content": ""})
    async with contextlib.aclosing(asking.follow("text", inputs, options)) as partials:
        async for partial in partials:
            text = await run_in_threadpool(lambda partial=partial: partial.value)
            # The last character may be a part of one, and a text that is no longer a beginning is told in the end.
            settled = text if partial.done else text.rstrip("\ufffd")
            if settled.startswith(sent) and len(settled) > len(sent):
                yield chunk({"content": settled[len(sent) :]})
                sent = settled
    yield chunk({}, _finish(partial))


def _form(response_format: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the answer has to match."""
    match response_format:
        case {} | {"type": "text"} if response_format.get("type", "text") == "text":
            return None
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return {"json_schema": schema}
    raise BadBody(f"response_format is {str(response_format)[:60]}; want text, or json_schema with a schema")


def _finish(partial: Any) -> str:
    return "length" if partial.tokens >= partial.of else "stop"


def _conversation(messages: list[Any], limits: Limits, dialogs: bool) -> dict[str, Any]:
    """Turns messages into inputs.

    To a model that reads dialogs they are turns, with every picture and sound in its place among the words; to others
    the last words with what was said before, the last picture and the last sound.
    """
    media: dict[str, list[Any]] = {"image": [], "audio": []}
    turns: list[tuple[str, str]] = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadBody(
                f"a message is {str(message)[:60]!r}; want an object with a role, one of {', '.join(ROLES)}"
            )
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        words = []
        for part in parts if isinstance(parts, list) else [parts]:
            match part:
                case {"type": "text", "text": str(text)}:
                    words.append(plain(text) if dialogs else text)
                case {"type": "image_url", "image_url": {"url": str(uri)}}:
                    media["image"].append(decode_uri(uri, limits))
                    words += ["<image>"] * dialogs
                case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(kind)}}:
                    media["audio"].append(decode_base64(data, f"audio/{kind}", limits))
                    words += ["<audio>"] * dialogs
                case _:
                    raise BadBody(
                        f"a part of a message is {str(part)[:60]!r}; want text, image_url or input_audio"
                    )
        turns.append((message["role"], " ".join(words).strip()))
    if not turns or turns[-1][0] != "user":
        raise BadBody("the last message is to be the user's")
    *before, (_, instruction) = [turn for turn in turns[:-1] if turn[1]] + turns[-1:]
    context = "\n".join(f"{role}: {text}" for role, text in before)
    check_text(instruction + context, limits)
    if dialogs:
        system = " ".join(text for role, text in before if role in _SYSTEM)
        said = [
            {"role": {"assistant": "bot"}.get(role, role), "text": text}
            for role, text in before
            if role not in _SYSTEM
        ]
        dialog = {"messages": said} | ({"system": system} if system else {})
        return {"text": instruction, "dialog": dialog} | {
            kind: found for kind, found in media.items() if found
        }
    inputs = {kind: found[-1] for kind, found in media.items() if found}
    return inputs | {"text": f"{instruction} earlier: {context}" if context else instruction}
