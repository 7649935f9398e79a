"""Made-up files for the sample records of registrations: a picture, a sound, a clip or names, by their ending."""

import io
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from unified_io.errors import unknown

HEIGHT, WIDTH = 24, 32
RATE = 16_000
_SECONDS = 0.5
_FRAMES = 10
_NAMES = 1000


def picture(name: str) -> bytes:
    """Returns a PNG of 24 x 32 pixels, another one for every name."""
    from PIL import Image

    rng, file = np.random.default_rng(zlib.crc32(name.encode())), io.BytesIO()
    pixels = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tone(name: str) -> bytes:
    """Returns half a second of a tone as 16-bit WAV, another pitch for every name."""
    import soundfile

    time, file = np.arange(int(_SECONDS * RATE)) / RATE, io.BytesIO()
    pitch = 200 + zlib.crc32(name.encode()) % 800
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * pitch * time), RATE, subtype="PCM_16", format="WAV")
    return file.getvalue()


def clip(name: str) -> bytes:
    """Returns a video of a second with a square that moves and a tone, as MP4."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=_FRAMES)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(_FRAMES):
            pixels = np.full((HEIGHT, WIDTH, 3), 40 + zlib.crc32(name.encode()) % 100, np.uint8)
            pixels[8:16, 2 * number : 2 * number + 8] = 220
            for packet in video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        time = np.arange(RATE) / RATE
        sound = (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        frame.sample_rate = RATE
        for packet in [*audio.encode(frame), *audio.encode(None), *video.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def names(name: str) -> bytes:
    """Returns names of classes, one a line, as many as the largest list that a sample reads."""
    return "".join(f"made-up class {number}\n" for number in range(_NAMES)).encode()


def flow(name: str) -> bytes:
    """Returns an optical flow of 24 x 32 pixels as a .flo file."""
    moved = np.random.default_rng(zlib.crc32(name.encode())).uniform(-3, 3, (HEIGHT, WIDTH, 2))
    return b"PIEH" + np.array([WIDTH, HEIGHT], "<i4").tobytes() + moved.astype("<f4").tobytes()


def camera(name: str) -> bytes:
    """Returns where a camera stands that looks at the origin, the 3 x 4 matrix from the world to it, as .npy."""
    rng, file = np.random.default_rng(zlib.crc32(name.encode())), io.BytesIO()
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    np.save(file, np.concatenate([turn, [[0.0], [0.0], [rng.uniform(1.5, 2.2)]]], axis=1))
    return file.getvalue()


_MAKERS = {".jpg": picture, ".jpeg": picture, ".png": picture, ".wav": tone, ".flac": tone, ".mp3": tone}
_MAKERS |= {".ppm": picture, ".txt": names, ".flo": flow, ".npy": camera}
_MAKERS |= dict.fromkeys((".mp4", ".avi", ".webm", ".mkv", ".mov"), clip)


def content(name: str) -> bytes:
    """Returns made-up content for a file of this name: a decoder looks at the content, not at the ending.

    Raises:
      ConfigError: Nobody makes up files with this ending.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _MAKERS:
        raise unknown("kind of made-up file", suffix, _MAKERS)
    return _MAKERS[suffix](name)


def write(folder: Path, name: str) -> None:
    """Writes a made-up file below a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(name))
