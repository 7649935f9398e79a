"""All drills in the order in which they run, and running some of them."""

import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from unified_io import errors
from unified_io.reliability.drills import (
    configs,
    damage,
    datasets,
    endurance,
    interruptions,
    media,
    presence,
    sameness,
    serving,
    steps,
    tokenizers,
    topology,
    workers,
)
from unified_io.reliability.drills.drill import Drill, Outcome, perform
from unified_io.reliability.drills.ground import Ground

# Drills compile a lot and compute little. An XLA that does not know a flag ends the process.
_FAST = "--xla_backend_optimization_level=0"
if version("jaxlib").startswith("0.10."):
    _FAST += " --xla_cpu_use_fusion_emitters=false"
DRILLS = (
    # Those that compare come behind: the run they compare with is made meanwhile.
    Drill("wrong-config", "a wrong key fails before compile, by name", 120, configs.wrong_config, quick=True),
    Drill("nan", "a step that is no number leaves no trace", 25, steps.not_a_number),
    Drill("records", "a corrupted shard is named, not fatal", 10, media.corrupted_records, quick=True),
    Drill("media", "a bad file is named, not fatal, nor a bomb", 15, media.hostile_media, quick=True),
    Drill("changed-data", "other data under a stopped run is refused", 15, datasets.changed_data, quick=True),
    Drill("changed-mixture", "new rates hold from their step on", 5, datasets.changed_mixture, quick=True),
    Drill("skew", "what is served is what was trained", 5, serving.no_skew, quick=True),
    Drill("lost-worker", "a lost worker is an error, not a hang", 5, workers.lost_worker, quick=True),
    Drill("packing", "packed rows are the same as single ones", 30, presence.packed_is_alone),
    Drill("bit-flips", "a flipped bit is found, not trained on", 20, damage.bit_flips, quick=True, compares=True),
    Drill("kill", "kill it at any moment: byte-identical result", 180, interruptions.kill, quick=True, compares=True),
    Drill("torn-files", "a cut, lost or swapped checkpoint is found", 20, damage.torn_files, compares=True),
    Drill("stop", "SIGTERM and Ctrl-C save and go on", 120, interruptions.stop, compares=True),
    Drill("full-disk", "a full disk costs nothing that was saved", 20, interruptions.full_disk, compares=True),
    Drill("determinism", "the same run gives the same bytes", 20, sameness.determinism, compares=True),
    Drill("surroundings", "clock, language, folder and home change nothing", 40, sameness.surroundings, compares=True),
    Drill("another-user", "a user without rights trains as well", 20, sameness.another_user, compares=True),
    Drill("offline", "no network is needed", 20, sameness.offline, compares=True),
    Drill("tokenizer", "a tokenizer and its judge survive kills and NaN", 60, tokenizers.judged_tokenizer),
    Drill("devices", "a checkpoint goes on on other devices", 90, topology.other_devices),
    Drill("leak", "memory and open files do not grow", 90, endurance.leak),
)  # fmt: skip


def chosen(names: Sequence[str], quick: bool) -> list[Drill]:
    """Returns the drills of these names, all of them for none; of those the quick ones, if asked.

    Raises:
      ConfigError: There is no drill of a name.
    """
    known = {drill.name: drill for drill in DRILLS}
    for name in names:
        if name not in known:
            raise errors.unknown("drill", name, known)
    return [
        drill for drill in DRILLS if drill.name in (names or known) and (drill.quick or not quick or names)
    ]


def run(drills: Sequence[Drill], quick: bool, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Runs drills in a temporary folder, which goes when all are done.

    Args:
      drills: From `chosen`.
      quick: Whether to repeat things less often.
      tell: Called with every outcome as it comes.
    """
    # What starts from here inherits it.
    flags = os.environ.get("XLA_FLAGS", "")
    if _FAST not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FAST}".strip()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        ground = Ground(Path(folder), quick)
        if any(drill.compares for drill in drills):
            ground.foresee()
        for drill in drills:
            outcomes.append(perform(drill, ground))
            tell(outcomes[-1])
    return outcomes
