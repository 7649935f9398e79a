"""Models that answer in known ways, judged on tasks that say how: scores, files, resuming, and what is refused."""

import dataclasses
import json
from collections.abc import Mapping

import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.tiny import MEL, tiny_config
from tests.tiny_connected import connected_config
from unified_io.data import pipeline
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import gallery, panels, scoreboard
from unified_io.evaluation.evaluator import TOGETHER, Evaluator
from unified_io.evaluation.judge import Judged, judge_of
from unified_io.evaluation.metric import Mean, Whole
from unified_io.evaluation.predictions import Predictions, plain
from unified_io.evaluation.report import CloudPanel, MotionPanel, StrokesPanel

EXAMPLES = 40  # more than are answered at once


@dataclasses.dataclass(frozen=True)
class Words:
    """Judges answers in words; every third example gives options."""

    output: str = "text"
    decoding: Mapping = dataclasses.field(default_factory=lambda: {"temperature": 0.25})
    metrics: tuple = (Mean("exact"), Whole("longest", best=1e9, all=lambda p, t: float(max(map(len, p)))))

    def parse(self, answer, example):
        return answer.strip()

    def truth(self, example):
        return json.loads(example["meta/truth"])

    def options(self, example):
        return json.loads(example["meta/options"] or "[]")


@dataclasses.dataclass(frozen=True)
class Media:
    """Judges pictures or sounds by how far they are from the target."""

    output: str = "image"
    decoding: Mapping = dataclasses.field(default_factory=dict)
    metrics: tuple = (Mean("error", best=0.0, worst=1.0, each=lambda p, t: float(np.abs(p - t).mean())),)

    def parse(self, answer, example):
        return np.asarray(answer)

    def truth(self, example):
        return example[f"{self.output}_targets"]

    def options(self, example):
        return []


def register(name, make, fields, judge, count=EXAMPLES):
    """Registers a task of `count` examples; `make` gives the fields of one."""

    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(count).map(lambda i: {"id": tf.strings.as_string(i), "number": i})

    seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(numbers, splits=("validation",)),
        preprocessors=[pipeline.numpy_map(make, fields, name)],
        output_features=pipeline.output_features(("text_inputs",)),
        postprocess_fn=judge,
        metric_fns=[],
    )


def word(raw, rng):
    number = int(raw["number"])
    if number == 5:
        raise DataError("it is broken on purpose")
    options = ["even", "odd"] if number % 3 == 0 else []
    truth = ["even", "odd"][number % 2]
    return {
        "text_inputs": f"[Text] [S] is {number} even or odd?",
        "text_targets": truth,
        "meta/id": f"row {number}",
        "meta/truth": json.dumps(truth),
        "meta/options": json.dumps(options),
    }


def picture(raw, rng):
    pixels = np.full((10, 10, 3), int(raw["number"]) / EXAMPLES, np.float32)
    return {"text_inputs": "[Image] [S] draw", "image_targets": pixels, "meta/id": str(raw["number"])}


def tone(raw, rng):
    mel = np.full((16, 16), -3.0 - int(raw["number"]), np.float32)
    return {"text_inputs": "[Audio] [S] say", "audio_targets": mel, "meta/id": str(raw["number"])}


MADE = ("text_inputs", "text_targets", "meta/id", "meta/truth", "meta/options")


@pytest.fixture(scope="module", autouse=True)
def tasks():
    register("judged_words", word, MADE, Judged(Words()))
    register("judged_pictures", picture, ("text_inputs", "image_targets", "meta/id"), Judged(Media()), 3)
    register("judged_sounds", tone, ("text_inputs", "audio_targets", "meta/id"), Judged(Media("audio")), 2)
    register("unjudged_words", word, MADE, None)
    register("without_metric", word, MADE, Judged(Words(metrics=())))
    register("judged_ruins", lambda raw, rng: word({"number": 5}, rng), MADE, Judged(Words()))
    seqio.MixtureRegistry.add("judged_mixture", [("judged_words", 1.0), ("judged_pictures", 1.0)])


