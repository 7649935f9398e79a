"""Broken, odd and hostile pictures and sounds, made on the spot, and what reading each of them comes to."""

import io
import json
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from unified_io.errors import DataError
from unified_io.preprocess import image_ops, sound
from unified_io.reliability.drills import world

MUST_READ = (
    "PNG of 1x1",
    "PNG of 1x60000",
    "PNG of 16 bits",
    "PNG of a palette, in part transparent",
    "PNG of 1 bit",
    "JPEG in CMYK",
    "GIF that moves",
    "WAV of 8 bits",
    "WAV in stereo",
)
"""Odd, but sound: these are read."""

MUST_REFUSE = (
    "PNG that claims 60000x60000",
    "PNG that claims 2 billion rows",
    "PNG with a bomb of text",
    "a web page as a picture",
    "EPS, which is a program",
    "no bytes as a picture",
    "WAV without a header",
    "WAV of 0 Hz",
    "WAV of 0 channels",
    "WAV of no samples",
    "WAV of NaN",
    "no bytes as a sound",
)
"""Nothing good can be made of these."""


def decode_all(found: str, cuts: int) -> int:
    """Reads every file and writes a list of what came of it as JSON; for a process with limits.

    Args:
      found: Where the list goes: name, result ("read", "refused", "wrong"), what was said, processor seconds, bytes by
        which the largest memory grew.
      cuts: At how many places a JPEG and a WAV are cut.
    """
    seen = []
    for name, read, content in _files(cuts):
        before, started = _peak(), time.process_time()
        result, said = _judged(read, content)
        seconds = time.process_time() - started
        seen.append(
            {"name": name, "result": result, "said": said, "seconds": seconds, "growth": _peak() - before}
        )
    Path(found).write_text(json.dumps(seen))
    return 0


def png_header(width: int, height: int) -> bytes:
    """Returns a PNG of a few bytes that claims to be this large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _png(header, _chunk(b"IDAT", zlib.compress(bytes(100))))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _judged(read: Callable[[bytes], np.ndarray], content: bytes) -> tuple[str, str]:
    try:
        array = read(content)
    except DataError as error:
        return "refused", str(error)
    except Exception as error:
        return "wrong", f"{type(error).__name__} in place of a DataError: {error}"
    if not array.size or not np.isfinite(array).all() or np.abs(array).max() > sound.LOUDEST:
        return "wrong", f"gave an array {array.shape} that is empty or holds what it must not"
    return "read", f"{array.shape}"


def _image(content: bytes) -> np.ndarray:
    pixels = image_ops.read(content)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(f"pixels {pixels.shape} from {pixels.min()} to {pixels.max()}")
    return pixels


def _sound(content: bytes) -> np.ndarray:
    return sound.read(content, world.MEL.sample_rate)


def _files(cuts: int) -> Iterator[tuple[str, Callable[[bytes], np.ndarray], bytes]]:
    rng = np.random.default_rng(0)
    jpeg, wav = world.jpeg(world.picture(rng, 1)), world.wav(world.tone(rng, 2))
    for at in np.linspace(0, len(jpeg) - 1, cuts).astype(int):
        yield f"JPEG cut at byte {at}", _image, jpeg[:at]
    for at in np.linspace(0, len(wav) - 1, max(cuts // 4, 4)).astype(int):
        yield f"WAV cut at byte {at}", _sound, wav[:at]
    for name, content in _pictures(rng):
        yield name, _image, content
    for name, content in _sounds(wav):
        yield name, _sound, content


def _pictures(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    from PIL import Image

    pixels = world.picture(rng, 3)
    picture = Image.fromarray(pixels)
    yield "PNG of 1x1", _saved(Image.new("RGB", (1, 1), (9, 8, 7)))
    yield "PNG of 1x60000", _saved(Image.new("RGB", (1, 60_000)))
    yield "PNG of 16 bits", _saved(Image.fromarray(rng.integers(0, 2**16, (9, 7), np.uint16)))
    palette = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    yield "PNG of a palette, in part transparent", _saved(palette, transparency=0)
    yield "PNG of 1 bit", _saved(picture.convert("1"))
    yield "JPEG in CMYK", _saved(picture.convert("CMYK"), "JPEG")
    frames = [Image.fromarray(np.roll(pixels, shift, 1)) for shift in range(5)]
    yield "GIF that moves", _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "PNG that claims 60000x60000", png_header(60_000, 60_000)
    yield "PNG that claims 2 billion rows", png_header(1, 2**31 - 1)
    bomb = zlib.compressobj(9)
    blown = b"".join([*(bomb.compress(bytes(2**20)) for _ in range(200)), bomb.flush()])
    text = _chunk(b"zTXt", b"comment\0\0" + blown)
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    yield "PNG with a bomb of text", _png(header, text, _chunk(b"IDAT", zlib.compress(bytes(4 * 13))))
    yield "a web page as a picture", b"<!doctype html><title>404</title>"
    yield (
        "EPS, which is a program",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    )
    yield "no bytes as a picture", b""
    yield "noise as a picture", rng.bytes(5000)


def _sounds(wav: bytes) -> Iterator[tuple[str, bytes]]:
    data = wav[wav.index(b"data") + 8 :]
    samples = np.frombuffer(data, np.int16)
    yield "WAV of 8 bits", _wav((samples // 256 + 128).astype(np.uint8).tobytes(), bits=8)
    yield "WAV in stereo", _wav(np.stack([samples, samples], 1).tobytes(), channels=2)
    yield "WAV that claims 4 GB", _wav(data, claims=2**32 - 1)
    yield "WAV that claims a byte", _wav(data, claims=1)
    yield "WAV of 0 Hz", _wav(data, rate=0)
    yield "WAV of 4 billion Hz", _wav(data, rate=2**32 - 1)
    yield "WAV of 0 channels", _wav(data, channels=0)
    yield "WAV of 60000 channels", _wav(data, channels=60_000)
    yield "WAV of no samples", _wav(b"")
    yield "WAV of NaN", _wav(np.full(500, np.nan, np.float32).tobytes(), bits=32, form=3)
    yield "WAV of infinity", _wav(np.full(500, np.inf, np.float32).tobytes(), bits=32, form=3)
    yield "WAV with its data before its format", b"RIFF" + wav[4:12] + wav[36:] + wav[12:36]
    yield "WAV without a header", data
    yield "no bytes as a sound", b""


def _saved(picture: "object", form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _png(header: bytes, *chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _wav(
    data: bytes,
    *,
    rate: int = world.MEL.sample_rate,
    channels: int = 1,
    bits: int = 16,
    form: int = 1,
    claims: int | None = None,
) -> bytes:
    frame = channels * bits // 8
    header = struct.pack(
        "<HHIIHH", form, channels, rate, min(rate * frame, 2**32 - 1), min(frame, 2**16 - 1), bits
    )
    size = len(data) if claims is None else claims
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body
