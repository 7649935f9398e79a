"""How many examples a second one core makes ready: each stage of the input line alone, and all of them together.

    python tools/bench_input.py                  a minute
    python tools/bench_input.py --quick --json   seconds; the last line is one JSON object

The balanced mixture of tools/bench/mixtures.py at the sizes of gin_configs/model/base.gin: JPEG bytes, waveforms and
sentences in, packed batches out. A second is one of CPU time, so rates are those of one core on a busy machine too.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from bench import mixtures, model, ways
from bench.clock import timed, where
from bench.examples import Examples
from bench.raw import raw

from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packer import Packer, Prepared, prepare
from unified_io.data.packing import measure, plan
from unified_io.data.proposals import propose_banks, row_lengths, rows_in
from unified_io.mel import MelConfig, log_mel
from unified_io.model import UnifiedIOConfig
from unified_io.preprocess import image_ops

# The vocabulary that ships with the package; LLaMA's can not.
SHIPPED = {"VOCABULARY_PATH": None, "VOCABULARY_PIECES": 2048, "TEXT_VOCAB_SIZE": 3328}
PICTURES = ("image_inputs", "image_history_inputs", "image_targets")
SOUNDS = ("audio_inputs", "audio_history_inputs", "audio_targets")
TEXTS = ("text_inputs", "text_targets")
ROOM = 8 * sum(ways.PAIR_LENGTHS)  # tokens of a batch
LOOKAHEAD = 400


class Stage(NamedTuple):
    """So many things took so many CPU seconds."""

    what: str
    count: int
    seconds: float

    @property
    def rate(self) -> float:
        """Things a second on one core."""
        return self.count / self.seconds


def each(what: str, function: Callable[[Any], Any], items: Sequence[Any]) -> tuple[Stage, list[Any]]:
    """Runs a stage over items; the first one is run before, since tables are made on the way."""
    function(items[0])
    seconds, results = timed(lambda: [function(item) for item in items])
    return Stage(what, len(items), seconds.cpu), results


def values(examples: Iterable[dict[str, Any]], keys: Sequence[str]) -> list[Any]:
    """Everything that lies under some keys, lists taken apart."""
    found = [example[key] for example in examples for key in keys if key in example]
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def decode(example: dict[str, Any], mel: MelConfig) -> dict[str, Any]:
    """Turns bytes into pixels and waveforms into spectrograms: the raw fields that `preprocess` takes."""
    readers = dict.fromkeys(PICTURES, image_ops.read) | dict.fromkeys(
        SOUNDS, lambda sound: log_mel(sound, mel)
    )

    def read(key: str, value: Any) -> Any:
        if key in TEXTS:
            return value
        return [readers[key](x) for x in value] if isinstance(value, list) else readers[key](value)

    return {key: read(key, value) for key, value in example.items()}


def lengths_of(config: UnifiedIOConfig, count: int, seed: int) -> list[Lengths]:
    """Lengths of as many examples as the planner needs to be at work for a while."""
    numbered = model.numbered(config)
    examples = Examples(numbered, seed)
    return [
        measure(examples.features(drawn), config.inputs, config.targets)
        for drawn in mixtures.draw("balanced", count, seed)
    ]


def planning(lengths: Sequence[Lengths], budgets: Budgets) -> Stage:
    """Plans a stream of examples as the packer does, with a full buffer."""
    way = ways.packed(lengths, budgets, LOOKAHEAD)
    return Stage(
        "examples to rows", sum(len(step.examples) for step in way.steps), way.planning * len(way.steps)
    )


def laying_out(config: UnifiedIOConfig, prepared: Sequence[Prepared], budgets: Budgets) -> Stage:
    """Copies planned examples into the arrays of a batch."""
    planned = plan([example.lengths for example in prepared], budgets)
    features = [example.features for example in prepared]
    seconds, _ = timed(lambda: assemble(features, planned, config.inputs, config.targets))
    return Stage("rows to arrays", int(planned.placed.sum()), seconds.cpu)


def together(
    config: UnifiedIOConfig, examples: Sequence[dict[str, Any]], mel: MelConfig, budgets: Budgets
) -> Stage:
    """Does everything, from bytes to batches."""
    packer = Packer(config.inputs, config.targets, budgets)
    ready = (prepare(decode(example, mel), config.inputs, config.targets) for example in examples)
    seconds, count = timed(lambda: sum(len(packed.examples) for packed in packer.batches(ready)))
    return Stage("bytes to batches", count, seconds.cpu)


def stages(
    config: UnifiedIOConfig, examples: Sequence[dict[str, Any]], lengths: Sequence[Lengths]
) -> dict[str, Stage]:
    """Measures every stage once; each takes what the ones before it made of the same examples."""
    by_name = {m.name: m for m in config.inputs}
    image, mel, vocabulary = by_name["image"], by_name["audio"].mel, by_name["text"].vocabulary
    row = row_lengths(lengths, ways.PAIR_LENGTHS[1])
    budgets = propose_banks(lengths, config.inputs, config.targets, rows_in(ROOM, row), row)
    done: dict[str, Stage] = {}
    done["decode"], pictures = each("JPEGs to pixels", image_ops.read, values(examples, PICTURES))
    done["resize"], _ = each("pixels to patches", image.item, pictures)
    done["mel"], _ = each("waveforms to mels", lambda x: log_mel(x, mel), values(examples, SOUNDS))
    done["tokenise"], _ = each("texts to ids", vocabulary.encode, values(examples, TEXTS))
    decoded = [decode(example, mel) for example in examples]
    done["preprocess"], prepared = each(
        "fields to features", lambda example: prepare(example, config.inputs, config.targets), decoded
    )
    done["plan"] = planning(lengths, budgets)
    done["lay_out"] = laying_out(config, prepared, budgets)
    done["together"] = together(config, examples, mel, budgets)
    return done


def main() -> None:
    """Prints a line a stage, the median of the repeats; with --json the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=96, help="raw examples, held in memory")
    parser.add_argument("--repeats", type=int, default=5, help="how often every stage is run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer examples, once")
    parser.add_argument(
        "--json", action="store_true", help="last line one JSON object: things a second a core"
    )
    args = parser.parse_args()
    if args.quick:
        args.examples, args.repeats = 40, 1
    print(f"{where('numpy', 'scipy', 'pillow', 'sentencepiece')}; seed {args.seed}, {args.examples} examples")
    config = model.base(SHIPPED)
    by_name = {m.name: m for m in config.inputs}
    rng, mel = np.random.default_rng(args.seed), by_name["audio"].mel
    examples = [
        raw(rng, drawn, by_name["text"].vocabulary, mel)
        for drawn in mixtures.draw("balanced", args.examples, args.seed)
    ]
    lengths = lengths_of(config, 4 * LOOKAHEAD, args.seed)
    rounds = [stages(config, examples, lengths) for _ in range(args.repeats)]
    print(f"\n{'stage':12}{'':20}{'a second a core':>16}{'ms each':>10}{'things':>8}")
    rates = {name: float(np.median([done[name].rate for done in rounds])) for name in rounds[0]}
    for name, stage in rounds[0].items():
        print(f"{name:12}{stage.what:20}{rates[name]:16.4g}{1e3 / rates[name]:10.3g}{stage.count:8}")
    if args.json:
        print(json.dumps(rates))


if __name__ == "__main__":
    main()