class Teacher:
    """Knows the targets: gives them, and finds the right option the likeliest."""

    config = tiny_config()

    def __init__(self, wrong=lambda example: False, stop=None):
        self.asked, self.seeds, self.wrong, self.stop = [], [], wrong, stop

    def generate_fields(self, examples, output, seed=0, **options):
        if self.stop is not None and self.asked and len(self.asked) >= self.stop:
            raise KeyboardInterrupt
        self.asked += [example["meta/id"] for example in examples]
        self.seeds.append(seed)
        self.options = options
        field = self.config.target(output).fields[0]
        return ["neither" if self.wrong(example) else example[field] for example in examples]

    def score_fields(self, examples, answers, by="sum", **options):
        self.asked += [example["meta/id"] for example in examples]
        return np.array(
            [[float(answer == example["text_targets"]) for answer in answers] for example in examples]
        )


def lines(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def test_who_knows_everything_scores_the_best(tmp_path):
    model = Teacher()
    told = []
    outcome = Evaluator(model, tmp_path)("judged_words", told.append)
    assert told == [TOGETHER, EXAMPLES - 1]
    assert outcome.scores["exact"].score == 1.0 and outcome.scores["exact"].n == EXAMPLES - 1
    assert outcome.scores["longest"].score == len("even")
    assert (
        len(model.asked) == EXAMPLES - 1 and len(outcome.bad) == 1 and "broken on purpose" in outcome.bad[0]
    )
    written = lines(tmp_path / "judged_words")
    assert [line["index"] for line in written] == [*range(EXAMPLES - 1)]
    assert written[1] == {
        "index": 1,
        "id": "row 1",
        "prompt": "[Text] [S] is 1 even or odd?",
        "answer": "odd",
        "truth": "odd",
        "scores": {"exact": 1.0},
    }


def test_scores_are_those_of_the_answers_by_hand(tmp_path):
    wrong = {"row 1", "row 2", "row 4"}
    outcome = Evaluator(Teacher(lambda e: e["meta/id"] in wrong), tmp_path, count=10)("judged_words")
    assert outcome.scores["exact"].score == pytest.approx(7 / 10)
    low, high = outcome.scores["exact"].interval
    assert low < 0.7 < high
    assert outcome.scores["longest"].score == len("neither")
    assert [shown.answer for shown in outcome.shown] == [
        line["answer"] for line in lines(tmp_path / "judged_words")
    ]


def test_a_judge_says_how_it_is_answered_and_the_user_may_say_otherwise(tmp_path):
    model = Teacher()
    Evaluator(model, tmp_path / "judge", count=4)("judged_words")
    assert model.options == {"temperature": 0.25}
    Evaluator(model, tmp_path / "user", count=4, decoding={"temperature": 0.0, "top_k": 3})("judged_words")
    assert model.options == {"temperature": 0.0, "top_k": 3}


def test_what_is_predicted_is_not_predicted_again(tmp_path):
    half = Teacher(stop=TOGETHER)
    with pytest.raises(KeyboardInterrupt):
        Evaluator(half, tmp_path / "a")("judged_words")
    kept = lines(tmp_path / "a" / "judged_words")
    assert 0 < len(kept) <= TOGETHER
    with (tmp_path / "a" / "judged_words" / "predictions.jsonl").open("a") as file:
        file.write('{"index": 39, "id')  # torn
    rest, whole = Teacher(), Teacher()
    resumed = Evaluator(rest, tmp_path / "a")("judged_words")
    once = Evaluator(whole, tmp_path / "b")("judged_words")
    assert not {line["id"] for line in kept} & {*rest.asked}
    assert resumed.scores == once.scores and resumed.fingerprints == once.fingerprints
    assert lines(tmp_path / "a" / "judged_words") == lines(tmp_path / "b" / "judged_words")
    third = Teacher()
    assert Evaluator(third, tmp_path / "a")("judged_words").scores == once.scores and third.asked == []
    assert len({*whole.seeds}) == len(whole.seeds)  # examples at one place of a chunk do not draw alike


def test_the_answers_of_another_run_are_not_gone_on_with(tmp_path):
    Evaluator(Teacher(), tmp_path, weights="first", count=4)("judged_words")
    with pytest.raises(ConfigError, match="weights 'first', now 'second'.*--out"):
        Evaluator(Teacher(), tmp_path, weights="second", count=4)("judged_words")
    with pytest.raises(ConfigError, match="decoding"):
        Evaluator(Teacher(), tmp_path, weights="first", decoding={"top_p": 0.5})("judged_words")
    path = tmp_path / "judged_words" / "predictions.jsonl"
    path.write_text(path.read_text().replace("row 2", "row 7"))
    with pytest.raises(ConfigError, match="'row 7'"):
        Evaluator(Teacher(), tmp_path, weights="first", count=4)("judged_words")


def test_pictures_and_sounds_are_files_and_judged_as_filed(tmp_path):
    from PIL import Image

    from unified_io.preprocess import sound

    pictures = Evaluator(Teacher(), tmp_path)("judged_pictures")
    assert pictures.scores["error"].score <= 0.5 / 255 + 1e-6
    first = lines(tmp_path / "judged_pictures")[2]
    assert first["answer"] == "000002.png" and first["truth"] == "float32 [10, 10, 3]"
    assert np.asarray(Image.open(tmp_path / "judged_pictures" / "answers" / "000002.png")).shape == (
        10,
        10,
        3,
    )
    sounds = Evaluator(Teacher(), tmp_path)("judged_sounds")
    assert sounds.scores["error"].score == 0.0
    waveform, rate = sound.read_file(tmp_path / "judged_sounds" / "answers" / "000001.wav")
    assert rate == MEL.sample_rate and len(waveform) == MEL.samples
    again = Evaluator(Teacher(), tmp_path)("judged_pictures")
    assert again.scores == pictures.scores


def test_a_lost_answer_is_named_with_what_to_do(tmp_path):
    Evaluator(Teacher(), tmp_path)("judged_pictures")
    (tmp_path / "judged_pictures" / "answers" / "000001.png").unlink()
    with pytest.raises(DataError, match="answer 1 .*take its line out"):
        Evaluator(Teacher(), tmp_path)("judged_pictures")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("unjudged_words", "has no judge.*register"),
        ("without_metric", "no metric"),
        ("judged_mixture", "mixture.*judged_pictures, judged_words"),
        ("judged_wrods", "did you mean 'judged_words'"),
    ],
)
def test_what_can_not_be_judged_is_said(tmp_path, task, words):
    with pytest.raises(ConfigError, match=words):
        Evaluator(Teacher(), tmp_path)(task)


