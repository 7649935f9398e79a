"""The batches of a step depend on seed and step alone, on any number of hosts; nothing is lost; bad data is named."""

import itertools
import json
import logging
import threading
from collections import Counter

import jax
import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.lane import Lane
from unified_io.data.loader import Loader
from unified_io.data.position import together
from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig
from unified_io.modalities.action import ActionInput, ActionTarget
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.train.data_checkpoints import DataCheckpoints

BUDGETS = Budgets(3, 30, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})
CHUNK = 3
STEPS = 8


def numbers(split, shuffle_files, seed=None, *, count=40, start=0):
    return tf.data.Dataset.range(start, start + count).map(lambda i: {"number": i})


def words(raw, rng):
    n = int(raw["number"])
    if n == 7:
        raise DataError("seven is torn")
    return {
        "text_inputs": "x" * (60 if n == 9 else int(rng.integers(1, 12))),
        "text_targets": "" if n == 11 else ["ab", "c"],
        "meta/id": f"row {n}",
    }


def pictures(raw, rng):
    image = np.full((2, 2, 3), rng.random(), np.float32)
    return {
        "text_inputs": "see",
        "image_inputs": image,
        "image_targets": image,
        "meta/id": f"row {raw['number']}",
    }


def numbered(raw, rng):
    """Says its number, and takes a length of chance: what the batch holds is readable from the batch."""
    letter = chr(1000 + int(raw["number"]))
    return {"text_inputs": letter * int(rng.integers(1, 14)), "text_targets": letter, "meta/id": letter}


HOLLOW = {0: {}, 1: {"text_inputs": "only asks"}, 2: {"text_targets": "only answers"}}


def hollow(raw, rng):
    """Every fourth example is whole; the others lack a side, or both."""
    n = int(raw["number"])
    return {**HOLLOW.get(n % 4, {"text_inputs": "asks", "text_targets": "answers"}), "meta/id": f"row {n}"}


MEL = MelConfig(frames=16, mels=16)
MEDIA_INPUTS = (
    TextInput(),
    ImageInput(patch=8, resolution=16),
    AudioInput(patch=8, mel=MEL),
    History(ImageInput(patch=8, resolution=16)),
    History(AudioInput(patch=8, mel=MEL)),
    ActionInput(),
)
MEDIA_TARGETS = (
    TextTarget(),
    ImageTarget(vqgan=VQGANConfig(resolution=16, channel_multipliers=(1, 2, 2))),
    AudioTarget(mel=MEL, vit_vqgan=ViTVQGANConfig(frames=16, mels=16, patch=8)),
    ActionTarget(),
)
MEDIA = {
    "image_inputs": (16, 16, 3),
    "image_targets": (16, 16, 3),
    "image_history_inputs": (2, 16, 16, 3),
    "audio_inputs": (16, 16),
    "audio_targets": (16, 16),
    "audio_history_inputs": (2, 16, 16),
    "action_inputs": (4, 3),
    "action_targets": (4, 3),
}
BROKEN = [(field, value) for field in MEDIA for value in (np.nan, np.inf)]


def broken(raw, rng):
    """All media at once; in the first examples one number of one medium is none."""
    n = int(raw["number"])
    example = {field: np.full(shape, 0.5, np.float32) for field, shape in MEDIA.items()}
    for field, value in BROKEN[n : n + 1]:
        example[field].flat[-1] = value
    return {"text_inputs": "all", "text_targets": "of it", "meta/id": f"row {n}", **example}


class Drawn(seqio.DataSource):
    """An endless source: numbers at random."""

    def __init__(self):
        super().__init__(splits=("train",), performs_internal_shuffling=True)

    supports_arbitrary_sharding = True

    def list_shards(self, split):
        return [split]

    def num_input_examples(self, split):
        return None

    def get_dataset(self, split="train", shuffle=True, seed=None, shard_info=None, **_):
        seed = (seed or 0) * 8 + (shard_info.index if shard_info else 0)
        return tf.data.Dataset.random(seed=seed).map(lambda i: {"number": i % 40})


