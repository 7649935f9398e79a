"""The process in which espeak-ng runs: `python espeak_worker.py REQUEST.json OUT`. Standard library only.

Writes the sample rate, then for every utterance its number of samples, the samples, its number of words, and where each
of them begins, in samples; little-endian integers.
"""

import ctypes
import json
import struct
import sys

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all is spoken; no thread of its own
DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: a wrong data folder is an error code, not exit()
RATE, PITCH = 1, 3  # espeak_PARAMETER
BY_CHARACTER, CHARS_UTF8 = 1, 1  # how the (unused) start is counted; how the text is encoded
END, WORD = 0, 1  # espeak_EVENT_TYPE


class Event(ctypes.Structure):
    """What happens in a piece of sound: espeak_EVENT."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


def main(request_path: str, out_path: str) -> None:
    """Speaks every utterance of a request in order."""
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    library = ctypes.CDLL(request["library"])
    chunks: list[bytes] = []
    begins: list[int] = []

    def collect(samples, count, events):
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        for event in events or ():
            if event.type == END:
                break
            if event.type == WORD:
                begins.append(event.sample)
        return 0

    callback = Callback(collect)  # this name keeps it alive while the library holds its address
    sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, request["data"].encode(), DONT_EXIT)
    if sample_rate <= 0:
        sys.exit(f"espeak_Initialize returned {sample_rate} for the data in {request['data']}")
    library.espeak_SetSynthCallback(callback)
    with open(out_path, "wb") as out:
        out.write(struct.pack("<i", sample_rate))
        for text, voice, rate, pitch in request["utterances"]:
            chunks.clear()
            begins.clear()
            if library.espeak_SetVoiceByName(voice.encode()):
                sys.exit(f"this espeak-ng has no voice {voice!r}")
            library.espeak_SetParameter(RATE, rate, 0)
            library.espeak_SetParameter(PITCH, pitch, 0)
            line = text.encode() + b"\0"
            size = ctypes.c_size_t(len(line))
            if library.espeak_Synth(line, size, 0, BY_CHARACTER, 0, CHARS_UTF8, None, None):
                sys.exit(f"espeak_Synth failed on {text!r} with voice {voice!r}")
            samples = b"".join(chunks)
            out.write(struct.pack("<i", len(samples) // 2) + samples)
            out.write(struct.pack(f"<{1 + len(begins)}i", len(begins), *begins))


if __name__ == "__main__":
    main(*sys.argv[1:])