def test_a_split_that_can_not_be_read_is_told(tmp_path):
    with pytest.raises(DataError, match="broken on purpose"):
        Evaluator(Teacher(), tmp_path)("judged_ruins")
    with pytest.raises(ConfigError, match="split"):
        Evaluator(Teacher(), tmp_path, split="tset")("judged_words")
    with pytest.raises(ConfigError, match="0 examples"):
        Evaluator(Teacher(), tmp_path, count=0)("judged_words")


def test_tables_and_page(tmp_path):
    names = ("judged_words", "judged_pictures", "judged_sounds")
    outcomes = [Evaluator(Teacher(), tmp_path, count=8)(name) for name in names]
    scoreboard.write(outcomes, tmp_path, "w")
    found = json.loads((tmp_path / "results.json").read_text())
    exact = found["tasks"]["judged_words"]["metrics"]["exact"]
    assert (exact["score"], exact["interval"], exact["n"]) == (1.0, [1.0, 1.0], 8)
    assert exact["fingerprint"]["task"] == "judged_words, validation"
    table = (tmp_path / "results.md").read_text()
    assert "| judged_words | exact | 1 | 1 to 1 | 8 |" in table and "broken on purpose" in table
    page = gallery.write_page(outcomes, tmp_path, gallery.sounds_of(Teacher.config), {}).read_text()
    assert all(word in page for word in ("judged_words", "<audio", "data:image/png", "is 3 even or odd?"))


