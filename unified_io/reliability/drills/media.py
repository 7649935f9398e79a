"""Records and media that are broken or hostile: named and left out in bounded time and memory, the others untouched."""

import json
import re
from collections.abc import Callable

from unified_io.data import pipeline
from unified_io.errors import DataError
from unified_io.reliability.drills import decoding, streams, tiny, world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.sessions import Session, Surroundings
from unified_io.reliability.drills.verdict import insist, tail

_SECONDS = 2.0
_GROWTH = 600 * 2**20
_MEMORY = 24 * 2**30  # of addresses: TensorFlow and XLA reserve a lot that they never touch
_STEPS = 10
_NAME = re.compile(r"train-\d++(?!\.tfrecord)")


def corrupted_records(ground: Ground) -> str:
    """Shards with flipped bytes, a wrong length, a cut, no content or no records at all."""
    clean, unnamed, resumed = _ids(ground.world), [], _QUICK if ground.quick else tuple(_DAMAGES)
    for name, (damage, lost) in _DAMAGES.items():
        folder = ground.folder / f"records-{name.replace(' ', '-')}"
        spoiled = world.write(folder)
        shard = world.shard_of(folder, "train", 3)
        shard.write_bytes(damage(shard.read_bytes()))
        left, errors = _read_all(spoiled)
        insist(left == [one for one in clean if one in set(left)], f"{name}: the good records changed order")
        insist(set(clean) - set(left) <= _of_shard(3), f"{name}: good records of other shards were lost")
        if lost:
            insist(bool(errors), f"{name}: nobody said that records are missing")
        if name not in resumed:
            continue
        reasons = _resumes(spoiled, name)
        if lost:
            insist(bool(reasons), f"{name}: a run set nothing aside")
        unnamed += [f"{name}: {reason}" for reason in reasons if shard.name not in reason]
    insist(not unnamed, f"messages that do not name the shard: {unnamed[:2]}")
    return f"{len(_DAMAGES)} kinds of damage to a shard: named, the rest in order; {len(resumed)} resumed to the byte"


def hostile_media(ground: Ground) -> str:
    """Pictures and sounds cut, odd, lying about their size, or bombs: a DataError or a sound result, quickly."""
    found = ground.folder / "media.json"
    around = Surroundings(ground.cache, memory=_MEMORY)
    session = Session(
        decoding.decode_all, [str(found), ground.some(50, 12)], ground.folder / "media.session.log", around
    )
    code = session.wait()
    insist(code == 0, f"decoding ended with {code}: {tail(session.log)}")
    seen = json.loads(found.read_text())
    for one in seen:
        insist(one["result"] != "wrong", f"{one['name']}: {one['said']}")
        insist(
            one["seconds"] <= _SECONDS,
            f"{one['name']} took {one['seconds']:.1f} s of processor time, more than {_SECONDS:.0f}",
        )
        insist(one["growth"] <= _GROWTH, f"{one['name']} took {one['growth'] / 2**20:.0f} MiB of memory")
    for name in decoding.MUST_READ:
        one = next(one for one in seen if one["name"] == name)
        insist(one["result"] == "read", f"{name} is a sound file, but was refused: {one['said']}")
    for name in decoding.MUST_REFUSE:
        one = next(one for one in seen if one["name"] == name)
        insist(one["result"] == "refused", f"{name} should be refused, but was read")
    named = _quarantined(ground)
    refused = sum(one["result"] == "refused" for one in seen)
    read = len(seen) - refused
    return f"{len(seen)} files: {refused} refused by name, {read} read; in a run {named} examples set aside"


def _quarantined(ground: Ground) -> int:
    """Runs the real loader over a world with broken media: exactly these examples are set aside, by name."""
    bad = {
        "train-2": lambda record: {**record, "image": record["image"][: len(record["image"]) // 2]},
        "train-9": lambda record: {**record, "image": decoding.png_header(60_000, 60_000)},
        "train-17": lambda record: {**record, "image": b"", "sound": b"RIFF"},
        "train-30": lambda record: {**record, "sound": record["sound"][:20]},
    }
    spoiled = world.write(ground.folder / "spoiled", bad)
    loader = streams.loader(spoiled)
    batches = loader.batches()
    for _ in range(3 * _STEPS):  # all that there is, once
        next(batches)
    batches.close()
    named = [set(_NAME.findall(repr(entry))) for entry in loader.quarantine]
    insist(set().union(*named) >= set(bad), f"set aside were {named}, wanted {sorted(bad)}")
    insist(all(names <= set(bad) and names for names in named), f"other examples were set aside: {named}")
    return len(named)


def _flip_payload(content: bytes) -> bytes:
    return _with(content, len(content) // 2, lambda byte: byte ^ 0x10)


def _flip_length(content: bytes) -> bytes:
    return _with(content, 1, lambda byte: byte ^ 0x40)


def _with(content: bytes, at: int, change: Callable[[int], int]) -> bytes:
    changed = bytearray(content)
    changed[at] = change(changed[at])
    return bytes(changed)


# What to do to a shard, and whether records are lost that somebody must be told of.
_DAMAGES: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "a flipped bit": (_flip_payload, True),
    "a wrong length": (_flip_length, True),
    "a cut": (lambda content: content[: len(content) * 2 // 3], True),
    "garbage": (lambda content: bytes(range(256)) * 8, True),
    "no content": (lambda content: b"", False),
}
_QUICK = ("a flipped bit", "no content")


def _ids(of: world.World) -> list[str]:
    left, errors = _read_all(of)
    insist(not errors, f"a sound world can not be read: {errors[:1]}")
    return left


def _read_all(spoiled: world.World) -> tuple[list[str], list[str]]:
    """Reads one epoch in order: the ids that came, and what was said of those that did not."""
    model = tiny.model()
    bound = pipeline.bind("drill_caption", model.inputs, model.targets, source=spoiled)
    rows = pipeline.examples(bound, "train")
    names: list[str] = []
    errors: list[str] = []
    for _ in range(10_000):
        try:
            names.append(next(rows)["meta/id"])
        except StopIteration:
            return names, errors
        except DataError as error:
            errors.append(str(error))
    raise DataError("reading a damaged shard does not end")


def _of_shard(number: int) -> set[str]:
    return {f"train-{i}" for i in range(number * world.EACH, (number + 1) * world.EACH)}


def _resumes(spoiled: world.World, name: str) -> list[str]:
    """Insists that a loader stopped in the middle of damaged data goes on with the very same batches.

    Returns:
      Why it set examples aside.
    """
    loader = streams.loader(spoiled)
    batches = loader.batches()
    wanted, state = [], None
    for step in range(1, _STEPS + 1):
        wanted.append(streams.as_bytes(next(batches)))
        if step == tiny.SAVED + 1:
            state = loader.state(step)
    batches.close()
    again = streams.loader(spoiled)
    again.restore(json.loads(json.dumps(state)), tiny.SAVED + 1)
    resumed = again.batches(tiny.SAVED + 1)
    same = all(streams.as_bytes(next(resumed)) == batch for batch in wanted[tiny.SAVED + 1 :])
    resumed.close()
    insist(same, f"{name}: a resumed run got other batches")
    return [entry.reason for entry in loader.quarantine]
