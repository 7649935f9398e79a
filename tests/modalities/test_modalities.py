"""What every modality keeps of an example, and what it gives back."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image
from tiny import MEL, featurize, tiny_batch, tiny_config, tiny_examples

from unified_io.errors import ConfigError, DataError
from unified_io.mel import log_mel
from unified_io.modalities.action import ActionInput, ActionTarget
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.base import FIELDS, merge_shared
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import Network, parameter_shapes
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


def test_location_tokens_may_begin_on_a_curve_that_all_text_shares():
    given, wanted = TextInput(location_octaves=7), TextTarget(location_octaves=7)
    table = merge_shared((given, wanted), tiny_config().backbone)["text_token_embedder"]
    assert range(table.curve.first, table.curve.first + table.curve.rows) == given.vocabulary.location_ids
    with pytest.raises(ConfigError, match="give them equal configs"):
        merge_shared((given, TextTarget()), tiny_config().backbone)
    with pytest.raises(ConfigError, match="from 0 to 9"):
        TextInput(location_octaves=10)


def test_evenness_weighs_answers_rather_than_tokens():
    answers = ["seven", "the number seven is drawn in the middle"]
    plain, even, half = (TextTarget(evenness=evenness) for evenness in (0.0, 1.0, 0.5))
    features = preprocess(plain, text_targets=answers)
    streams, counts = features["streams"], np.bincount(features["streams"])
    assert counts[1] > counts[0] and (plain.weights(features) == 1).all()
    for target, sums in ((even, [1, 1]), (half, np.sqrt(counts))):
        weights = target.weights(features)
        assert weights.shape == target.slots(features).shape and weights.dtype == np.float32
        np.testing.assert_allclose(np.bincount(streams, weights[:, 0]), sums, rtol=1e-6)
    assert even.weights(preprocess(even)).shape == (0, 1)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        TextTarget(evenness=2.0)


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
    keep = np.ones((16, 8), bool)
    keep[:8] = False
    masked = preprocess(modality, image_inputs=picture, image_input_masks=keep)
    assert features["mask"][0].tolist() == [True, False, True, False]
    assert masked["mask"][0].tolist() == [False, False, True, False]
    with pytest.raises(DataError, match="same height and width"):
        preprocess(modality, image_inputs=picture, image_input_masks=keep[:8])


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (1, 1)])
def test_a_picture_too_thin_for_the_rule_of_patches_is_seen(shape):
    modality = ImageInput(resolution=64, patch=16)
    features = preprocess(modality, image_inputs=np.ones((*shape, 3), np.float32))
    rows, columns = np.divmod(np.flatnonzero(features["mask"][0]), 4)
    assert sorted({*rows}) == ([1] if shape[0] < shape[1] else [0, 1, 2, 3])
    assert sorted({*columns}) == ([1] if shape[1] < shape[0] else [0, 1, 2, 3])
    hidden = preprocess(modality, image_inputs=np.ones((*shape, 3)), image_input_masks=np.zeros(shape, bool))
    assert not hidden["mask"].any()


def test_a_picture_hands_out_where_it_lies():
    modality = ImageInput(resolution=60, patch=20)
    placement = modality.placement(np.zeros((100, 50, 3)))
    assert placement.source == (100, 50) and placement.size == (60, 60)
    np.testing.assert_allclose(placement.to_source([0.5, 0.5]), [50, 25], atol=1e-4)


def test_part_of_the_patches_are_drawn_real_ones_first():
    """Of 64 patches 32 are real."""
    picture = np.random.default_rng(6).random((16, 32, 3), np.float32)
    whole = preprocess(ImageInput(resolution=32, patch=4), image_inputs=picture)
    assert whole["mask"].sum() == 32
    for samples, count in ((20, 20), (0.25, 16), (40, 40), (0.875, 56)):
        modality = ImageInput(resolution=32, patch=4, samples=samples)
        assert modality.slot_size == count
        some = [
            modality.preprocess({"image_inputs": picture}, seed=seed, training=True) for seed in (0, 0, 1)
        ]
        for key in whole:
            np.testing.assert_array_equal(some[0][key], whole[key][:, some[0]["positions"][0]])
            np.testing.assert_array_equal(some[0][key], some[1][key])
        assert len({*some[0]["positions"][0]}) == count
        assert some[0]["mask"].sum() == modality.num_tokens(some[0]) == min(count, 32)
        assert not np.array_equal(some[0]["positions"], some[2]["positions"])
    for everything in (64, 1.0):
        same = preprocess(ImageInput(resolution=32, patch=4, samples=everything), image_inputs=picture)
        np.testing.assert_array_equal(same["positions"], whole["positions"])


def test_every_real_patch_is_drawn_equally_often():
    modality = ImageInput(resolution=16, patch=4, samples=4)
    example = {"image_inputs": np.ones((8, 16, 3), np.float32)}
    drawn = [modality.preprocess(example, seed=seed, training=True)["positions"] for seed in range(400)]
    counts = np.bincount(np.concatenate(drawn).reshape(-1), minlength=16)
    assert not counts[:4].any() and not counts[12:].any()
    assert counts[4:12].min() > 150 and counts[4:12].max() < 250  # 200 each


@pytest.mark.parametrize("samples", [0, -1, 65, 0.0, 1.5])
def test_an_impossible_number_of_patches_is_an_error(samples):
    with pytest.raises(ConfigError, match="8x8 patches"):
        ImageInput(resolution=32, patch=4, samples=samples)


def test_frames_of_a_history_draw_their_patches_apart():
    media = ImageInput(resolution=32, patch=4, samples=0.5)
    history = History(media, max_frames=3)
    frame = np.random.default_rng(7).random((32, 32, 3), np.float32)
    features = preprocess(history, image_history_inputs=[frame] * 4)
    assert features["patches"].shape == (3, 32, 48)
    alone = preprocess(media, image_inputs=frame)
    for index, other in ((0, 1), (1, 2), (0, 2)):
        assert not np.array_equal(features["positions"][index], features["positions"][other])
    assert not any(np.array_equal(alone["positions"][0], positions) for positions in features["positions"])


def test_a_sampled_model_runs():
    config = tiny_config()
    inputs = tuple(
        dataclasses.replace(m, samples=0.5) if m.name in ("image", "audio") else m for m in config.inputs
    )
    config = dataclasses.replace(config, inputs=inputs)
    features = featurize(config, tiny_examples()[:1])
    assert config.inputs[1].num_tokens(features[0]["inputs"]["image"]) == 2
    shapes = parameter_shapes(config)
    batch = tiny_batch(config, features, rows=1)
    outputs = jax.eval_shape(lambda p, b: Network(config).apply({"params": p}, b), shapes, batch)
    assert outputs["text"].logits.shape[-1] == config.targets[0].vocabulary.size


def test_a_target_follows_the_input_picture_of_its_size():
    """A checkerboard stays one: resized by nearest neighbour, no colour appears that was not there."""
    target = dataclasses.replace(tiny_config().target("image"), input_resolution=16)
    board = np.indices((8, 16)).sum(axis=0)[:, :, None].repeat(3, axis=2) % 2
    board = board.astype(np.float32)
    apart = preprocess(target, image_targets=board)
    follows = preprocess(target, image_targets=board, image_inputs=np.zeros((8, 16, 3)))
    drawn = target.detokenize(follows["pixels"][0])
    # 8x16 lies in rows 4 to 11 of the input's square; the target's takes every second row and column, from 1.
    expected = np.pad(board, ((4, 4), (0, 0), (0, 0)))[1::2, 1::2]
    np.testing.assert_array_equal(drawn, expected)
    assert not np.array_equal(target.detokenize(apart["pixels"][0]), drawn)
    for other in (
        preprocess(target, image_targets=board, image_inputs=np.zeros((4, 4, 3))),
        preprocess(
            dataclasses.replace(target, input_resolution=None),
            image_targets=board,
            image_inputs=np.zeros((8, 16, 3)),
        ),
    ):
        np.testing.assert_array_equal(other["pixels"], apart["pixels"])


@pytest.mark.parametrize("side", [8, 16])
def test_a_target_of_the_tokenizers_size_is_left_alone(side):
    """Also where the input picture, of the same size, is seen larger."""
    target = dataclasses.replace(tiny_config().target("image"), input_resolution=side)
    picture = np.random.default_rng(8).random((8, 8, 3), np.float32)
    for given in ({}, {"image_inputs": picture}):
        drawn = target.detokenize(preprocess(target, image_targets=picture, **given)["pixels"][0])
        np.testing.assert_allclose(drawn, picture, atol=1e-6)


def test_a_target_mask_says_which_codes_count():
    target = tiny_config().target("image")
    rows, columns = target.code_grid
    picture = np.random.default_rng(9).random((8, 8, 3), np.float32)
    keep = np.zeros((8, 8), bool)
    keep[:4] = True
    for given in ({}, {"image_inputs": picture}):
        features = preprocess(target, image_targets=picture, image_target_masks=keep, **given)
        expected = np.repeat([[True], [False]], [rows // 2, rows - rows // 2], axis=0).repeat(columns, axis=1)
        np.testing.assert_array_equal(features["mask"][0].reshape(rows, columns), expected)
        np.testing.assert_array_equal(target.weights(features) > 0, features["mask"])
    empty = preprocess(target, image_targets=picture, image_target_masks=np.zeros((0, 0), bool))
    assert empty["mask"].all()
    with pytest.raises(DataError, match="same height and width"):
        preprocess(target, image_targets=picture, image_target_masks=keep[:3])


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
    keep = np.zeros((8, 16), bool)
    keep[:, 8:] = True
    masked = preprocess(modality, audio_inputs=sound, audio_input_masks=keep)
    assert masked["mask"][0].tolist() == [False, True, False, False]
    with pytest.raises(DataError, match="same shape"):
        preprocess(modality, audio_inputs=sound, audio_input_masks=keep[:4])


def test_a_long_sound_is_read_in_segments_the_last_of_which_is_heard():
    modality = AudioInput(mel=MEL, patch=8)
    noise = np.random.default_rng(5).normal(0, 0.1, 3 * MEL.samples).astype(np.float32)
    segments = modality.read_segments(noise)
    assert segments.shape == (3, MEL.frames, MEL.mels)
    for index, segment in enumerate(np.split(noise, 3)):
        np.testing.assert_array_equal(segments[index], log_mel(segment, MEL))
    np.testing.assert_array_equal(modality.read(noise), segments[-1])
    halves = modality.read_segments((noise, MEL.sample_rate), MEL.samples / MEL.sample_rate / 2)
    assert len(halves) == 6 and not halves[:, 0].any()  # short segments begin and end in silence


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


def test_a_history_is_read_as_a_list_of_files_and_arrays(tmp_path):
    history = next(m for m in tiny_config().inputs if m.name == "image_history")
    frames = np.random.default_rng(10).integers(0, 256, (2, 4, 6, 3), np.uint8)
    Image.fromarray(frames[0]).save(tmp_path / "a.png")
    read = history.read([tmp_path / "a.png", frames[1], frames[1][:, :3]])
    np.testing.assert_allclose(read[0], frames[0] / 255.0, atol=1e-6)
    assert [frame.shape for frame in read] == [(4, 6, 3), (4, 6, 3), (4, 3, 3)]
    assert len(preprocess(history, image_history_inputs=read)["frames"]) == 3
    with pytest.raises(DataError, match="list of frames"):
        history.read(tmp_path / "a.png")


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