class Files(seqio.DataSource):
    """Four files of twelve numbers each, read in shards of whole files."""

    supports_arbitrary_sharding = False

    def __init__(self):
        super().__init__(splits=("train",))

    def list_shards(self, split):
        return [f"file-{i}" for i in range(4)]

    def num_input_examples(self, split):
        return None

    def get_dataset(self, split="train", shuffle=True, seed=None, shard_info=None, **_):
        files = tf.data.Dataset.range(4)
        if shard_info:
            files = files.shard(shard_info.num_shards, shard_info.index)
        if shuffle:
            files = files.shuffle(4, seed=seed)
        records = files.flat_map(lambda i: tf.data.Dataset.range(12 * i, 12 * i + 12))
        return records.map(lambda i: {"number": i})


def function(**kwargs):
    def read(split, shuffle_files, seed=None):
        return numbers(split, shuffle_files, seed, **kwargs)

    return seqio.FunctionDataSource(read, splits=("train",))


@pytest.fixture(scope="module", autouse=True)
def tasks():
    plain = ("text_inputs", "text_targets", "meta/id")
    everything = [
        ("loader_words", words, plain, function()),
        (
            "loader_pictures",
            pictures,
            ("text_inputs", "image_inputs", "image_targets", "meta/id"),
            function(),
        ),
        ("loader_numbered", numbered, plain, function(count=50)),
        ("loader_files", numbered, plain, Files()),
        ("loader_drawn", numbered, plain, Drawn()),
        ("loader_empty", numbered, plain, function(count=0)),
        ("loader_hollow", hollow, plain, function(count=12)),
        ("loader_broken", broken, (*plain, *MEDIA), function(count=2 * len(BROKEN))),
    ]
    for name, form, writes, source in everything:
        seqio.TaskRegistry.add(
            name,
            source=source,
            preprocessors=[pipeline.numpy_map(form, writes, name)],
            output_features=pipeline.output_features(("text_inputs",)),
            shuffle_buffer_size=None if source.performs_internal_shuffling else 20,
        )
    seqio.MixtureRegistry.add("loader_mixture", [("loader_words", 3.0), ("loader_pictures", 2.0)])
    seqio.MixtureRegistry.add(
        "loader_kinds", [("loader_numbered", 2.0), ("loader_files", 2.0), ("loader_drawn", 1.0)]
    )
    yield
    for name in ("loader_mixture", "loader_kinds"):
        seqio.MixtureRegistry.remove(name)
    for name, *_ in everything:
        seqio.TaskRegistry.remove(name)


@pytest.fixture(scope="module")
def bound(tasks):
    return pipeline.bind("loader_mixture", INPUTS, TARGETS)


@pytest.fixture(scope="module")
def kinds(tasks):
    return pipeline.bind("loader_kinds", INPUTS, TARGETS)


def mixed(**rates):
    return seqio.Mixture(
        "loader_made",
        [(pipeline.bind(f"loader_{name}", INPUTS, TARGETS), rate) for name, rate in rates.items()],
    )


def make(bound, **kwargs):
    return Loader(bound, INPUTS, TARGETS, BUDGETS, **{"seed": 5, "chunk_steps": CHUNK, "groups": 2, **kwargs})


def take(loader, start, count, reports=None):
    """The batches, and the state of the loader before the first and behind every one; its reports go into a list."""
    stream = loader.batches(start)
    batches, states = [], [loader.state(start)]
    for step, batch in enumerate(itertools.islice(stream, count), start + 1):
        batches.append(batch)
        states.append(json.loads(json.dumps(loader.state(step))))
        if reports is not None:
            reports.append(loader.report())
    stream.close()
    return batches, states


