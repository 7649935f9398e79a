"""`unified-io generate` with a connected model: media, earlier turns, many requests, and what can not be answered."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from unified_io import cli
from unified_io.preprocess import sound

RNG = np.random.default_rng(0)
DRAWN = {"temperature": 1.0, "seed": 3}
DIALOG = {"messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "a seven"}]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One of every kind of medium, and what was said before."""
    folder = tmp_path_factory.mktemp("media")
    for name in ("a", "b"):
        Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / f"{name}.png")
    sound.write_wav(folder / "tone.wav", 0.3 * np.sin(np.arange(2000) / 9.0), 8000)
    np.save(folder / "points.npy", RNG.normal(size=(50, 3)).astype(np.float32))
    np.save(folder / "motion.npy", RNG.normal(size=(80, 6)).astype(np.float32))
    (folder / "before.json").write_text(json.dumps(DIALOG))
    return folder


@pytest.fixture
def generate(saved, capsys):
    def run(*flags, folder=saved):
        code = cli.main(["generate", f"--model_dir={folder}", "--temperature=1", "--seed=3", *flags])
        shown = capsys.readouterr()
        return code or 0, shown.out, shown.err

    return run


def test_it_answers_about_every_medium(generate, sensing, files):
    media = {
        "image": files / "a.png",
        "audio": files / "tone.wav",
        "point_cloud": files / "points.npy",
        "imu": files / "motion.npy",
    }
    said = sensing.generate("text", text="what?", **media, **DRAWN)
    code, out, _ = generate("--text=what?", *(f"--{name}={file}" for name, file in media.items()))
    assert code == 0 and out.endswith(f"{said}\n")
    other = sensing.generate("text", text="what?", **media, temperature=1.0, seed=4)
    assert other != said  # so that the same words mean the same prompt


def test_it_is_told_earlier_turns_and_their_pictures_in_requests(generate, sensing, files, tmp_path):
    asked = {"text": "and <image>?", "image": ["a.png", "b.png"], "dialog": DIALOG, "temperature": 0.0}
    lines = [asked, {**asked, "image": ["b.png", "a.png"]}, {**asked, "image": ["a.png"]}]
    (files / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, out, _ = generate(f"--requests={files / 'asked.jsonl'}", f"--out={tmp_path}")
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    found = {one["line"]: one for one in results}
    assert code == 1 and "1 have none" in out
    for line, names in ((1, "ab"), (2, "ba")):
        pictures = [files / f"{name}.png" for name in names]
        said = sensing.generate("text", text="and <image>?", image=pictures, dialog=DIALOG, temperature=0.0)
        assert found[line]["value"] == said
    assert "turn 2 lacks the medium of a slot <image>" in found[3]["error"]


def test_a_file_says_what_was_said_before(generate, sensing, files):
    flags = ("--text=and now?", f"--image={files / 'a.png'}", f"--dialog={files / 'before.json'}")
    code, out, _ = generate(*flags)
    said = sensing.generate("text", text="and now?", image=files / "a.png", dialog=DIALOG, **DRAWN)
    assert code == 0 and out.endswith(f"{said}\n")


def written(folder, name, content):
    path = folder / name
    np.save(path, content) if name.endswith(".npy") else path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("flag", "name", "content", "words"),
    [
        ("point_cloud", "bad.npy", np.full((9, 3), np.nan), "has 9 points of 9 that are NaN"),
        ("imu", "none.npy", np.zeros((0, 6)), "none.npy holds no step of motion"),
        ("imu", "empty.csv", "", "empty.csv is 0 bytes long"),
        ("imu", "gap.npy", np.full((9, 6), np.inf), "gap.npy holds NaN or infinity at step 0"),
        ("dialog", "words.json", "hello", "dialog_inputs is 'hello'; want JSON"),
        (
            "dialog",
            "role.json",
            '{"messages": [{"role": "bots", "text": "hi"}]}',
            "role in turn 0 'bots'; did you mean 'bot'",
        ),
    ],
)
def test_what_can_not_be_read_is_named(generate, tmp_path, flag, name, content, words):
    code, _, err = generate("--text=what?", f"--{flag}={written(tmp_path, name, content)}")
    assert code == 2 and words in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--text=<image> or <image>?", "--image={}/a.png"), "turn 0 lacks the medium of a slot <image>"),
        (("--text=see <audio>",), "turn 0 lacks the medium of a slot <audio>"),
        (("--text=see", "--image={}/none.png"), "none.png"),
        (("--text=see", "--dialog={}/none.json"), "none.json"),
        (("--text=see", "--action={}/before.json"), "before.json"),
    ],
)
def test_what_is_not_there_is_named(generate, files, flags, words):
    code, _, err = generate(*(flag.format(files) for flag in flags))
    assert code == 2 and words in err


def test_a_vocabulary_of_another_model_is_named(generate, saved, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(saved, folder)
    config = json.loads((folder / "config.json").read_text())
    text = json.dumps(config).replace('"added": []', '"added": ["<a>", "<b>"]')
    assert '"<b>"' in text
    (folder / "config.json").write_text(text)
    code, _, err = generate("--text=hi", folder=folder)
    assert code == 2 and "has 2050 ids, but the table of embeddings 2048 rows" in err


def test_a_table_of_another_size_is_named(generate, saved, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(saved, folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"vocab_size": 2048', '"vocab_size": 32000'))
    code, _, err = generate("--text=hi", folder=folder)
    assert code == 2 and "language_model.embedding is (2048, 32), wanted (32000, 32)" in err


def test_a_folder_of_a_language_model_without_weights_is_named(generate, tmp_path):
    settings = {
        "model_type": "llava",
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "image_size": 16,
            "patch_size": 8,
        },
        "text_config": {"model_type": "llama", "hidden_size": 32},
    }
    (tmp_path / "config.json").write_text(json.dumps(settings))
    code, _, err = generate("--text=hi", folder=tmp_path)
    assert code == 2 and "no weights" in err and str(tmp_path) in err
