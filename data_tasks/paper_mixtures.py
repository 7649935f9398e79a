"""The paper's mixtures over whatever is registered. Importing registers them, and every task of Tables 10 and 11.

A task's part of its group goes with the square root of its size, and a factor of its own; groups keep their printed
rates. What has no data on a machine is left out there, see `data.shares`.
"""

import math

import seqio

import data_tasks.datasets  # noqa: F401  registers the tasks
from data_tasks.paper import GROUPS, INSTRUCTION, PRETRAINING
from data_tasks.registry import REGISTRY, Registration

FLAN = {"flan2021": 40.0, "flan_t0": 32.0, "flan_niv2": 20.0, "flan_cot": 5.0, "flan_dialog": 3.0}
"""Parts of the five submixes of FLAN v2."""
REFEXP = ("refcoco_unc", "refcoco_plus_unc", "refcocog_google")
"""The fine-tuning mixture that was released: three tasks, equally often."""
GRIT = (
    "localisation",
    "region_classification",
    "vqa",
    "referring_expression",
    "localised_segmentation",
    "keypoints",
    "normals",
)
"""The seven tasks of GRIT as groups of ours, equally often."""


def rate(task: Registration) -> float:
    """Returns how often a task is drawn within its group."""
    return task.weight if task.group in PRETRAINING else math.sqrt(task.size) * task.weight


def mix(name: str, members: list[tuple[str, float]]) -> None:
    """Registers a mixture of the members that are registered themselves; of none, nothing."""
    known = {*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()}
    if found := [(member, rate) for member, rate in members if member in known]:
        seqio.MixtureRegistry.add(name, found)


for group in GROUPS:
    mix(f"group_{group}", [(name, rate(task)) for name, task in REGISTRY.items() if task.group == group])
for family, groups in INSTRUCTION.items():
    mix(f"inst_{family}", [(f"group_{name}", group.rate) for name, group in groups.items()])
mix(
    "instruction",
    [(f"group_{name}", group.rate) for groups in INSTRUCTION.values() for name, group in groups.items()],
)
mix("pretrain", [(f"group_{name}", group.rate) for name, group in PRETRAINING.items()])
mix("flan2", [*FLAN.items()])
mix("refexp", [(name, 1.0) for name in REFEXP])
mix("grit", [(f"group_{name}", 1.0) for name in GRIT])
