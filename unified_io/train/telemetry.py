"""What a run tells the world: a JSONL file, TensorBoard events, pictures, a progress line. Knows names and numbers."""

import json
import math
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tqdm import tqdm

from unified_io.train.weights_and_biases import WeightsAndBiases

_PLAIN_PERIOD_S = 10.0


class Telemetry:
    """The records of one run.

    Writes `<log_dir>/<name>.jsonl`, one line a report; TensorBoard events in `<log_dir>/<name>/`; pictures in
    `<log_dir>/samples/`. Progress goes to the terminal as a bar, to anything else as a plain line now and then.

    Attributes:
      folder: Where all files are.
      path: The JSONL file.
    """

    def __init__(
        self,
        log_dir: str | Path,
        name: str,
        total_steps: int,
        stream: TextIO | None = None,
        peak_flops: float | None = None,
        wandb: str | None = None,
    ):
        """Makes the folders.

        Args:
          log_dir: Where all files go.
          name: Name of the run's part, e.g. "train".
          total_steps: What the progress counts up to.
          stream: Where progress goes; standard error if not given.
          peak_flops: Operations a second of all devices at the most; without it `mfu` is not reported.
          wandb: The project to which numbers go as well; None for none.

        Raises:
          ConfigError: There is no wandb here.
        """
        self.folder = Path(log_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / f"{name}.jsonl"
        self._events = Events(self.folder / name)
        self._remote = None if wandb is None else WeightsAndBiases(wandb, self.folder, name)
        self._peak_flops = peak_flops
        self._total_steps = total_steps
        self._step = 0
        self._stream = stream or sys.stderr
        self._bar: tqdm | None = None
        self._last_line_s = -math.inf

    def resume(self, step: int, unfinished: tuple[str, ...] = ()) -> None:
        """Forgets what a resumed run will report again.

        Args:
          step: Where the run goes on; everything after it is forgotten.
          unfinished: What names start with that will be reported again for this very step.
        """
        self._step = step
        self._events.restart(step + 1)
        if not self.path.exists():
            return
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _is_kept(line, step, unfinished)]
        fresh = self.path.with_suffix(".jsonl.new")
        fresh.write_bytes(b"".join(kept))
        os.replace(fresh, self.path)

    def report(self, step: int, metrics: Mapping[str, float], seconds: float | None = None) -> None:
        """Records a report of training and moves the progress on.

        Args:
          step: Steps made so far.
          metrics: Means since the last report. `examples`, `flops` and `useful_flops`, where they are among them, are
            those of one step.
          seconds: Time that training took since the last report; gives rates and the time left. `mfu` and
            `useful_mfu` are the parts of the devices' peak that the operations take up.
        """
        rates: dict[str, float] = {}
        if seconds:
            speed = rates["steps_per_s"] = (step - self._step) / seconds
            if "examples" in metrics:
                rates["examples_per_s"] = metrics["examples"] * speed
            for name, rate in (("flops", "mfu"), ("useful_flops", "useful_mfu")):
                if name in metrics and self._peak_flops is not None:
                    rates[rate] = metrics[name] * speed / self._peak_flops
        self._step = step
        self.write(step, {**metrics, **rates})
        self._progress(step, {**metrics, **rates})

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Records numbers in the files; one that is not finite becomes null in the JSONL file."""
        values = {name: float(value) for name, value in metrics.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        line = json.dumps({"step": step, "time": round(time.time(), 3), **finite}, allow_nan=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._events.write_scalars(step, values)
        if self._remote is not None:
            self._remote.write(step, values)

    def say(self, text: str) -> None:
        """Tells whoever watches the progress."""
        print(text, file=self._stream, flush=True)

    def write_images(self, step: int, images: Mapping[str, UInt8[np.ndarray, "h w 3"]]) -> None:
        """Records pictures in TensorBoard and as `samples/<step>-<name>.png`."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        values = []
        for name, image in images.items():
            png = BytesIO()
            Image.fromarray(np.asarray(image, np.uint8)).save(png, format="PNG")
            (folder / f"{step:06d}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.png").write_bytes(png.getvalue())
            height, width, _ = image.shape
            encoded = Summary.Image(
                height=height, width=width, colorspace=3, encoded_image_string=png.getvalue()
            )
            values.append(Summary.Value(tag=name, image=encoded))
        self._events.write(step, values)

    def close(self) -> None:
        """Ends the progress bar and closes the files."""
        if self._bar is not None:
            self._bar.close()
        self._events.close()
        if self._remote is not None:
            self._remote.close()

    def __enter__(self) -> "Telemetry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _progress(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._stream.isatty():
            if self._bar is None:
                self._bar = tqdm(total=self._total_steps, initial=step, file=self._stream, unit="step")
            self._bar.update(step - self._bar.n)
            self._bar.set_postfix_str(_summary(metrics))
            return
        now = time.monotonic()
        if now - self._last_line_s < _PLAIN_PERIOD_S and step < self._total_steps:
            return
        self._last_line_s = now
        left = ""
        if metrics.get("steps_per_s"):
            left = f" | {_duration((self._total_steps - step) / metrics['steps_per_s'])} left"
        print(f"step {step}/{self._total_steps} | {_summary(metrics)}{left}", file=self._stream, flush=True)


class Events:
    """A TensorBoard event file, made at the first event. Needs no TensorFlow."""

    def __init__(self, folder: Path):
        """Takes the folder, which is made with the file."""
        self._folder = folder
        self._writer: RecordWriter | None = None
        self._restart_step: int | None = None

    def restart(self, step: int) -> None:
        """Asks TensorBoard to forget what earlier files say from this step on."""
        self._restart_step = step

    def write(self, step: int, values: list[Any]) -> None:
        """Appends one event."""
        self._put(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def write_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Appends one event of numbers by name."""
        self.write(step, [Summary.Value(tag=name, simple_value=value) for name, value in values.items()])

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _put(self, event: Event) -> None:
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
            self._writer = RecordWriter((self._folder / name).open("wb"))
            self._put(Event(wall_time=time.time(), file_version="brain.Event:2"))
        if self._restart_step is not None:
            start = SessionLog(status=SessionLog.START)
            restart = Event(wall_time=time.time(), step=self._restart_step, session_log=start)
            self._restart_step = None
            self._put(restart)
        self._writer.write(event.SerializeToString())
        self._writer.flush()


def _is_kept(line: bytes, step: int, unfinished: tuple[str, ...]) -> bool:
    """Whether a line is whole and will not be written again; a killed run may leave half a line."""
    if not line.endswith(b"\n"):
        return False
    try:
        values = json.loads(line)
        again = values["step"] == step and any(name.startswith(unfinished) for name in values)
        return values["step"] <= step and not again
    except (ValueError, KeyError, TypeError):
        return False


def _summary(metrics: Mapping[str, float]) -> str:
    """Loss, loss per modality and speed in one line."""
    parts = [
        f"{name.removesuffix('/loss')} {value:.3g}"
        for name, value in metrics.items()
        if name.endswith("/loss")
    ]
    text = f"loss {metrics['loss']:.4g}" if "loss" in metrics else ""
    text += f" ({', '.join(parts)})" if parts else ""
    if metrics.get("skipped_steps"):
        text += f" | {metrics['skipped_steps']:.0f} skipped"
    for name, unit in (("examples_per_s", "examples/s"), ("steps_per_s", "steps/s")):
        if name in metrics:
            return f"{text} | {metrics[name]:.3g} {unit}"
    return text


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"