def same(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def answers(batch):
    """The numbers that the numbered tasks put into a batch."""
    tokens = batch["targets"]["answers"]["tokens"]
    return Counter((tokens[tokens >= 1000] - 1000).tolist())


@pytest.fixture(scope="module")
def reports():
    """What the loader of `whole` reports behind every batch."""
    return []


@pytest.fixture(scope="module")
def whole(kinds, reports):
    return take(make(kinds), 0, STEPS, reports)


@pytest.mark.parametrize("start", range(STEPS))
def test_resuming_gives_the_very_next_batches_states_and_reports(kinds, whole, reports, start):
    batches, states = whole
    loader = make(kinds)
    before = reports[start - 1] if start else None
    loader.restore(states[start], start, before)
    assert before is None or loader.report() == before
    end = min(start + CHUNK + 1, STEPS)  # across the end of a chunk
    reported = []
    again, afterwards = take(loader, start, end - start, reported)
    for step, (one, other) in enumerate(zip(batches[start:end], again, strict=True), start):
        assert same(one, other), f"the batch of step {step}"
    assert afterwards[1:] == states[start + 1 : end + 1]
    assert reported == reports[start:end]
    seen = sum(answers(batch).total() for batch in batches[:end])
    assert sum(value for name, value in reported[-1].items() if name.startswith("seen/")) == seen


def _seen(state):
    return sum((Counter(group["seen"]) for group in state["position"]["by_group"].values()), Counter())


def test_resuming_reads_from_the_start_of_its_chunk_and_no_earlier(kinds, whole):
    for step, state in enumerate(whole[1]):
        assert 0 <= step - state["position"]["start"] < CHUNK


def test_without_a_state_the_same_batches_are_found_by_reading_everything(kinds, whole, caplog):
    again, _ = take(make(kinds), 5, 2)
    assert same(again, whole[0][5:7])
    assert "reading all data of the first 5 steps again" in caplog.text


def test_another_seed_gives_other_batches_and_no_batch_comes_twice(kinds, whole):
    batches, _ = whole
    assert not same(batches[0], take(make(kinds, seed=6), 0, 1)[0][0])
    assert not any(same(one, other) for one, other in itertools.combinations(batches, 2))


@pytest.mark.parametrize("name", ["numbered", "files"])
@pytest.mark.parametrize("groups", [1, 2])
def test_every_example_comes_once_an_epoch_also_when_it_waited_for_the_next_chunk(name, groups):
    loader = make(pipeline.bind(f"loader_{name}", INPUTS, TARGETS), groups=groups, chunk_steps=2)
    batches, states = take(loader, 0, 8)
    assert any(group["waiting"] for group in states[2]["position"]["by_group"].values())
    counts = sum((answers(batch) for batch in batches), Counter())
    size = 50 if name == "numbered" else 48
    assert counts.total() > 1.5 * size
    assert set(counts) == set(range(size))
    positions = states[8]["position"]["by_group"].values()
    read = 0
    for epoch, part, index in (place for group in positions for place in group["places"].values()):
        read += epoch * size // groups + part * 12 + index
    # Every record that was read was packed once or waits, and they were read epoch by epoch.
    assert counts.total() == read - sum(len(group["waiting"]) for group in positions)
    epochs = [place[0] for group in positions for place in group["places"].values()]
    assert max(counts.values()) <= max(epochs) + 1 and min(epochs) >= 1


def test_examples_that_waited_are_in_the_next_batch(kinds, whole):
    _, states = whole
    at = CHUNK
    later = states[at + CHUNK]["position"]["by_group"]
    for number, group in states[at]["position"]["by_group"].items():
        waited = [entry for entry in group["waiting"] if entry[1] is not None]
        assert waited and not any(entry in later[number]["waiting"] for entry in waited)


@pytest.fixture(scope="module")
def wide(kinds):
    return take(make(kinds, groups=4), 0, 2 * CHUNK)


def shares(hosts):
    return [range(h * 4 // hosts, (h + 1) * 4 // hosts) for h in range(hosts)]


def union(parts):
    return [
        jax.tree.map(lambda *leaves: np.concatenate(leaves), *of_step) for of_step in zip(*parts, strict=True)
    ]


@pytest.mark.parametrize("hosts", [2, 4])
def test_the_global_batch_is_the_same_on_any_number_of_hosts(kinds, wide, hosts):
    batches, states = wide
    parts = [take(make(kinds, groups=4, mine=mine), 0, CHUNK + 1) for mine in shares(hosts)]
    for step, batch in enumerate(union([part[0] for part in parts])):
        assert same(batch, batches[step]), f"step {step}"
    assert together([part[1][-1] for part in parts]) == states[CHUNK + 1]


@pytest.mark.parametrize("hosts", [1, 2, 4])
def test_a_run_goes_on_with_another_number_of_hosts(kinds, wide, hosts):
    batches, states = wide
    start, parts = CHUNK + 1, []
    for mine in shares(hosts):
        loader = make(kinds, groups=4, mine=mine)
        loader.restore(states[start], start)
        parts.append(take(loader, start, CHUNK - 1)[0])
    assert same(union(parts), batches[start:])


@pytest.mark.parametrize("name", ["numbered", "files"])
@pytest.mark.parametrize("groups", [2, 4])
def test_groups_never_share_an_example_of_an_epoch(name, groups):
    bound = pipeline.bind(f"loader_{name}", INPUTS, TARGETS)
    drawn = []
    for group in range(groups):
        batches, states = take(make(bound, groups=groups, mine=[group], chunk_steps=100), 0, 1)
        # Only of the first epoch: what was read behind its end may repeat.
        drawn.append(set(answers(batches[0])))
        assert states[0]["position"]["groups"] == groups
    assert all(drawn) and not any(a & b for a, b in itertools.combinations(drawn, 2))


def test_new_rates_begin_with_the_next_chunk_and_keep_what_waits(caplog):
    old, new = {"numbered": 1.0, "files": 1.0}, {"numbered": 0.0, "files": 1.0, "drawn": 3.0}
    batches, states = take(make(mixed(**old)), 0, CHUNK)
    loader = make(mixed(**new))
    with caplog.at_level(logging.WARNING):
        loader.restore(states[2], 2)
    assert f"the rate of loader_numbered changes from 0.5 to 0 at step {CHUNK}" in caplog.text
    assert f"the rate of loader_drawn changes from 0 to 0.75 at step {CHUNK}" in caplog.text
    again, afterwards = take(loader, 2, 2 * CHUNK)
    assert same(again[: CHUNK - 2], batches[2:])
    at, end = afterwards[CHUNK - 2]["position"], afterwards[-1]["position"]
    kept = states[CHUNK]["position"]
    assert at["by_group"] == kept["by_group"]
    assert at["rates"] == {"loader_numbered": 0.0, "loader_files": 0.25, "loader_drawn": 0.75}
    waited = sum(name == "loader_numbered" for g in kept["by_group"].values() for name, _ in g["waiting"])
    # After the change only what already waited is still packed of a source whose rate is 0.
    assert (
        _seen({"position": end})["loader_numbered"] - _seen({"position": kept})["loader_numbered"]
        == waited
        > 0
    )
    assert loader.report()["seen/loader_drawn"] > loader.report()["seen/loader_files"] / 2


def _swapped(task, source):
    return pipeline.bind(task, INPUTS, TARGETS).replace(source=source)


@pytest.mark.parametrize(
    "source, difference",
    [
        (function(count=49), "examples were 50 and are 49"),
        (function(count=50, start=1), "the first records were .* and are "),
        (Files(), "examples were 50 and are not counted, files were 1 and are 4"),
    ],
)
def test_a_changed_source_is_refused_with_the_difference_unless_accepted(source, difference):
    old = mixed(numbered=1.0, files=1.0)
    _, states = take(make(old), 0, CHUNK + 1)
    files = pipeline.bind("loader_files", INPUTS, TARGETS)
    new = seqio.Mixture("loader_new", [(_swapped("loader_numbered", source), 1.0), (files, 1.0)])
    with pytest.raises(DataError, match=f"(?s)since step 4:.*loader_numbered changed: {difference}") as error:
        make(new).restore(states[-1], CHUNK + 1)
    assert "loader_files" not in str(error.value) and "accept_changed_data" in str(error.value)
    loader = make(new, accept_changed=True)
    loader.restore(states[-1], CHUNK + 1)
    _, afterwards = take(loader, CHUNK + 1, 1)
    for group, begin in afterwards[0]["position"]["by_group"].items():
        was = states[-1]["position"]["by_group"][group]
        assert begin["places"]["loader_files"] == was["places"]["loader_files"]
        assert begin["places"]["loader_numbered"] == [was["places"]["loader_numbered"][0] + 1, 0, 0]
        assert begin["waiting"] == [entry for entry in was["waiting"] if entry[0] != "loader_numbered"]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"seed": 6}, "seed was 5 and is 6"),
        ({"groups": 3}, "groups was 2 and is 3"),
        (
            {"bound": "files"},
            "loader_numbered is no longer in the mixture; to phase it out give it the rate 0",
        ),
    ],
)
def test_another_run_is_refused_and_can_be_accepted(change, said):
    _, states = take(make(mixed(numbered=1.0, files=1.0)), 0, 2)
    kwargs = dict(change)
    bound = mixed(files=1.0) if kwargs.pop("bound", None) else mixed(numbered=1.0, files=1.0)
    with pytest.raises(DataError, match=said):
        make(bound, **kwargs).restore(states[-1], 2)
    loader = make(bound, **kwargs, accept_changed=True)
    loader.restore(states[-1], 2)
    assert len(take(loader, 2, 2)[0]) == 2


