"""The capability that makes sound. One that is longer than a segment is written segment by segment."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.api.media import Media
from unified_io.api.options import MAX_SEED, Options
from unified_io.api.prompts import wording
from unified_io.api.renderings import Waveform
from unified_io.api.rows import line_up
from unified_io.errors import ConfigError
from unified_io.modalities.base import TargetModality


class Sound(Media):
    """Sound from words. A list in gives a list out."""

    def generate_audio(
        self, caption: Any, *, seconds: float | None = None, prompt: str | None = None, **options: Any
    ) -> Any:
        """Makes the sound that a caption describes.

        A sound longer than one segment (4.08 s in the released models) is extended: each further segment is generated
        with the segments before it, at most the last 4, as audio history.

        Args:
          caption: What to hear.
          seconds: How long; None is one segment.
          prompt: Another template with the slot {caption}.
          options: As in `Options`; no guidance, which harms sound. `progress` counts segments.

        Returns:
          `Waveform`.

        Source: Unified-IO 2, appendix B.3, where no code was released.
        """
        self.require("generate_audio", ["text"], "audio")
        target = self.config.target("audio")
        rate, length = target.mel.sample_rate, target.mel.samples
        if seconds is not None and not 0 < seconds < math.inf:
            raise ConfigError(f"seconds {seconds!r} is not a length of time above 0")
        samples = length if seconds is None else max(1, round(seconds * rate))
        single, rows = line_up(caption=caption)
        prompts = [wording("generate_audio", prompt, caption=one) for (one,) in rows]
        mels = self._extended(prompts, math.ceil(samples / length), options)
        results = [Waveform(self._present(target, _joined(mel))[:samples], rate) for mel in mels]
        return results[0] if single else results

    def _extended(self, prompts: list[str], count: int, options: dict[str, Any]) -> list[list[np.ndarray]]:
        """Generates `count` segments for every prompt, one after the other: natural-log mels."""
        chosen = Options.read(options)
        fields = [self.read({"text": prompt}, "audio") for prompt in prompts]
        made: list[list[np.ndarray]] = [[] for _ in prompts]
        if count > 1:
            self.require("sound of several segments", ["audio_history"], "audio")
        for i in range(count):
            if i:
                history = self._input("audio_history")
                fields = [
                    {**x, history.fields[0]: mels[-history.max_items :]}
                    for x, mels in zip(fields, made, strict=True)
                ]
            quiet = {**options, "progress": None, "seed": (chosen.seed + i * 1_000_003) % MAX_SEED}
            for mels, mel in zip(made, self._make_one(fields, "audio", quiet), strict=True):
                mels.append(mel)
            if chosen.progress:
                chosen.progress(i + 1, count)
        return made

    def _present(self, target: TargetModality, field: Any) -> Any:
        """Speaks a log-mel with the vocoder, where there is one."""
        if self.vocoder is None or target.name != "audio":
            return super()._present(target, field)
        return np.clip(np.asarray(self.vocoder(field), np.float32), -1.0, 1.0)


def _joined(mels: list[Float[np.ndarray, "frames mels"]]) -> Float[np.ndarray, "all mels"]:
    """One spectrogram of segments that follow each other: the last frame of one is the first of the next."""
    return np.concatenate([*(mel[:-1] for mel in mels[:-1]), mels[-1]])
