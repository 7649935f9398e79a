"""Judges that read a digit from an image or a sound: support vector machines fitted to real training data only.

What a model draws or speaks is right if the judge reads the digit that was asked for; the judge's own accuracy on
real test data is the most a model can reach.
"""

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits.images import downsample
from unified_io.errors import DataError
from unified_io.mel import POWER_RANGE

SILENCE = float(np.log(POWER_RANGE[0]))
# Below this the spectrogram of a word is hiss; what a tokenizer does there should not change the verdict.
HISS = -10.0
# A word reaches from the first to the last frame with so much of its loudest frame's height above hiss.
SPOKEN = 0.15
WORD_FRAMES, COMPONENTS = 12, 60
LATE_FRAMES, TEMPO, TRACT = 2.0, 0.2, 0.12


class _Reader:
    """A support vector machine behind a map from examples to features."""

    def __init__(self, gamma: float):
        from sklearn.svm import SVC

        self._machine = SVC(C=10.0, gamma=gamma)

    def _features(self, examples: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def predict(self, examples: np.ndarray) -> Int[np.ndarray, " n"]:
        """Returns the digit read from every example."""
        if not len(examples):
            return np.zeros(0, np.int64)
        return self._machine.predict(self._features(examples))

    def accuracy(self, examples: np.ndarray, labels: Int[np.ndarray, " n"]) -> float:
        """Returns the share of examples read as their label; of none it is not a number."""
        return float(np.mean(self.predict(examples) == labels)) if len(labels) else float("nan")


class ImageJudge(_Reader):
    """Reads a digit from an image of any square size of at least 8x8, by its 8x8 block means."""

    def __init__(self):
        super().__init__(gamma=0.2)

    def fit(self, images: Float[np.ndarray, "n s s"], labels: Int[np.ndarray, " n"]) -> "ImageJudge":
        """Learns from real images, ink 1 on ground 0."""
        self._machine.fit(self._features(images), labels)
        return self

    def _features(self, examples: np.ndarray) -> np.ndarray:
        if examples.ndim != 3 or examples.shape[1] != examples.shape[2]:
            raise DataError(
                f"images are {examples.shape}; give [n, s, s], ink 1 on ground 0 (one channel, not three)"
            )
        return downsample(examples).reshape(len(examples), -1)


class AudioJudge(_Reader):
    """Reads a digit from a log-mel spectrogram: the word, brought to one length, by its main components.

    When and how fast it is spoken therefore changes little; the length is one more feature.
    """

    def __init__(self):
        super().__init__(gamma=1.0)

    def fit(self, mels: Float[np.ndarray, "n frames mels"], labels: Int[np.ndarray, " n"]) -> "AudioJudge":
        """Learns from clips as they are, and from each once more at another time, tempo and length of throat."""
        from sklearn.decomposition import PCA

        features = _word(np.concatenate([mels, distort(_bounded(mels), np.random.default_rng(0))]))
        count = min(COMPONENTS, *features.shape)
        self._components = PCA(count, svd_solver="covariance_eigh").fit(features)
        # Half way to whitening: small components say as much about the digit as large ones about the voice.
        deviation = np.sqrt(self._components.explained_variance_)
        self._scale = 1 / np.sqrt(deviation * deviation.sum())
        self._machine.fit(self._components.transform(features) * self._scale, np.tile(labels, 2))
        return self

    def _features(self, examples: np.ndarray) -> np.ndarray:
        if examples.ndim != 3:
            raise DataError(f"spectrograms are {examples.shape}; give [n, frames, mels]")
        return self._components.transform(_word(examples)) * self._scale


def distort(
    mels: Float[np.ndarray, "n frames mels"], rng: np.random.Generator
) -> Float[np.ndarray, "n frames mels"]:
    """Returns every clip shifted by up to 2 frames, a fifth faster or slower, and 12 % up or down in pitch."""
    n, frames, bands = mels.shape
    tempo, late = rng.uniform(1 - TEMPO, 1 + TEMPO, (n, 1)), rng.uniform(-LATE_FRAMES, LATE_FRAMES, (n, 1))
    time = np.arange(frames) * tempo + late
    frame = np.rint(time).astype(int)
    moved = np.take_along_axis(mels, np.clip(frame, 0, frames - 1)[:, :, None], axis=1)
    moved[(frame < 0) | (frame >= frames)] = SILENCE
    band = np.clip(np.arange(bands) * rng.uniform(1 - TRACT, 1 + TRACT, (n, 1)), 0, bands - 1)
    low = np.minimum(band.astype(int), bands - 2)
    share = (band - low)[:, None].astype(mels.dtype)
    lower, upper = (np.take_along_axis(moved, index[:, None], axis=2) for index in (low, low + 1))
    return lower * (1 - share) + upper * share


def _bounded(mels: np.ndarray) -> np.ndarray:
    # Exact zeros are the silence of absent sound, not the logarithm of one.
    return np.maximum(np.where(mels == 0, SILENCE, mels), HISS)


def _word(mels: np.ndarray) -> np.ndarray:
    """Returns the spoken part of every clip at 12 times evenly from its start to its end, flat, and its length."""
    bounded = _bounded(mels)
    height = bounded.mean(axis=2) - HISS
    spoken = height > SPOKEN * height.max(axis=1, keepdims=True)
    start, end = spoken.argmax(axis=1), mels.shape[1] - 1 - spoken[:, ::-1].argmax(axis=1)
    time = start[:, None] + (end - start)[:, None] * np.linspace(0, 1, WORD_FRAMES)
    frame = np.minimum(time.astype(int), mels.shape[1] - 2)
    share = (time - frame)[:, :, None].astype(bounded.dtype)
    early, late = (np.take_along_axis(bounded, index[:, :, None], axis=1) for index in (frame, frame + 1))
    word = early * (1 - share) + late * share
    return np.concatenate([word.reshape(len(mels), -1), 0.5 * (end - start)[:, None]], axis=1)


def nearest(
    query: Float[np.ndarray, "n *shape"], reference: Float[np.ndarray, "m *shape"]
) -> Float[np.ndarray, " n"]:
    """Returns, for every example, its root mean squared distance to the most similar one of the reference.

    The memorisation check: what a model makes should be no closer to the training data than unseen real data is.
    Give images as 8x8 (`images.downsample`), sounds as log-mel spectrograms.
    """
    from scipy.spatial.distance import cdist

    if query.shape[1:] != reference.shape[1:]:
        raise DataError(
            f"can not compare {query.shape[1:]} with {reference.shape[1:]}; bring both to one shape"
        )
    size = int(np.prod(reference.shape[1:]))
    return cdist(query.reshape(-1, size), reference.reshape(-1, size)).min(axis=1) / np.sqrt(size)