def test_a_position_of_another_step_or_of_another_version_is_refused(kinds, whole):
    with pytest.raises(DataError, match="is of steps 6 to 9, not of 2"):
        make(kinds).restore(whole[1][7], 2)
    with pytest.raises(DataError, match="no position in the data that we can read"):
        make(kinds).restore({**whole[1][7], "position": {"chunk": 1}}, 7)
    with pytest.raises(DataError, match="lacks groups"):
        one = take(make(kinds, mine=[0]), 0, 1)[1][-1]
        make(kinds).restore(one, 1)


@pytest.mark.parametrize("period", [2, 7])
def test_another_length_of_chunks_begins_with_the_next_chunk(kinds, whole, period):
    batches, states = whole
    loader = make(kinds, chunk_steps=period)
    loader.restore(states[4], 4)
    again, afterwards = take(loader, 4, 3)
    assert same(again[:2], batches[4:6])
    assert afterwards[2]["position"]["start"] == 6 and afterwards[2]["position"]["steps"] == period


def test_a_step_that_was_begun_and_not_made_can_still_be_saved(kinds, whole):
    loader = make(kinds)
    stream = loader.batches()
    for _ in range(CHUNK + 1):
        next(stream)
    stream.close()
    assert loader.state(CHUNK)["position"] == whole[1][CHUNK]["position"]
    assert loader.state(CHUNK - 1) is None


