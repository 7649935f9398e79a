"""Questions about videos: MSR-VTT, MSVD, STAR, M4-ViteVQA, two sets of M3IT, and who looks or talks in Ego4D."""

from data_tasks.datasets.m3it import ASKED, ASKED_WHOLE, m3it
from data_tasks.formats.choose import Choose
from data_tasks.formats.instruct import Instruct
from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Constant, Frames
from data_tasks.sources.stored import Context, Record
from data_tasks.sources.video import VideoList

_SHORT = Question("qa", media=("middle",))
_SAYS = [("What colour does it begin with?", "red"), ("What comes last?", "blue")]

for _name, _dataset, _file, _size, _obtain in (
    ("msrvtt_qa", "MSRVTT-QA", "video{}.mp4", 158_581, "the videos of MSR-VTT in video"),
    ("msvd_qa", "MSVD-QA", "vid{}.avi", 30_933, "the videos, renamed by youtube_mapping.txt, in video"),
):
    register(
        _name,
        group="video_qa",
        dataset=_dataset,
        stored=Lines(_name, "{split}_qa.jsonl"),
        fields={"images": Frames("file", folder="video"), "question": "question", "answers": "answer"},
        form=_SHORT,
        splits={"train": "train", "validation": "val"},
        each=lambda record, name=_file: [record | {"file": name.format(record["video_id"])}],
        obtain=f"github.com/xudejing/video-question-answering: its lists one object a line; {_obtain}",
        size=_size,
        sample=[
            {"id": 1, "video_id": 1, "question": "what is a man doing?", "answer": "sing"},
            {"id": 2, "video_id": 2, "question": "who cooks?", "answer": "woman"},
        ],
        media=[f"video/{_file.format(number)}" for number in (1, 2)],
    )

_CHOICES = [
    {"choice_id": n, "choice": c} for n, c in enumerate(("The cup.", "The door.", "The bag.", "A box."))
]
register(
    "star",
    group="video_qa",
    dataset="STAR",
    stored=Lines("star", "STAR_{split}.jsonl"),
    fields={
        "images": Frames("file", folder="Charades_v1_480"),
        "question": "question",
        "options": "choices/choice",
        "name": "answer",
    },
    form=Choose("choose", media=("middle",)),
    splits={"train": "train", "validation": "val"},
    each=lambda record: [record | {"file": f"{record['video_id']}.mp4"}],
    obtain="bobbywu.com/STAR: its lists one object a line; the videos of Charades in Charades_v1_480",
    size=45_731,
    sample=[
        {
            "question_id": f"Interaction_{number}",
            "question": "Which thing was opened?",
            "video_id": f"S{number}",
            "start": 0.1,
            "end": 0.9,
            "answer": "The door.",
            "choices": _CHOICES,
        }
        for number in (1, 2)
    ],
    media=["Charades_v1_480/S1.mp4", "Charades_v1_480/S2.mp4"],
)

register(
    "m4_vite_vqa",
    group="video_qa",
    dataset="M4-ViteVQA",
    stored=Lines("m4_vite_vqa", "ViteVQA_{split}.jsonl"),
    fields={"images": Frames("file", folder="video"), "question": "question", "answers": "answers"},
    form=_SHORT,
    splits={"train": "train", "validation": "val"},
    each=lambda record: [record | {"file": f"{record['video_id']}.mp4"}],
    obtain="github.com/bytedance/VTVQA, on request: its list of questions one object a line; its videos in video",
    size=19_000,
    sample=[
        {"question_id": n, "video_id": f"{n}", "question": "What does the sign say?", "answers": ["exit"]}
        for n in (1, 2)
    ],
    media=["video/1.mp4", "video/2.mp4"],
)

for _name, _own, _size, _asked in (
    ("m3it_msvd_qa", "video/msvd-qa", 36_768, ASKED),
    ("m3it_ss", "video/ss", 2_000, ASKED_WHOLE),
    ("m3it_ivqa", "video/ivqa", 5_000, ASKED),
):
    m3it(_name, _own, group="video_qa", form=_SHORT, fields=_asked, size=_size, says=_SAYS, media="video")

m3it(
    "m3it_msrvtt_qa",
    "video/msrvtt-qa",
    group="video_instruction",
    form=Instruct("instruct", media=("middle",)),
    fields={
        "instruction": ASKED_WHOLE["question"],
        "response": "outputs",
    },
    size=6_513,
    says=_SAYS,
    media="video",
)


def _yes_or_no(record: Record, context: Context) -> list[str]:
    return [{"0": "no", "1": "yes"}[str(record["label"])]]


for _name, _done, _size in (("looking", "look at", 100_000), ("talking", "talk to", 10_000)):
    register(
        f"ego4d_{_name}",
        group="video_qa",
        dataset=f"Ego4D, {_name} at me",
        stored=VideoList(f"ego4d_{_name}", "{split}.csv"),
        fields={
            "images": Frames(),
            "question": Constant(f"does somebody {_done} the one who wears the camera?"),
            "answers": _yes_or_no,
        },
        form=_SHORT,
        splits={"train": "train", "validation": "val"},
        obtain="ego4d-data.org, on agreement to its licence: its social tasks as a table of path, start, end and label",
        size=_size,
        sample=[
            {"path": f"video/e{label}.mp4", "start": 0.0, "end": 1.0, "label": label} for label in (0, 1)
        ],
        media=["video/e0.mp4", "video/e1.mp4"],
    )
