"""Who speaks: espeak-ng's English accents and voice variants, and which split each belongs to.

No accent and no variant is in two splits. Variants made from one another (f4, aunty, linda; klatt, klatt2, ...) are
one family and stay together. Left out: effects that are no voice (croak, robosoft, ...), and voices with breath (f2,
f3, f5, Alicia, sandro, victor, whisper), whose noise differs from process to process.
"""

import dataclasses

import numpy as np

from data_tasks.digits.espeak import Utterance
from data_tasks.digits.words import WORDS

# Below espeak-ng's own 175 words a minute: a word then lasts 0.35 to 0.6 s.
RATES = (115, 165)
PITCHES = (35, 65)


@dataclasses.dataclass(frozen=True)
class Cast:
    """The speakers of one split: every variant speaks every digit in every accent, `takes` times."""

    accents: tuple[str, ...]
    variants: tuple[str, ...]
    takes: int
    seed: int


def _names(*lines: str) -> tuple[str, ...]:
    return tuple(name for line in lines for name in line.split())


CASTS = {
    "train": Cast(
        accents=("en-US", "en", "en-029", "en-GB-scotland", "en-GB-x-gbcwmd"),
        variants=_names(
            "Alex Andy Gene Gene2 Jacky Lee Mario Michael Mike Nguyen Reed RicishayMax RicishayMax2 RicishayMax3",
            "announcer antonio benjamin david ed edward f1 grandma grandpa gustave ian iven iven2 iven3 iven4",
            "kaukovalta klatt klatt2 klatt3 klatt4 klatt5 klatt6 m1 m2 m4 m5 m6 m7 m8 marcelo max mike2 paul",
            "pedro travis zac",
        ),
        takes=1,
        seed=0,
    ),
    "validation": Cast(
        accents=("en-GB-x-gbclan",),
        variants=_names("Andrea Denis Diogo Henrique Hugo anika boris steph steph2 steph3"),
        takes=3,
        seed=1,
    ),
    "test": Cast(
        accents=("en-GB-x-rp", "en-US-nyc"),
        variants=_names(
            "Annie aunty belinda f4 john linda m3 michel miguel norbert pablo quincy rob robert shelby",
        ),
        takes=1,
        seed=2,
    ),
}


def script(cast: Cast) -> tuple[list[Utterance], list[int]]:
    """Returns what a cast says, with rate and pitch drawn for every clip, and the digit of every clip."""
    rng = np.random.default_rng(cast.seed)
    utterances, labels = [], []
    for accent in cast.accents:
        for variant in cast.variants:
            for digit in [*range(10)] * cast.takes:
                rate, pitch = int(rng.integers(*RATES)), int(rng.integers(*PITCHES))
                utterances.append(Utterance(WORDS[digit], f"gmw/{accent}+{variant}", rate, pitch))
                labels.append(digit)
    return utterances, labels
