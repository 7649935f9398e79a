"""Judges a model of the toy world on every toy task and writes the table of docs/toy_results.md.

python tools/toy_results.py --model_dir=runs/toy --out=docs/toy_results.md
"""

import argparse
import json
from pathlib import Path

import data_tasks.toy_mixtures  # noqa: F401  registers the tasks
from data_tasks.registry import REGISTRY
from data_tasks.trial import Row, Trial
from unified_io import api, cli
from unified_io.errors import DataError
from unified_io.gin_edge import session

_ABOUT = """\
One tiny model on every format of the toy world, judged on its test split: scenes, sounds and rooms whose content no
training example has, up to {examples} examples a task. Chance is a training answer drawn at random; blind is the better
of the best constant answer and of the model's own on the media of another example (on its prompt, where a task has no
media); the ceiling is the true target, written as tokens and read back. Brackets are 95 % bootstrap intervals. Tasks of
pre-training are judged by their loss: chance is a uniform guess among the tokens that come at all, blind the better of
the frequencies of tokens in training and of the model's own loss on the inputs of another example asked the same."""


def main() -> None:
    """Judges task after task; what is judged is kept beside the model, and not judged again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_dir", required=True, help="folder of the run")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table into")
    parser.add_argument("--examples", type=int, default=200, help="test examples a task")
    parser.add_argument("--tasks", nargs="*", help="tasks; without, all of the toy world")
    args = parser.parse_args()
    flags = [f"{session.MODEL_DIR}={args.model_dir!r}"]
    job = session.build(
        session.parse([str(Path(args.model_dir, session.CONFIG_FILE))], flags, []), cli.run
    ).training
    trial = Trial(
        api.from_pretrained(args.model_dir), job.source, examples=args.examples, objective=job.objective
    )
    kept = Path(args.model_dir, "toy_results.json")
    lines = json.loads(kept.read_text()) if kept.is_file() else {}
    for task in args.tasks or [name for name, one in REGISTRY.items() if one.group == "toy"]:
        if task in lines:
            continue
        try:
            lines[task] = _line(trial.row(task))
        except DataError as error:
            print(f"{task}: {error}", flush=True)
            continue
        print(lines[task], flush=True)
        kept.write_text(json.dumps(lines, indent=1))
    if args.out:
        args.out.write_text(_page(list(lines.values()), args.examples))


def _line(row: Row) -> str:
    low, high = row.model.interval
    way = "" if row.metric.best > row.metric.worst else " (less is better)"
    return (
        f"| {row.format} | {row.task} | {row.metric.name}{way} | {row.chance:.3f} | {row.blind:.3f} | "
        f"{row.model.score:.3f} [{low:.3f}, {high:.3f}] | {row.ceiling:.3f} | {'yes' if row.beats_blind else 'no'} |"
    )


def _page(lines: list[str], examples: int) -> str:
    beaten = sum(line.endswith("yes |") for line in lines)
    return "\n".join(
        [
            "# Toy results",
            "",
            _ABOUT.format(examples=examples),
            "",
            "```sh",
            "unified-io train --gin_file=gin_configs/run/toy.gin --model_dir=runs/toy",
            "python tools/toy_results.py --model_dir=runs/toy --out=docs/toy_results.md",
            "```",
            "",
            "| format | task | metric | chance | blind | model | ceiling | beats blind |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"The model is beyond the blind score, interval and all, on {beaten} of {len(lines)} tasks.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
