"""The real set: digits, photographs, faces, the stereo pair and doc-strings, each with whole sources held out."""

import numpy as np
import pytest

from data_tasks.digits import images
from data_tasks.digits.words import WORDS
from data_tasks.formats.qa import Question
from data_tasks.toy import docstrings, handwriting, photos
from unified_io.errors import ConfigError, DataError


def test_digits_keep_their_label_and_their_split():
    record = handwriting.digit("test", 0)
    stored = images.load("test")
    assert record["name"] == WORDS[stored.labels[0]]
    assert (
        record["image"].shape == (32, 32, 3)
        and 0 <= record["image"].min() < 0.3 < 0.9 < record["image"].max() <= 1
    )
    assert all(record["name"] in caption for caption in record["captions"])
    assert handwriting.LENGTHS == {"train": 1258, "validation": 270, "test": 269}


def test_sheets_have_tight_boxes_around_their_ink():
    for index in range(30):
        record = handwriting.sheet("train", index)
        dark = record["image"][..., 0] < 1 - 0.9 * images.INK
        covered = np.zeros_like(dark)
        for y1, x1, y2, x2 in (record["boxes"] * handwriting.SHEET).round().astype(int):
            inside = dark[y1:y2, x1:x2]
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
            assert not covered[y1:y2, x1:x2].any()  # none lies over another
            covered[y1:y2, x1:x2] = True
        assert not (dark & ~covered).any()


def test_sheets_answer_their_questions():
    kinds = {}
    for index in range(120):
        record = handwriting.sheet("validation", index)
        values = [WORDS.index(name) for name in record["names"]]
        right = {"how many": len(values), "the sum": sum(values), "the largest": max(values)}
        [kind] = [kind for kind in right if kind in record["question"]]
        assert record["answers"] == [str(right[kind])]
        kinds.setdefault(kind, set()).add(right[kind])
    assert kinds["how many"] == {2, 3, 4} and len(kinds["the sum"]) > 8 and len(kinds["the largest"]) > 3


def test_a_question_of_all_of_a_picture_is_shown_all_of_it_in_training_too():
    form = Question("qa_number", ("image",), "number", whole=True)
    record = handwriting.sheet("train", 0)
    raw = {"id": "a", "training": True, **{key: record[key] for key in ("image", "question", "answers")}}
    for seed in range(8):
        fields = form(raw, np.random.default_rng(seed))
        np.testing.assert_array_equal(fields["image_inputs"], record["image"])


def test_no_photograph_is_in_two_splits_and_all_are_there():
    files = [file for split in photos.PHOTOS.values() for file in split]
    assert len(files) == len(set(files)) == 20
    for split, shown in photos.PHOTOS.items():
        for index in range(len(shown)):
            record = photos.piece(split, index)
            assert record["image"].shape == (128, 128, 3) and record["image"].std() > 0.005
            assert list(shown.values())[index] in record["captions"][0]
    np.testing.assert_array_equal(photos.piece("test", 4)["image"], photos.piece("test", 4)["image"])
    assert (photos.piece("test", 4)["image"] != photos.piece("test", 7)["image"]).any()  # other pieces of one
    with pytest.raises(ConfigError, match="split of the photographs"):
        photos.piece("tset", 0)


def test_faces_are_split_without_overlap_and_half_of_them_are_none():
    seen = {}
    for split, count in photos.FACE_LENGTHS.items():
        records = [photos.face(split, index) for index in range(count)]
        assert sum(one["name"] == "a face" for one in records) == count // 2
        seen[split] = {one["image"].tobytes() for one in records}
        assert len(seen[split]) == count
    assert len(set.union(*seen.values())) == 200
    # Faces are bright in the middle: the mean of either kind differs, as it would not if labels were mixed up.
    records = [photos.face("train", index) for index in range(140)]
    mean = {
        kind: np.mean([one["image"] for one in records if one["name"] == kind], axis=0)
        for kind in photos.FACE_CLASSES
    }
    assert np.abs(mean["a face"] - mean["no face"]).max() > 0.1


def test_the_flow_of_the_stereo_pair_leads_to_what_looks_the_same():
    pair = photos.motorcycle()
    assert pair.left.shape == pair.right.shape == (500, 741, 3) and 0.9 < pair.valid.mean() < 0.95
    rows, columns = np.nonzero(pair.valid)
    there = np.rint(columns + pair.flow[rows, columns, 0]).astype(int)
    inside = there >= 0
    moved = np.abs(pair.left[rows, columns] - pair.right[rows, there])[inside].mean()
    assert moved < 0.3 * np.abs(pair.left - pair.right).mean()
    known = pair.depth[pair.valid]
    # Facts: Z = f B / (d + offset) gives 2.1 to 5.0 m.
    assert 2.0 < known.min() < 2.2 and 4.9 < known.max() < 5.1 and (pair.depth[~pair.valid] == 0).all()


def test_pieces_of_the_stereo_pair_do_not_cross_between_splits():
    pair = photos.motorcycle()
    for split, half in (("train", slice(0, 440)), ("validation", slice(440, None))):
        for index in range(4):
            record = photos.stereo(split, index)
            side = record["image"].shape[0]
            strip = pair.left[:, half]
            rows = [
                y
                for y in range(strip.shape[0] - side + 1)
                if (strip[y] == record["image"][0, 0]).all(-1).any()
            ]
            assert any(
                (strip[y : y + side, x : x + side] == record["image"]).all()
                for y in rows
                for x in np.flatnonzero((strip[y] == record["image"][0, 0]).all(-1))
                if x + side <= strip.shape[1]
            )
            assert record["images"][0] is record["image"] and record["flow"].shape == (side, side, 2)


def test_docstrings_are_text_of_packages_held_out_as_a_whole():
    packages = [one for split in docstrings.PACKAGES.values() for one in split]
    assert len(packages) == len(set(packages))
    train = set(docstrings.pieces("json")) | set(docstrings.pieces("email"))
    validation = set(docstrings.pieces("librosa"))
    assert len(train) > 80 and all(80 <= len(text) <= 2_000 for text in train)
    assert not train & validation
    text = docstrings.docstring("validation", 5)["text"]
    assert text in validation and text == docstrings.docstring("validation", 5)["text"]
    assert len({docstrings.docstring("validation", index)["text"] for index in range(60)}) == 60


def test_packages_that_are_missing_and_files_that_are_broken_are_left_out(monkeypatch, tmp_path):
    assert docstrings.pieces("a_package_that_nobody_has") == ()
    monkeypatch.setitem(docstrings.PACKAGES, "nothing", ("a_package_that_nobody_has",))
    with pytest.raises(DataError, match="pip install"):
        docstrings.docstring("nothing", 0)
    (tmp_path / "bad.py").write_text("def broken(:")
    (tmp_path / "odd.py").write_bytes(b"'''\xff\xfe'''")
    assert [*docstrings._docstrings(tmp_path / "bad.py"), *docstrings._docstrings(tmp_path / "odd.py")] == []
    (tmp_path / "good.py").write_text('"""Says what it is."""\nraise SystemExit("it was run")')
    assert [*docstrings._docstrings(tmp_path / "good.py")] == ["Says what it is."]