def test_only_equal_fingerprints_are_compared(tmp_path):
    def evaluated(name, task="judged_words", **about):
        folder = tmp_path / name
        scoreboard.write(
            [Evaluator(about.pop("model", Teacher()), folder, **{"count": 8, **about})(task)], folder
        )
        return folder / "results.json"

    good, bad = evaluated("good"), evaluated("bad", model=Teacher(lambda e: True))
    table = scoreboard.compare(bad, good.parent)
    assert "| judged_words | exact | 0.375 | 1 | +0.625 |" in table
    with pytest.raises(ConfigError, match="judged_words.*other examples"):
        scoreboard.compare(good, evaluated("fewer", count=4))
    with pytest.raises(ConfigError, match=r"decoding.temperature.*0.25 in the first.*0.5 in the second"):
        scoreboard.compare(good, evaluated("warm", decoding={"temperature": 0.5}))
    with pytest.raises(ConfigError, match="nothing to compare"):
        scoreboard.compare(good, evaluated("other", task="judged_pictures"))
    with pytest.raises(DataError, match="holds no scores"):
        scoreboard.compare(good, tmp_path / "nowhere")


def test_a_judge_is_what_seqio_asks_too():
    task = seqio.TaskRegistry.get("judged_words")
    example = {"meta/truth": '"odd"', "meta/options": ""}
    assert judge_of(task) == Words()
    assert task.postprocess_fn(" odd ", example=example, is_target=False) == "odd"
    assert task.postprocess_fn("", example=example, is_target=True) == "odd"


def test_registered_formats_are_found_as_judges():
    from data_tasks.formats.caption import Caption
    from data_tasks.registry import register as register_format
    from data_tasks.sources.lines import Lines

    form = Caption("caption")
    fields = {"image": "image", "captions": "captions"}
    register_format("judged_captions", group="own", dataset="x", stored=Lines("x"), fields=fields, form=form)
    assert judge_of(seqio.TaskRegistry.get("judged_captions")) == form


def test_hidden_pixels_are_covered_and_boxes_read():
    pixels = np.ones((4, 4, 3), np.float32)
    seen = np.zeros((4, 4), bool)
    seen[:, :2] = True
    shown = panels.inputs({"text_inputs": "look", "image_inputs": pixels, "image_input_masks": seen}, MEL)
    assert shown[0].text == "look"
    assert (shown[1].pixels[:, :2] == 1).all() and (shown[1].pixels[:, 2:, 2] < 0.5).all()
    from unified_io.structures import boxes_to_text

    box = panels.boxes(boxes_to_text(np.array([[0.1, 0.2, 0.5, 0.6]]), ["dog"]), truth=True)[0]
    assert box.label == "dog" and box.truth and box.yxyx == pytest.approx((0.1, 0.2, 0.5, 0.6), abs=2e-3)
    assert panels.boxes("no box") == () and panels.boxes(pixels) == ()


def test_clouds_motion_and_filter_banks_of_other_models_are_shown():
    bands = np.arange(15, dtype=np.float32).reshape(3, 5) - 20
    example = {
        "audio_inputs": bands,
        "point_cloud_inputs": np.ones((4, 3), np.float32),
        "imu_inputs": np.ones((8, 6), np.float32),
        "action_inputs": np.ones((2, 3), np.float32),
    }
    sound, cloud, motion, strokes = panels.inputs(example, MEL)
    assert sound.pixels.shape == (5, 3) and sound.label == "audio"
    np.testing.assert_allclose(
        sound.pixels[:, 0], np.arange(4, -1, -1) / 14
    )  # time to the right, high bands above
    assert (type(cloud), cloud.label) == (CloudPanel, "point cloud")
    assert (type(motion), motion.rate) == (MotionPanel, 200)
    assert type(strokes) is StrokesPanel


def test_sounds_are_heard_as_a_connected_model_takes_them():
    config = connected_config()
    assert gallery.sounds_of(config) == config.input("audio").front.mel


def test_truths_become_plain():
    assert plain({"a": np.float32(0.5), "b": [np.int64(2), np.zeros(2)]}) == {"a": 0.5, "b": [2, [0.0, 0.0]]}
    assert plain(np.zeros((20, 20), np.float32)) == "float32 [20, 20]"
    assert plain(float("nan")) == "nan"


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / "predictions.jsonl").write_text("{}}\n")
    with pytest.raises(DataError, match="no JSON"):
        Predictions(tmp_path, Teacher.config.target("text"), {})