def test_the_position_is_saved_with_a_checkpoint_and_restored_with_it(kinds, whole, reports, tmp_path):
    with DataCheckpoints(tmp_path, make(kinds)) as checkpoints:
        stream = checkpoints.batches(0)
        for _ in range(CHUNK + 1):
            next(stream)
        stream.close()
        checkpoints.save(CHUNK + 1, {"weight": jax.numpy.ones(2)}, {"more": 1}, wait=True)
    fresh = make(kinds)
    with DataCheckpoints(tmp_path, fresh) as checkpoints:
        stream = checkpoints.batches(CHUNK + 1)
        assert same(next(stream), whole[0][CHUNK + 1])
        stream.close()
        data = {"data": whole[1][CHUNK + 1], "reported": reports[CHUNK]}
        assert checkpoints.notes(CHUNK + 1) == {"more": 1, **data}
    assert fresh.state(CHUNK + 1)["position"]["start"] == CHUNK


def test_bad_examples_are_named_counted_and_left_out(bound):
    loader = make(bound, chunk_steps=20, groups=1)
    take(loader, 0, 20)
    reasons = {entry.reason.split(";")[0] for entry in loader.quarantine}
    assert any("seven is torn" in reason for reason in reasons)
    assert "60 encoder tokens where a batch has room for 30" in reasons
    assert "it has no target token" in reasons
    assert {"loader_words row 9", "loader_words row 11"} <= {entry.name for entry in loader.quarantine}
    assert loader.report()["quarantined"] == len(loader.quarantine)


