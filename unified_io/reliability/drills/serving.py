"""What a model is trained on against what it is asked: the same file, by two ways in, must be the same tokens."""

from typing import Any

import numpy as np
import tensorflow as tf

from unified_io.api.model import UnifiedIO
from unified_io.data import pipeline
from unified_io.data.packer import prepare
from unified_io.reliability.drills import tiny, world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import insist

# A task -> the input that comes as a file.
_TASKS = {"drill_caption": "image", "drill_listen": "sound"}


def no_skew(ground: Ground) -> str:
    """The same pictures and sounds through the training pipeline and through the API: identical features."""
    model = tiny.model()
    served = UnifiedIO(model, params={})  # it reads and does not answer
    files, compared = _files(ground.world), 0
    for task, medium in _TASKS.items():
        bound = pipeline.bind(task, model.inputs, model.targets, source=ground.world)
        for row in pipeline.examples(bound, "validation"):
            trained = prepare(row, model.inputs, model.targets).features["inputs"]
            question = world.QUESTIONS[task].removeprefix("[Text] [S] ")
            name = {"image": "image", "sound": "audio"}[medium]
            asked = served.read({"text": question, name: files[row["meta/id"]][medium]}, "text")
            answered = prepare(asked, model.inputs, model.targets).features["inputs"]
            _same(trained, answered, f"{task} {row['meta/id']}")
            compared += 1
    insist(compared > 0, "there was nothing to compare")
    return (
        f"{compared} questions about files: every token and every patch the same in training and in serving"
    )


def _same(trained: Any, asked: Any, name: str) -> None:
    for modality, features in trained.items():
        for key, value in features.items():
            same = np.array_equal(value, asked[modality][key])
            insist(same, f"{name}: {key} of {modality} is another in training than in serving")


def _files(of: world.World) -> dict[str, dict[str, bytes]]:
    """The encoded media of the validation split by id."""
    found = {}
    for shard in range(world.SPLITS["validation"]):
        path = world.shard_of(of.path, "validation", shard)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            fields = tf.train.Example.FromString(record).features.feature
            values = {key: feature.bytes_list.value[0] for key, feature in fields.items()}
            found[values["id"].decode()] = values
    return found
