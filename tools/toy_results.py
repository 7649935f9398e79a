"""Judges a model of the toy world on every toy task and writes the table of docs/toy_results.md.

python tools/toy_results.py --model_dir=runs/toy --out=docs/toy_results.md
"""

import argparse
import json
from pathlib import Path

import data_tasks.toy_mixtures  # noqa: F401  registers the tasks
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

FORMATS = {
    "caption": ("toy_caption", "toy_sound_caption"),
    "qa": ("toy_qa",),
    "choose": ("toy_choose",),
    "tag": ("toy_tag", "toy_motion", "toy_sound_tag"),
    "region_text": ("toy_region_text",),
    "relation": ("toy_relation", "toy_statement"),
    "instruct": ("toy_instruct", "toy_dialogue"),
    "transcribe": ("toy_transcribe",),
    "boxes": ("toy_boxes", "toy_referring", "toy_reading", "toy_sound_boxes"),
    "keypoints": ("toy_keypoints", "toy_parts"),
    "region_property": ("toy_property", "toy_extent"),
    "track": ("toy_track",),
    "cuboid3d": ("toy_cuboids",),
    "camera_pose": ("toy_camera",),
    "dense_map": ("toy_mask", "toy_depth", "toy_normals", "toy_flow"),
    "text_to_image": ("toy_draw",),
    "image_to_image": ("toy_edit", "toy_control"),
    "inpaint": ("toy_inpaint",),
    "novel_view": ("toy_view",),
    "next_frame": ("toy_next_frame",),
    "text_to_audio": ("toy_play", "toy_speak"),
    "audio_from_video": ("toy_soundtrack",),
    "act": ("toy_act_words", "toy_act_eye", "toy_act_numbers", "toy_act_program"),
    "text_denoise": ("toy_text_denoise",),
    "mm_denoise": ("toy_denoise", "toy_video_denoise", "toy_views_denoise"),
    "marked_interleave": ("toy_interleave",),
    "pasted_patches": ("toy_patches", "toy_patch_count"),
}
"""The 27 formats of the paper's tasks, and the toy tasks of each."""


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
    for task in args.tasks or sum(FORMATS.values(), ()):
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
        args.out.write_text(_page(lines, args.examples))


def _line(row: Row) -> str:
    low, high = row.model.interval
    way = "" if row.metric.best > row.metric.worst else " (less is better)"
    return (
        f"| {row.task} | {row.metric.name}{way} | {row.chance:.3f} | {row.blind:.3f} | "
        f"{row.model.score:.3f} [{low:.3f}, {high:.3f}] | {row.ceiling:.3f} | {'yes' if row.beats_blind else 'no'} |"
    )


def _page(lines: dict[str, str], examples: int) -> str:
    beyond = {task for task, line in lines.items() if line.endswith("yes |")}
    behind = [name for name, tasks in FORMATS.items() if not beyond & {*tasks}]
    rows = [
        f"| {number} {name} {lines[task]}"
        for number, (name, tasks) in enumerate(FORMATS.items(), start=1)
        for task in tasks
        if task in lines
    ]
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
            f"The model is beyond the blind score, interval and all, on {len(beyond)} of {len(lines)} tasks, "
            f"and on a task of {len(FORMATS) - len(behind)} of {len(FORMATS)} formats"
            + (f"; not on one of {', '.join(behind)}." if behind else "."),
            "",
            "| format | task | metric | chance | blind | model | ceiling | beats blind |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