def test_an_example_without_an_input_or_without_a_target_is_left_out():
    loader = make(pipeline.bind("loader_hollow", INPUTS, TARGETS), groups=1)
    batches, _ = take(loader, 0, 2)
    reasons = {int(entry.name.split()[-1]) % 4: entry.reason for entry in loader.quarantine}
    assert reasons == {
        0: "it has no target token",
        1: "it has no target token",
        2: "it has no input token; give every example a prompt",
    }
    for batch in batches:
        wrote, read = (set(np.unique(batch[side][key])) - {0} for side, key in _EXAMPLES)
        assert wrote == read


_EXAMPLES = (("decoder", "example_ids"), ("encoder", "segment_ids"))


def test_numbers_that_are_none_never_reach_a_batch():
    budgets = Budgets(
        2,
        160,
        120,
        {m.name: 4 if m.slot_size > 1 else 80 for m in MEDIA_INPUTS},
        {m.name: 4 if m.slot_size > 1 else 80 for m in MEDIA_TARGETS},
    )
    bound = pipeline.bind("loader_broken", MEDIA_INPUTS, MEDIA_TARGETS)
    loader = Loader(bound, MEDIA_INPUTS, MEDIA_TARGETS, budgets)
    batches, _ = take(loader, 0, 12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(batches))
    # A whole epoch was read. What is wrong with a history shows before the row has a name.
    rows = {entry.name for entry in loader.quarantine} - {"an example of loader_broken"}
    histories = [n for n, (field, _) in enumerate(BROKEN) if "history" in field]
    assert rows == {f"loader_broken row {n}" for n in range(len(BROKEN)) if n not in histories}
    reasons = " ".join(entry.reason for entry in loader.quarantine)
    assert all(field in reasons for field in MEDIA if "history" in field)
    assert loader.report()["quarantined"] >= len(BROKEN)


def test_resuming_steps_over_bad_examples_as_the_first_run_did(bound):
    batches, states = take(make(bound), 0, 6)
    loader = make(bound)
    loader.restore(states[4], 4)
    assert same(take(loader, 4, 2)[0], batches[4:])


def test_too_many_bad_examples_end_the_run(bound):
    with pytest.raises(DataError, match="3 examples could not be used, max_bad is 2; the last was "):
        take(make(bound, max_bad=2), 0, 50)
    with pytest.raises(DataError, match="1 examples could not be used, max_bad is 0"):
        take(make(bound, max_bad=0), 0, 50)
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}


def listed(folder):
    return [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]


def test_bad_examples_are_listed_with_where_they_lie(bound, tmp_path):
    loader = make(bound, folder=tmp_path, chunk_steps=20, groups=1)
    take(loader, 0, 20)
    rows = listed(tmp_path)
    assert [(row["name"], row["reason"]) for row in rows] == [(x.name, x.reason) for x in loader.quarantine]
    assert all(row.keys() == {"step", "source", "name", "place", "reason"} for row in rows)
    steps = [row["step"] for row in rows]
    assert steps == sorted(steps) and steps[0] >= 1 and steps[-1] <= 20
    # An example that can not be read has no name, but a place; each is bad once an epoch.
    torn = [row for row in rows if "seven is torn" in row["reason"]]
    assert torn and all(row["name"] == "an example of loader_words" for row in torn)
    places = [tuple(row["place"]) for row in rows]
    assert len(set(places)) == len(places)
    report = loader.report()
    assert report["quarantined/loader_words"] == report["quarantined"] == len(rows)
    assert report["quarantined/loader_pictures"] == 0


