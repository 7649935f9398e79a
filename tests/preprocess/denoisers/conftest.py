"""Small things to denoise: a model of tiny pictures and sounds, and examples made of them."""

import numpy as np
import pytest
from tiny import AST, MEL, RESAMPLER, VIT, VIT_VQGAN, VQGAN

from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.text import TextDenoiser

LENGTH = 64
IMAGE = ImageInput(resolution=32, patch=8, vit=VIT)
AUDIO = AudioInput(mel=MEL, patch=4, ast=AST)


class Small:
    """The objective, the modalities of a model, and pictures and sounds without end."""

    length = LENGTH
    image, audio = IMAGE, AUDIO
    objective = Objective(
        TextDenoiser(length=LENGTH), (MediaDenoiser(IMAGE), MediaDenoiser(AUDIO, stretches=0.5))
    )
    inputs = (
        TextInput(max_length=LENGTH),
        IMAGE,
        History(IMAGE, RESAMPLER),
        AUDIO,
        History(AUDIO, RESAMPLER),
    )
    targets = (
        TextTarget(max_length=LENGTH),
        ImageTarget(vocab_size=40, vqgan=VQGAN, input_resolution=32),
        AudioTarget(vocab_size=40, mel=MEL, vit_vqgan=VIT_VQGAN),
    )

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def picture(self, height: int = 8, width: int = 8) -> np.ndarray:
        return self._rng.uniform(0.1, 1.0, (height, width, 3)).astype(np.float32)

    def sound(self, frames: int = 16) -> np.ndarray:
        return self._rng.normal(-4, 1, (frames, MEL.mels)).astype(np.float32)

    def features(self, example: dict) -> tuple[dict, dict]:
        """What the model gets: features by modality, of the inputs and of the targets."""
        run = lambda m: m.preprocess(example, seed=0, training=True)  # noqa: E731
        return {m.name: run(m) for m in self.inputs}, {m.name: run(m) for m in self.targets}

    def fits(self, example: dict) -> bool:
        """Whether the model takes the whole text of an example, EOS included."""
        texts = (example["text_inputs"], example.get("text_targets", ""))
        return all(len(self.inputs[0].tokenize(text)) < LENGTH for text in texts)

    def written(self, example: dict) -> dict[str, int]:
        """The target tokens of every modality that has any."""
        features = self.features(example)[1]
        counts = {m.name: int((m.weights(features[m.name]) > 0).sum()) for m in self.targets}
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def small() -> Small:
    return Small()


def near(count: int, chance: float, draws: int) -> bool:
    """Whether a count lies within five standard deviations of a binomial one."""
    return abs(count - draws * chance) <= 5 * np.sqrt(draws * chance * (1 - chance))


@pytest.fixture
def binomial():
    return near
