"""A tokenizer that learns against a discriminator: killed, stopped, and shown numbers that are none."""

import random
import signal
import time
from pathlib import Path

import jax
import numpy as np

from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.reliability.drills import remains
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.sessions import Session, Surroundings, side_by_side
from unified_io.reliability.drills.verdict import insist, tail
from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import PatchConfig
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig
from unified_io.train import optimizer as optimizers
from unified_io.train.codebook import Codebook
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.tokenizer import init_tokenizer_state, make_tokenizer_step
from unified_io.train.tokenizer_job import TokenizerJob

_STEPS, _SAVED, _SIDE, _PICTURES = 24, 4, 8, 16
_OPTIMIZER = OptimizerConfig("adamw", ScheduleConfig("constant", base=0.003))
_NETWORK = VQGAN(
    VQGANConfig(
        channels=8,
        channel_multipliers=(1, 2),
        res_blocks=1,
        attention_resolutions=(),
        resolution=_SIDE,
        codebook_size=16,
        groups=4,
    )
)
_ADVERSARY = Adversary(PatchConfig(channels=8, layers=1, groups=4), start=2)
_JOB = TokenizerJob(
    total_steps=_STEPS,
    batch_size=4,
    optimizer=_OPTIMIZER,
    adversary=_ADVERSARY,
    judge_optimizer=_OPTIMIZER,
    ema_decay=0.9,
    report_period=2,
    checkpoint_period=_SAVED,
)


def judged_tokenizer(ground: Ground) -> str:
    """Kills and stops the training of a tokenizer and its judge; then shows both of them NaN."""
    _skips_what_is_no_number()
    straight = _Run(ground, "tokenizer-straight")
    straight.start().succeed()
    wanted, kills = straight.left(), ground.some(3, 1)

    def ended(case: tuple[int, signal.Signals]) -> None:
        number, how = case
        run = _Run(ground, f"tokenizer-ended-{number}")
        _end(run, how, random.Random(number))
        run.same_as(wanted, f"after {how.name}")

    side_by_side(ended, enumerate([signal.SIGKILL] * kills + [signal.SIGTERM]))
    return f"NaN moved neither of the two; {kills} kills and a SIGTERM, each byte-identical to the end"


def train(folder: str) -> int:
    """Trains it in a folder, or goes on."""
    _JOB.train(_NETWORK, _pictures(), folder)
    return 0


def _pictures() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, size=(_PICTURES, _SIDE, _SIDE, 3)).astype(np.float32)


class _Run:
    """One training in a folder of its own."""

    def __init__(self, ground: Ground, name: str):
        self.folder, self.log = ground.folder / name, ground.folder / f"{name}.log"
        self._around = Surroundings(cache=ground.cache)

    def start(self) -> Session:
        return Session(train, [str(self.folder)], self.log, self._around)

    def reached(self) -> int:
        """The last step that was reported."""
        return max((line["step"] for line in remains.lines(self._metrics)), default=0)

    def left(self) -> dict[str, str]:
        """Its result as hashes by name."""
        return remains.bits(checkpoint.load_params(self.folder / PARAMS_FOLDER)[0])

    def same_as(self, wanted: dict[str, str], after: str) -> None:
        self.start().succeed()
        said = remains.difference(wanted, self.left())
        insist(said is None, f"{after} the tokenizer in {self.folder.name} is not the same: {said}")

    @property
    def _metrics(self) -> Path:
        return self.folder / f"{self.folder.name}.jsonl"


def _end(run: _Run, number: signal.Signals, rng: random.Random) -> None:
    """Ends a session by a signal, somewhere between its first checkpoint and its last step."""
    session, step = run.start(), rng.randrange(_SAVED + 2, _STEPS - 4, 2)
    insist(session.until(lambda: run.reached() >= step), f"it never reached a step: {tail(run.log)}")
    time.sleep(rng.uniform(0.0, 0.01))
    session.send(number)
    code = session.wait()
    insist(code != 0, f"it was over before {number.name} reached it")
    insist(not (run.folder / PARAMS_FOLDER).is_dir(), f"a run that {number.name} ended left a result")


def _skips_what_is_no_number() -> None:
    media = _pictures()[:4]
    shapes = _NETWORK.init(jax.random.key(0), media)["params"]
    judge_shapes = _ADVERSARY.discriminator.build().init(jax.random.key(0), media)["params"]
    shared = {
        "adversary": _ADVERSARY,
        "judge_optimizer": optimizers.build(_OPTIMIZER, judge_shapes),
        "codebook": Codebook(),
        "seed": 0,
    }
    optimizer = optimizers.build(_OPTIMIZER, shapes)
    step = make_tokenizer_step(_NETWORK, optimizer, **shared)
    state = init_tokenizer_state(_NETWORK, optimizer, {"media": media}, **shared)
    for _ in range(_ADVERSARY.start + 1):
        state, _ = step(state, {"media": media})
    before = _moving(state)
    bad = media.copy()
    bad[0, 0, 0, 0] = np.nan
    state, metrics = step(state, {"media": bad})
    for name in ("skipped_steps", "judge/skipped_steps"):
        insist(float(metrics[name]) == 1, f"NaN in a picture: {name} is {metrics.get(name)}")
    said = remains.difference(before, _moving(state))
    insist(said is None, f"NaN in a picture moved the tokenizer or its judge: {said}")
    state, _ = step(state, {"media": media})
    insist(
        remains.difference(before, _moving(state)) is not None,
        "no step behind the skipped one moved anything",
    )


def _moving(state) -> dict[str, str]:
    return remains.bits(jax.device_get({"maker": state.params, "judge": state.extra["judge"]}))
