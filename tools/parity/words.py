"""What is written with text tokens: ids of words, and coordinates as location tokens and back."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.fixture import Compared, Fixture
from unified_io import structures, vocab
from unified_io.modalities.image import ImageInput
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.preprocess.placement import Placement
from unified_io.vocab import BOS, EOS, LLAMA_PIECES, PAD, SENTINELS, UNK, Vocabulary

RELATIVE = 1e-6  # what the READMEs ask for; ids and words exactly
ROWS = 33280  # of the released text table

_RELEASED = Vocabulary(None, LLAMA_PIECES, ROWS)


def discretisation(fixture: Fixture) -> Iterator[Compared]:
    """Values to location tokens and back; boxes and keypoints read from text and from ids."""
    inputs, config, words = fixture.inputs, fixture.config, fixture.json("outputs.json")
    size = ImageInput().size
    yield Compared("grid/index", structures.values_to_bins(inputs["grid/values"]) + SENTINELS)
    # The port truncates whatever comes; ours takes [0, 1] only, and whoever has more clips it.
    inside = np.clip(inputs["values/values"], 0, 1)
    yield Compared("values/index", structures.values_to_bins(inside) + SENTINELS)
    for name, write in (("boxes", structures.boxes_to_text), ("points", structures.points_to_text)):
        values = inputs[f"{name}/pixels"] / np.float32(size[0])
        ids = _RELEASED.location_id(structures.values_to_bins(values))
        yield Compared(f"{name}/index", _RELEASED.location_bin(ids) + SENTINELS)
        yield Compared(f"{name}/ids", ids)
        yield _close(fixture, f"{name}/back", structures.bins_to_values(_RELEASED.location_bin(ids)))
        yield Compared(name, [write(value[None]) for value in values], expected=words[name])
    boxes = inputs["boxes/pixels"] / np.float32(size[0])
    lines = words["boxes_with_labels"]
    labelled = structures.boxes_to_text(boxes[: len(lines)], [line.rpartition("> ")[2] for line in lines])
    yield Compared("boxes_with_labels", labelled, expected=" ".join(lines))
    top, left, _, *source = inputs["image_info"][:5].tolist()
    placement = Placement(tuple(source), size, tuple(inputs["image_info"][9:11].tolist()), top, left)
    yield _close(fixture, "undo_boxes", placement.to_source(boxes))
    spelled = " ".join(map(_spell, inputs["location_ids"].tolist()))
    yield _close(fixture, "locations_from_ids", structures.text_to_boxes(spelled).boxes)
    read = structures.text_to_boxes(config["labelled_box_text"])
    yield _close(fixture, "labelled_boxes", read.boxes)
    # Theirs keep the space behind a label.
    labels = [label.strip() for label in words["labelled_boxes"]["labels"]]
    yield Compared("labelled_boxes/labels", read.labels, expected=labels)
    points, visible, skipped = structures.text_to_keypoints(config["keypoint_text"])
    filled = structures.fill_missing(placement.to_source(points), visible)
    keypoints = np.concatenate([filled[:, ::-1], np.where(visible, 2, 0)[:, None]], axis=1)
    yield _close(fixture, "keypoints", keypoints)
    yield Compared("keypoints_invalid_flag", bool(skipped), expected=words["keypoints_invalid_flag"])
    _, visible, skipped = structures.text_to_keypoints(config["no_keypoints_text"])
    none = {"result": None, "invalid": bool(skipped)} if not visible.any() else visible
    yield Compared("keypoints_none", none, expected=words["keypoints_none"])
    yield Compared("parts", list(structures.COCO_PARTS), expected=words["parts"])
    # The other constants are ranges of quantities that no function of the release turns into tokens.
    ours = {"VOCAB_START": SENTINELS, "NUM_DETECTION_BIN": vocab.LOCATION_BINS}
    yield Compared("constants", ours, expected={name: words["constants"][name] for name in ours})


def tokenizer(fixture: Fixture) -> Iterator[Compared]:
    """Ids of words with the fixture's own SentencePiece file, special ids, and what the model reads and writes."""
    config, words = fixture.config, fixture.json("outputs.json")
    pieces = config["base_pieces"]
    vocabulary = Vocabulary(str(fixture.folder / "tokenizer.model"), pieces, ROWS)
    # How an id is spelled within a text is asked by nobody else, so the vocabulary does not tell.
    spell = vocab._processor(vocabulary.path, pieces).id_to_piece
    for case in words["strings"]:
        ids = vocabulary.encode(case["text"])
        ours = {**case, "ids": ids, "pieces": [spell(id) for id in ids], "decoded": vocabulary.decode(ids)}
        yield Compared(f"string {case['text']!r}", ours, expected=case)
    for case in words["decode_cases"]:
        yield Compared(f"ids {case['ids']}", vocabulary.decode(case["ids"]), expected=case["decoded"])
    special = {name: vocabulary.special_id(name.replace("▁", " ").strip()) for name in words["special_ids"]}
    yield Compared("special_ids", special, expected=words["special_ids"])
    ours = {"piece_count": vocabulary.used_size, "bos": BOS, "eos": EOS, "unk": UNK, "pad": PAD}
    # Special words that are neither sentinels nor location tokens.
    ours["modality_extra_ids"] = len(vocab.SPECIAL_WORDS) - SENTINELS - vocab.LOCATION_BINS
    yield Compared("numbers", ours, expected={name: words[name] for name in ours})
    # Nothing says which text the short input is, but that it is one of the strings.
    short = fixture.outputs["short_input/tokens"].tolist()[:-1]
    texts = [case["text"] for case in words["strings"] if case["ids"] == short] or [vocabulary.decode(short)]
    for name, text in (("long_input", config["long_text"]), ("short_input", texts[0])):
        reader = TextInput(vocabulary)
        features = reader.preprocess({"text_inputs": text}, seed=0, training=False)
        yield Compared(f"{name}/tokens", features["tokens"])
        yield Compared(f"{name}/pos_ids", features["positions"])
        yield Compared(f"{name}/mask", reader.slots(features)[:, 0])
    writer = TextTarget(vocabulary)
    features = writer.preprocess({"text_targets": config["target_text"]}, seed=0, training=False)
    yield Compared("target/targets", features["tokens"])
    yield Compared("target/inputs", features["inputs"])
    yield Compared("target/pos_ids", features["positions"])
    yield Compared("target/segment_ids", writer.streams(features) + 1)  # theirs count from 1
    yield Compared("target/mask", writer.slots(features)[:, 0])


def _spell(id: int) -> str:
    return vocab.location_word(_RELEASED.location_bin(id)) if _RELEASED.is_location(id) else "other"


def _close(fixture: Fixture, name: str, ours: Any) -> Compared:
    largest = float(np.max(np.abs(fixture.outputs[name]), initial=1.0))
    return Compared(name, ours, tolerance=RELATIVE * largest)
