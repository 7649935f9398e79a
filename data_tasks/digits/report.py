"""The report of Digits Any-to-Any: what the trial found, laid out to be looked at."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.digits import images, judges, panels
from data_tasks.digits.source import DigitsSource
from data_tasks.digits.tasks import MODALITIES
from data_tasks.digits.trial import Outcome, Trial
from unified_io.api import UnifiedIO
from unified_io.evaluation import environment, media, stats
from unified_io.evaluation.report import (
    Chart,
    Gallery,
    ImagePanel,
    Item,
    Matrix,
    Result,
    ScoreTable,
    Section,
    Series,
    Table,
    write,
)
from unified_io.evaluation.report import Report as Page

HTML_FILE, JSON_FILE = "report.html", "report.json"
SHOWN = 12
GENERATION_SEED = 0
CHANCE = 0.1

GOALS = {
    "image->text": 0.90,
    "audio->text": 0.90,
    "action->text": 0.85,
    "text->image": 0.85,
    "text->audio": 0.80,
    "text->action": 0.80,
    "image->audio": 0.70,
    "audio->image": 0.70,
}
METRICS = {
    "text": "digit named right",
    "image": "digit drawn right, by the image judge",
    "audio": "digit said right, by the audio judge",
    "action": "executed strokes read right, by the image judge",
}
COMPOSITE_METRICS = {
    "two_boxes": "digits found at IoU 0.5 with the right label",
    "box_to_label": "digit in the box named right",
    "larger": "larger digit named right",
    "sum": "sum right",
    "segment": "mask IoU",
    "inpaint": "restored digit read right, by the image judge",
}


class Report:
    """Judges a trained model on the test split and writes the page.

    Args:
      digits: The data.
      model: The trained model.
      folder: The run; its metrics become the curves, and the report is written here.
      count: Test examples a task.
      budget: Name of the effort, for the record.
      seed: Seed of tokenizers and model, for the record.
    """

    def __init__(
        self, digits: DigitsSource, model: UnifiedIO, folder: Path, count: int, budget: str, seed: int
    ):
        self._digits, self._model, self._folder, self._budget = digits, model, folder, budget
        self._seed = seed
        self._trial = Trial(digits, model, count, GENERATION_SEED)

    def write(self, resources: Callable[[], Mapping[str, float]]) -> None:
        """Writes `report.html` and `report.json`; `resources` tells what the whole run used."""
        pairs = {name: self._pair(outcome) for name, outcome in self._trial.pairs.items()}
        sections = (
            self._pairs(pairs),
            self._composites(),
            self._training(),
            self._tokenizers(),
            self._controls(),
            self._sources(),
        )
        page = Page(
            "Digits Any-to-Any",
            "One small encoder-decoder, trained here from raw data, reads and writes digits as images, sound, text and "
            "pen strokes. Everything below is the test split: other writers, other voices, other wordings than in "
            "training.",
            sections,
            Matrix("Every input, every output", MODALITIES, MODALITIES, tuple(pairs.values())),
            {
                **resources(),
                "budget": self._budget,
                "speech_source": self._digits.stock("test").clips.source,
                "seeds": {"training": self._seed, "generation": GENERATION_SEED},
                "versions": environment.versions(),
                "machine": environment.machine(),
            },
        )
        write(page, self._folder)

    def _pair(self, outcome: Outcome) -> Result:
        name = f"{outcome.given}->{outcome.wanted}"
        return Result(
            name,
            stats.score(outcome.scores),
            METRICS[outcome.wanted],
            chance=CHANCE,
            floor=_majority(outcome.labels),
            ceiling=self._trial.court.ceiling(outcome.given, outcome.wanted),
            goal=GOALS.get(name),
        )

    def _pairs(self, results: Mapping[str, Result]) -> Section:
        parts = []
        for name, result in results.items():
            outcome = self._trial.pairs[name]
            read = self._trial.court.read(outcome.outputs, outcome.wanted)
            items = [
                Item(
                    panels.inputs(outcome.examples[i], self._digits.mel),
                    (panels.panel(outcome.wanted, outcome.outputs[i], self._digits.mel),),
                    caption=f"digit {outcome.labels[i]}, the judge reads {read[i] if read[i] >= 0 else 'none'}",
                    correct=bool(outcome.scores[i]),
                )
                for i in _spread(len(outcome.outputs))
            ]
            gallery = Gallery(
                f"{name.replace('->', ' to ')}, examples", tuple(items), "Spread over the test split."
            )
            parts.append(Section(name, parts=(ScoreTable("pairs", "", (result,)), gallery)))
        text = (
            "Chance is one in ten; the floor is the most frequent digit; the ceiling is the judge of the output on "
            "real test data (for text, which is read exactly, the judge of the input)."
        )
        whole = ScoreTable("pairs", "All twelve pairs", tuple(results.values()))
        return Section("Pairs", text, (whole,), tuple(parts))

    def _composites(self) -> Section:
        results, galleries = [], []
        for name, outcome in self._trial.composites.items():
            answers = [example.get("text_targets", "") for example in outcome.examples]
            floor = _majority(np.array(answers)) if name in ("box_to_label", "larger", "sum") else None
            results.append(Result(name, stats.score(outcome.scores), COMPOSITE_METRICS[name], floor=floor))
            items = [
                Item(
                    panels.inputs(outcome.examples[i], self._digits.mel),
                    (self._answer(name, outcome, i),),
                    (panels.truth(name, outcome.examples[i]),),
                    correct=bool(outcome.scores[i] >= 0.5),
                )
                for i in _spread(len(outcome.outputs))
            ]
            galleries.append(Gallery(f"{name}, examples", tuple(items), "Input, output, truth."))
        text = "Two digits on a canvas, a box, a sound against a picture, a mask, a hole: one model, one prompt each."
        return Section(
            "Composites", text, (ScoreTable("composites", "All composites", tuple(results)), *galleries)
        )

    def _answer(self, name: str, outcome: Outcome, i: int) -> Any:
        if name != "two_boxes":
            return panels.panel(outcome.wanted, outcome.outputs[i], self._digits.mel)
        example = outcome.examples[i]
        return ImagePanel(
            example["image_inputs"],
            panels.boxes(outcome.outputs[i]) + panels.boxes(example["text_targets"], True),
        )

    def _training(self) -> Section:
        rows = _rows(self._folder / "train.jsonl")
        losses = tuple(_series(rows, f"{m.name}/loss", m.name) for m in self._model.config.targets)
        held_out = tuple(_series(rows, f"eval/{m.name}/loss", m.name) for m in self._model.config.targets)
        charts = [Chart("Loss per modality, training", losses, y_label="nats per token", log_y=True)]
        if any(len(series.x) > 1 for series in held_out):
            charts.append(
                Chart("Loss per modality, validation", held_out, y_label="nats per token", log_y=True)
            )
        return Section("Training", parts=tuple(charts))

    def _tokenizers(self) -> Section:
        court, test = self._trial.court, self._digits.stock("test")
        pictures = test.singles(np.arange(len(test)), ("image_target",), np.random.default_rng(0))[
            "image_target"
        ]
        made = {"image": self._rebuild("image", pictures), "audio": self._rebuild("audio", test.clips.mels)}
        truth = {"image": test.digits.labels, "audio": test.clips.labels}
        psnr = [media.psnr(out, real) for out, real in zip(made["image"], pictures, strict=True)]
        error = [
            media.log_mel_l1(out, real) for out, real in zip(made["audio"], test.clips.mels, strict=True)
        ]
        results = [
            Result("image PSNR", stats.score(psnr), "reconstruction", unit="dB"),
            Result(
                "audio log-mel error", stats.score(error), "mean absolute difference", unit="", better="lower"
            ),
        ]
        for name, outputs in made.items():
            right = court.read(list(outputs), name) == truth[name]
            what = "judge on reconstructions"
            results.append(Result(f"{name} identity", stats.score(right), what, ceiling=court.ceilings[name]))
        items = [
            Item((ImagePanel(pictures[i]),), (ImagePanel(made["image"][i]),)) for i in _spread(len(pictures))
        ] + [
            Item(
                (panels.panel("audio", test.clips.mels[i], self._digits.mel),),
                (panels.panel("audio", made["audio"][i], self._digits.mel),),
            )
            for i in _spread(len(test.clips.mels), SHOWN // 2)
        ]
        charts = [
            Chart(
                f"Loss of the {name} tokenizer",
                (
                    _series(
                        _rows(self._folder / f"{name}_tokenizer" / f"{name}_tokenizer.jsonl"), "loss", "loss"
                    ),
                ),
                y_label="loss",
                log_y=True,
            )
            for name in made
        ]
        gallery = Gallery(
            "Reconstructions", tuple(items), "Left the original, right what its codes give back."
        )
        return Section("Tokenizers", parts=(ScoreTable("tokenizers", "", tuple(results)), gallery, *charts))

    def _rebuild(self, name: str, raws: np.ndarray) -> np.ndarray:
        """Media to codes and back."""
        return np.stack(self._model.reconstruct(list(raws), name))

    def _controls(self) -> Section:
        rng = np.random.default_rng(0)
        shuffled = []
        for name, outcome in self._trial.pairs.items():
            read = self._trial.court.read(outcome.outputs, outcome.wanted)
            shuffled.append((name, read == rng.permutation(outcome.labels)))
        pooled = stats.score(np.concatenate([right for _, right in shuffled]).astype(float))
        results = [
            Result("all pairs, shuffled", pooled, "outputs against another example's digit", chance=CHANCE)
        ]
        for name, right in shuffled:
            results.append(Result(f"{name}, shuffled", stats.score(right.astype(float)), chance=CHANCE))
        note = (
            "Every output is judged against the digit of another example. A score above chance here would mean that "
            "the judges, not the inputs, decide."
        )
        return Section(
            "Controls", parts=(ScoreTable("controls", "Shuffled pairs", tuple(results), note), self._memory())
        )

    def _memory(self) -> Table:
        train, test, pairs = self._digits.stock("train"), self._digits.stock("test"), self._trial.pairs
        size = self._digits.target_size
        small = lambda pictures: images.downsample(np.stack(pictures).mean(axis=-1))  # noqa: E731
        drawn = small([output for name, o in pairs.items() if o.wanted == "image" for output in o.outputs])
        said = np.stack([output for name, o in pairs.items() if o.wanted == "audio" for output in o.outputs])
        cases = {
            f"images, {size} px": (drawn, test.digits.images, train.digits.images),
            "sounds": (said, test.clips.mels, train.clips.mels),
        }
        rows = []
        for name, (made, real, known) in cases.items():
            found = media.memorisation(judges.nearest(made, known), judges.nearest(real, known))
            rows.append(
                (name, found.generated_median, found.real_median, found.closer_share, found.copy_share)
            )
        return Table(
            "Memorisation",
            (
                "output",
                "median distance, generated",
                "median distance, real test data",
                "closer than the nearest 5 %",
                "copies",
            ),
            tuple(rows),
            "Distance to the nearest training example: of what the model made, and of real data it never saw.",
        )

    def _sources(self) -> Section:
        clips = self._digits.stock("test").clips
        text = (
            "Images: the 1,797 handwritten digits of scikit-learn, split in blocks of rows because neighbours share a "
            f"writer (train 0-1257, validation 1258-1527, test 1528-1796). Sound: {clips.source}; the test voices are "
            "never heard in training. Actions: pen strokes traced from the real images. Text: templates, those of the "
            "test never used in training."
        )
        return Section("Where the data come from", text)


def _majority(values: np.ndarray) -> float:
    """What the most frequent answer alone would score."""
    _, counts = np.unique(values, return_counts=True)
    return float(counts.max() / counts.sum())


def _rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _series(rows: list[dict[str, float]], key: str, name: str) -> Series:
    found = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    return Series(name, [step for step, _ in found], [value for _, value in found])


def _spread(count: int, shown: int = SHOWN) -> list[int]:
    return np.linspace(0, count - 1, min(shown, count)).astype(int).tolist()
