"""Sound from words: as long as wanted, segment after segment, by the vocoder if there is one."""

import numpy as np
import pytest

from unified_io import api
from unified_io.errors import ConfigError


@pytest.fixture
def speaking(model, monkeypatch):
    """The model with a vocoder that plays the first band, every frame a hop long; and the log-mels it was given."""
    hop, spoken = model.config.target("audio").mel.hop, []

    def vocoder(mel):
        spoken.append(mel)
        return np.repeat(mel[:, 0] / 100, hop)

    return api.UnifiedIO(model.config, model.params, vocoder=vocoder), spoken


def test_a_long_sound_goes_on_where_it_was(speaking, monkeypatch):
    model, spoken = speaking
    target = model.config.target("audio")
    asked, progress = [], []

    def run(params, fields, start, target, options):
        asked.append((fields, options.seed))
        return np.full((len(fields), 16, 16, 1), float(len(asked)))

    monkeypatch.setattr(model, "_run", run)
    length = target.mel.samples / target.mel.sample_rate
    made = model.generate_audio("rain", seconds=5.5 * length, progress=lambda *x: progress.append(x))
    mels = [np.full((16, 16), x * target.std + target.mean) for x in range(1, 7)]
    assert "audio_history_inputs" not in asked[0][0][0]
    for k, (fields, _) in enumerate(asked[1:], 1):
        np.testing.assert_allclose(fields[0]["audio_history_inputs"], mels[max(0, k - 4) : k], rtol=1e-6)
    assert len({seed for _, seed in asked}) == len(asked) == 6
    assert progress == [(i, 6) for i in range(1, 7)]
    # segments share a frame: the last of one is the first of the next
    assert len(spoken) == 1 and len(spoken[0]) == 6 * 15 + 1
    np.testing.assert_allclose(
        spoken[0][[0, 14, 15, 90], 0], [mels[i][0, 0] for i in (0, 0, 1, 5)], rtol=1e-6
    )
    assert len(made.samples) == round(5.5 * target.mel.samples)
    assert made.seconds == pytest.approx(5.5 * length, abs=1e-3)


def test_the_network_itself_makes_sound(speaking):
    model, spoken = speaking
    both = model.generate_audio(["rain", "wind"], seed=4)
    again = model.generate_audio(["rain", "hail"], seed=4)
    np.testing.assert_allclose(both[0].samples, again[0].samples, atol=1e-5)
    assert len(both[0].samples) == model.config.target("audio").mel.samples
    assert len(spoken) == 4 and np.abs(both[1].samples).max() <= 1
    longer = model.generate_audio("rain", seconds=both[0].seconds * 2, seed=4)
    assert len(longer.samples) == 2 * len(both[0].samples)


def test_generate_speaks_with_the_vocoder_too(speaking):
    model, spoken = speaking
    waveform = model.generate("audio", text="rain")
    assert waveform.ndim == 1 and len(spoken) == 1


def test_no_time_is_told(model):
    for seconds in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="seconds"):
            model.generate_audio("rain", seconds=seconds)