@pytest.fixture(scope="module")
def told(bound, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    loader = make(bound, folder=folder)
    take(loader, 0, 3 * CHUNK)
    assert len({row["step"] for row in listed(folder)}) > 2
    return loader, folder


@pytest.mark.parametrize("stop", [1, CHUNK, CHUNK + 2])
def test_a_resumed_run_lists_each_bad_example_once_and_counts_it(bound, told, tmp_path, stop):
    whole, folder = told
    broken = make(bound, folder=tmp_path / "broken")
    # It came further than what was saved, and was killed while it wrote.
    _, states = take(broken, 0, stop + 2)
    with (tmp_path / "broken" / "quarantine.jsonl").open("a") as file:
        file.write('{"step": 1, "sour')
    resumed = make(bound, folder=tmp_path / "broken")
    resumed.restore(states[stop], stop)
    take(resumed, stop, 3 * CHUNK - stop)
    assert listed(tmp_path / "broken") == listed(folder)
    assert resumed.report() == whole.report()
    assert [entry.name for entry in resumed.quarantine] == [entry.name for entry in whole.quarantine]


def test_a_resumed_run_gives_up_where_the_first_would_have(bound, tmp_path):
    def run(folder, start, state, steps):
        loader = make(bound, folder=folder, max_bad=5)
        loader.restore(state, start)
        states = {}
        stream = loader.batches(start)
        for step in range(start + 1, steps + 1):
            next(stream)
            states[step] = loader.state(step)
        stream.close()
        return states

    with pytest.raises(DataError, match="6 examples could not be used, max_bad is 5") as whole:
        run(tmp_path / "whole", 0, None, 100)
    states = run(tmp_path / "broken", 0, None, 2)
    with pytest.raises(DataError) as resumed:
        run(tmp_path / "broken", 2, states[2], 100)
    assert str(resumed.value) == str(whole.value)
    assert listed(tmp_path / "broken") == listed(tmp_path / "whole")


def test_a_source_that_is_bad_too_often_ends_the_run(bound):
    """Three of forty examples of loader_words are bad."""
    loader = make(bound, max_bad_share=0.05, groups=1)
    with pytest.raises(
        DataError, match=r"of 2\d\d examples of loader_words could not be used, .* max_bad_share"
    ):
        take(loader, 0, 200)
    assert loader.report()["seen/loader_words"] > 150, "not before there are enough to tell"


def test_a_thread_that_dies_is_an_error_at_once(kinds, monkeypatch):
    def dying(self):
        raise SystemExit("out of memory")
        yield

    monkeypatch.setattr(Lane, "batches", dying)
    with pytest.raises(
        DataError, match=r"the thread that makes batches was ended by SystemExit\('out of memory'\)"
    ):
        next(make(kinds).batches())


def test_a_source_without_examples_is_named():
    with pytest.raises(DataError, match="loader_empty holds no example in split 'train'; look at its source"):
        take(make(mixed(numbered=1.0, empty=1.0), groups=1), 0, 1)
    with pytest.raises(DataError, match="holds no example in split 'train' for group 50 of 64"):
        take(make(mixed(numbered=1.0), groups=64, mine=[50]), 0, 1)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_a_rate_below_zero_is_refused(rate):
    with pytest.raises(ConfigError, match="loader_files has the rate .* in 'loader_made'; give it 0 or more"):
        make(mixed(numbered=1.0, files=rate))
    with pytest.raises(ConfigError, match="every rate in 'loader_made' is 0"):
        make(mixed(numbered=0.0, files=0.0))


def test_impossible_numbers_are_refused(kinds):
    with pytest.raises(ConfigError, match="chunk_steps is 0"):
        make(kinds, chunk_steps=0)
    with pytest.raises(ConfigError, match=r"this host makes groups \[2\] of 2"):
        make(kinds, mine=[2])
    with pytest.raises(ConfigError, match="split"):
        make(kinds, split="trian")


def test_the_report_compares_seen_with_planned(bound):
    loader = make(bound, chunk_steps=15, groups=1)
    _, states = take(loader, 0, 30)
    report = loader.report()
    assert report["planned/loader_words"] == 0.6
    assert report["share/loader_words"] == pytest.approx(0.6, abs=0.15)
    assert report["seen/loader_words"] + report["seen/loader_pictures"] >= 30 * 3
    assert report["carried"] == len(states[30]["position"]["by_group"]["0"]["waiting"]) > 0
