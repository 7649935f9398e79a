"""Pre-training on the digits, from raw digits through the objective to a loss."""

import re
from collections import Counter

import flax.linen as nn
import jax
import numpy as np
import pytest
import seqio

from data_tasks import mixtures
from data_tasks.digits import pretraining
from data_tasks.digits.source import DigitsSource
from tests.data_tasks.fakes import small_stock
from tests.tiny import MEL, tiny_config
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.loader import Loader
from unified_io.data.packer import Packer, prepare
from unified_io.loss import total_loss
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import Network, UnifiedIOConfig, parameter_shapes
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.text import TextDenoiser

TASKS = [*mixtures.DIGITS_PRETRAIN]
WHOLE = tiny_config(num_encoder_layers=1, num_decoder_layers=1)
CONFIG = UnifiedIOConfig(
    WHOLE.backbone,
    (TextInput(max_length=64), *WHOLE.inputs[1:5]),
    (TextTarget(max_length=64), *WHOLE.targets[1:3]),
)
OBJECTIVE = Objective(
    TextDenoiser(length=64), (MediaDenoiser(CONFIG.inputs[1]), MediaDenoiser(CONFIG.inputs[3], stretches=0.5))
)
SOURCE = DigitsSource(image_size=16, target_size=8, mel=MEL)
BUDGETS = Budgets(
    16,
    160,
    96,
    {"text": 600, "image": 24, "image_history": 40, "audio": 24, "audio_history": 30},
    {"text": 400, "image": 20, "audio": 20},
)
DRAWS = 2000


@pytest.fixture(scope="module", autouse=True)
def digits():
    with small_stock():
        yield


def bind(name):
    return pipeline.bind(name, CONFIG.inputs, CONFIG.targets, source=SOURCE, objective=OBJECTIVE)


def read(name, count, split="train", seed=0):
    train = split == "train"
    stream = pipeline.examples(bind(name), split, seed=seed, shuffle=train, repeat=train)
    return [example for example, _ in zip(stream, range(count), strict=False)]


def prepared(example):
    return prepare(example, CONFIG.inputs, CONFIG.targets, seed=0, training=True)


def asked(example):
    target, paradigm = re.match(r"\[(\w+)\] \[(\w)\]", example["text_inputs"]).groups()
    return target.lower(), paradigm


def test_the_mixture_holds_every_task_of_pretraining():
    registered = {name for name in seqio.TaskRegistry.names() if name.startswith("digits_pretrain_")}
    assert (
        registered == {*TASKS} == {task.name for task in seqio.MixtureRegistry.get("digits_pretrain").tasks}
    )
    assert sum(mixtures.DIGITS_PRETRAIN.values()) == pytest.approx(100)


def test_a_video_leaves_out_what_is_not_heard_or_not_named():
    reader = seqio.TaskRegistry.get("digits_pretrain_video").source
    rows = SOURCE.in_place_of(reader).get_dataset("test").as_numpy_iterator()
    for raw in rows:
        raw["captions"] = [caption.decode() for caption in raw["captions"]]
        segments = pretraining.video(raw).segments
        assert [segment.audio is not None for segment in segments] == raw["heard"].tolist()
        assert [segment.words for segment in segments] == [
            caption if told else "" for caption, told in zip(raw["captions"], raw["told"], strict=True)
        ]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_same_seed_asks_the_same(name, split):
    first, again, other = (read(name, 12, split, seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(value, two[key])
    told = [
        [(x["text_inputs"], x["text_targets"], x["image_input_masks"].tolist()) for x in s]
        for s in (first, other)
    ]
    assert told[0] != told[1]
    assert all(example["meta/id"].startswith(f"{split} row ") for example in first)
    assert all(len(example["meta/labels"]) for example in first)


def test_the_mixture_asks_for_everything_in_every_way():
    drawn = read("digits_pretrain", DRAWS)
    ways, targets, histories = Counter(map(asked, drawn)), Counter(), Counter()
    for example in drawn:
        lengths = prepared(example).lengths
        (target,) = (name for name, items in lengths.targets.items() if items)
        assert target == asked(example)[0] and lengths.decoder > 0 and lengths.encoder > 0
        assert BUDGETS.why_never(lengths) is None
        targets[target] += 1
        histories.update(
            name for name, items in lengths.inputs.items() if items and name.endswith("_history")
        )
        frames = lengths.inputs["image_history"]
        assert frames == len(example["image_history_inputs"])
    media = {(name, paradigm) for name in ("image", "audio") for paradigm in "RS"}
    assert ways.keys() == {("text", "R"), ("text", "S"), ("text", "X")} | media
    assert min(ways.values()) > DRAWS / 30
    assert all(targets[name] > DRAWS / 6 for name in ("text", "image", "audio"))
    assert all(histories[name] > DRAWS / 20 for name in ("image_history", "audio_history"))


def test_every_task_becomes_part_of_a_batch_with_a_finite_loss():
    examples = {(name, *asked(example)): example for name in TASKS for example in read(name, 40)}
    packer = Packer(CONFIG.inputs, CONFIG.targets, BUDGETS)
    batch, packed, *_ = next(packer.batches(map(prepared, examples.values())))
    assert len(packed) == len(examples) and {example.task for example in packed} == {*TASKS}
    assert all(head["weights"].sum() > 0 for head in batch["heads"].values())
    module = Network(CONFIG)

    rng = np.random.default_rng(0)
    shapes = nn.unbox(parameter_shapes(CONFIG))
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.05, leaf.shape).astype(leaf.dtype), shapes)
    loss = jax.jit(lambda params, batch: total_loss(module.apply({"params": params}, batch))[0])
    assert np.isfinite(loss(params, batch))


def test_the_loader_leaves_nothing_out():
    loader = Loader(bind("digits_pretrain"), CONFIG.inputs, CONFIG.targets, BUDGETS, seed=3)
    stream = loader.batches()
    for _ in range(4):
        next(stream)
    stream.close()
    assert loader.quarantine == []
    assert all(loader.report()[f"seen/{name}"] for name in TASKS)
