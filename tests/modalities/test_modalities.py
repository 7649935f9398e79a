"""What every modality keeps of an example, and what it gives back."""

import numpy as np
import pytest
from tiny import MEL, tiny_config, tiny_examples

from unified_io.errors import ConfigError, DataError
from unified_io.modalities.action import ActionInput, ActionTarget
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.base import FIELDS, merge_shared
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.preprocess.patches import unpatchify
from unified_io.vocab import BOS, EOS


def preprocess(modality, **example):
    return modality.preprocess(example, seed=0, training=False)


def test_every_modality_reads_known_fields_and_declares_what_it_gives():
    config = tiny_config()
    for modality in (*config.inputs, *config.targets):
        assert set(modality.fields) <= set(FIELDS)
        absent = preprocess(modality)
        for example in tiny_examples():
            features = preprocess(modality, **example)
            assert features.keys() == modality.features().keys() == absent.keys()
            for key, spec in modality.features().items():
                assert features[key].shape[1:] == spec.shape and features[key].dtype == spec.dtype
            assert modality.num_tokens(features) == modality.slots(features).sum()
        assert modality.num_tokens(absent) == 0


def test_text_comes_back_and_decoder_inputs_are_shifted():
    target = TextTarget(max_length=32)
    features = preprocess(target, text_targets="the digit seven")
    assert target.detokenize(features["tokens"]) == "the digit seven"
    assert features["tokens"][-1] == EOS and features["inputs"][0] == BOS
    np.testing.assert_array_equal(features["inputs"][1:], features["tokens"][:-1])


def test_long_text_is_cut_and_ends_with_eos():
    features = preprocess(TextInput(max_length=5), text_inputs="one two three four five six seven eight nine")
    assert len(features["tokens"]) == 5 and features["tokens"][-1] == EOS


def test_parallel_answers_restart_positions_and_have_streams():
    features = preprocess(TextTarget(), text_targets=["seven", "the number seven"])
    first = int((features["streams"] == 0).sum())
    assert features["positions"][first] == 0 and features["inputs"][first] == BOS
    assert set(features["streams"]) == {0, 1}


def test_action_comes_back_within_a_bin():
    points = np.array([[0.1, 0.9, 0], [0.5, 0.25, 1], [1.0, 0.0, 1]], np.float32)
    target = ActionTarget(max_length=32)
    features = preprocess(target, action_targets=points)
    assert len(features["tokens"]) == 3 * len(points) + 1
    np.testing.assert_allclose(target.detokenize(features["tokens"]), points, atol=1 / 999)
    read = preprocess(ActionInput(max_length=32), action_inputs=points)
    np.testing.assert_array_equal(read["tokens"], features["tokens"])


def test_image_patches_hold_the_picture_and_the_mask_what_is_real():
    modality = ImageInput(resolution=16, patch=8)
    picture = np.random.default_rng(0).random((16, 8, 3), np.float32)
    features = preprocess(modality, image_inputs=picture)
    whole = unpatchify(features["patches"][0], 8, (2, 2))
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    np.testing.assert_allclose(whole[:, 4:12] * std + mean, picture, atol=1e-5)
    np.testing.assert_allclose(whole[:, :4] * std + mean, 0, atol=1e-5)
    hidden = np.ones((16, 16), bool)
    hidden[:8] = False
    masked = preprocess(modality, image_inputs=picture, image_input_masks=hidden)
    assert features["mask"][0].tolist() == [True, False, True, False]
    assert masked["mask"][0].tolist() == [False, False, True, False]


def test_image_target_comes_back():
    target = tiny_config().target("image")
    picture = np.random.default_rng(1).random((8, 8, 3), np.float32)
    np.testing.assert_allclose(
        target.detokenize(preprocess(target, image_targets=picture)["pixels"][0]), picture, atol=1e-6
    )


def test_audio_normalises_and_leaves_silence_out():
    modality = AudioInput(mel=MEL, patch=8, mean=-4.0, std=2.0)
    sound = np.random.default_rng(2).normal(-4, 2, (8, 16)).astype(np.float32)
    features = preprocess(modality, audio_inputs=sound)
    np.testing.assert_allclose(
        unpatchify(features["patches"][0], 8, (2, 2))[:8, :, 0] * 2 - 4, sound, atol=1e-5
    )
    assert features["mask"][0].tolist() == [True, True, False, False]


def test_audio_target_comes_back():
    target = tiny_config().target("audio")
    sound = np.random.default_rng(3).normal(-4, 2, (16, 16)).astype(np.float32)
    np.testing.assert_allclose(
        target.detokenize(preprocess(target, audio_targets=sound)["pixels"][0]), sound, atol=1e-5
    )


def test_history_keeps_the_latest_frames():
    history = next(m for m in tiny_config().inputs if m.name == "image_history")
    frames = np.random.default_rng(4).random((6, 16, 16, 3), np.float32)
    features = preprocess(history, image_history_inputs=frames)
    last = preprocess(history.media, image_inputs=frames[-1])
    assert len(features["frames"]) == history.max_frames
    np.testing.assert_array_equal(features["patches"][-1], last["patches"][0])
    assert history.num_tokens(features) == history.max_frames * history.resampler.num_latents


@pytest.mark.parametrize(
    "modality, example, word",
    [
        (AudioInput(mel=MEL, patch=8), {"audio_inputs": np.zeros((4, 7))}, "log-mel"),
        (AudioInput(mel=MEL, patch=8), {"audio_inputs": np.full((4, 16), np.nan)}, "NaN"),
        (ImageInput(resolution=16, patch=8), {"image_inputs": np.full((4, 4, 3), 7.0)}, "0, 1"),
        (ImageInput(resolution=16, patch=8), {"image_inputs": np.ones((4, 4, 5))}, "image"),
    ],
)
def test_bad_media_are_errors_that_say_what_was_wanted(modality, example, word):
    with pytest.raises(DataError, match=word):
        preprocess(modality, **example)


def test_a_codebook_that_does_not_fit_its_vocabulary_is_an_error():
    target = tiny_config().target("image")
    with pytest.raises(ConfigError, match="raise vocab_size"):
        ImageTarget(vocab_size=20, vqgan=target.vqgan)
    with pytest.raises(ConfigError, match="frames"):
        AudioTarget(vit_vqgan=tiny_config().target("audio").vit_vqgan)


def test_modalities_share_modules_and_must_agree_on_them():
    config = tiny_config()
    shared = merge_shared(config.inputs + config.targets, config.backbone)
    assert sorted(shared) == ["audio_encoder", "image_encoder", "text_token_embedder"]
    other = ImageInput(resolution=16, patch=8)
    with pytest.raises(ConfigError, match="image_encoder"):
        merge_shared((*config.inputs, other), config.backbone)
