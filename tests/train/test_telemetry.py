"""What is reported can be read back, once each, and by TensorBoard."""

import io
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.tensorflow_stub.errors import OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

from unified_io.errors import ConfigError
from unified_io.train.telemetry import Telemetry


def _lines(telemetry):
    return [json.loads(line) for line in telemetry.path.read_text().splitlines()]


def _events(folder):
    found = []
    for path in sorted(folder.iterdir()):
        reader = PyRecordReader_New(str(path))
        while True:
            try:
                reader.GetNext()
            except OutOfRangeError:
                break
            found.append(Event.FromString(reader.record()))
    return found


def test_one_line_a_report_with_rates(tmp_path):
    with Telemetry(tmp_path / "logs", "train", 10, stream=io.StringIO()) as telemetry:
        telemetry.report(2, {"loss": 1.5, "examples": 8.0}, seconds=0.5)
        telemetry.report(4, {"loss": float("nan")})
    first, second = _lines(telemetry)
    assert first["step"] == 2 and first["loss"] == 1.5 and first["time"] > 1e9
    assert first["steps_per_s"] == pytest.approx(4) and first["examples_per_s"] == pytest.approx(32)
    assert second["loss"] is None and "steps_per_s" not in second


def test_the_use_of_the_machine_is_told_where_its_peak_is_known(tmp_path):
    metrics = {"flops": 300.0, "useful_flops": 150.0}
    for name, peak, told in (("known", 2400.0, (0.5, 0.25)), ("unknown", None, (None, None))):
        with Telemetry(tmp_path, name, 10, stream=io.StringIO(), peak_flops=peak) as telemetry:
            telemetry.report(2, metrics, seconds=0.5)
        [line] = _lines(telemetry)
        assert (line.get("mfu"), line.get("useful_mfu")) == told


def test_numbers_go_to_wandb_only_where_it_is_asked_for(tmp_path, monkeypatch):
    """With a stand-in for the package, which no test needs."""
    calls = []

    class Run:
        def log(self, values, step):
            calls.append((step, values))

        def finish(self):
            calls.append("finished")

    def init(**settings):
        calls.append(settings)
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="wandb project 'digits', but wandb can not be imported"):
        Telemetry(tmp_path, "train", 10, wandb="digits")
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    for _ in range(2):
        with Telemetry(tmp_path, "train", 10, stream=io.StringIO(), wandb="digits") as telemetry:
            telemetry.write(3, {"loss": 0.5})
    first, *rest = calls
    assert rest == [(3, {"loss": 0.5}), "finished", first, (3, {"loss": 0.5}), "finished"]
    assert first["project"] == "digits" and first["resume"] == "allow"


def test_resuming_leaves_no_line_to_be_written_twice(tmp_path):
    with Telemetry(tmp_path, "train", 10, stream=io.StringIO()) as telemetry:
        for step in (2, 4, 6):
            telemetry.write(step, {"loss": 1.0 / step})
            telemetry.write(step, {"eval/loss": 2.0 / step})
    with telemetry.path.open("a") as file:
        file.write('{"step": 8, "lo')
    again = Telemetry(tmp_path, "train", 10, stream=io.StringIO())
    again.resume(4)
    assert [(line["step"], "loss" in line) for line in _lines(again)] == [
        (2, True),
        (2, False),
        (4, True),
        (4, False),
    ]
    again.resume(4, unfinished=("eval/",))
    assert [(line["step"], "loss" in line) for line in _lines(again)] == [(2, True), (2, False), (4, True)]
    again.write(4, {"eval/loss": 9.0})
    again.close()
    events = _events(tmp_path / "train")
    assert [e.step for e in events if e.session_log.status == SessionLog.START] == [5]


def test_tensorboard_reads_numbers_and_pictures(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    with Telemetry(tmp_path, "train", 10, stream=io.StringIO()) as telemetry:
        telemetry.write(3, {"image/loss": 0.25})
        telemetry.write_images(3, {"made/../../three": image})
    events = _events(tmp_path / "train")
    assert events[0].file_version == "brain.Event:2"
    assert (events[1].step, events[1].summary.value[0].tag, events[1].summary.value[0].simple_value) == (
        3,
        "image/loss",
        0.25,
    )
    stored = events[2].summary.value[0].image
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored.encoded_image_string))), image)
    assert (stored.height, stored.width) == (5, 7)
    [picture] = (tmp_path / "samples").iterdir()
    assert picture.name == "000003-made-..-..-three.png"
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), image)


def test_plain_progress_has_no_carriage_return_and_is_sparse(tmp_path):
    stream = io.StringIO()
    with Telemetry(tmp_path, "train", 100, stream=stream) as telemetry:
        for step in range(10, 101, 10):
            telemetry.report(
                step, {"loss": 3.0, "text/loss": 1.0, "image/loss": 2.0, "examples": 4.0}, seconds=2.0
            )
    text = stream.getvalue()
    assert "\r" not in text
    first, last = text.splitlines()
    assert first == "step 10/100 | loss 3 (text 1, image 2) | 20 examples/s | 0m18s left"
    assert last.startswith("step 100/100")


def test_a_terminal_gets_a_bar(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Telemetry(tmp_path, "train", 100, stream=stream) as telemetry:
        telemetry.resume(40)
        telemetry.report(50, {"loss": 3.0}, seconds=1.0)
    assert "50/100" in stream.getvalue() and "loss 3" in stream.getvalue()


def test_telemetry_needs_no_tensorflow():
    code = "import sys, unified_io.train.loop; assert not {'tensorflow', 'seqio', 'gin', 'clu'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
