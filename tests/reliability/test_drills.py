"""The quick drills pass, and each drill of a promise on the front page fails where the promise is broken."""

import json

import pytest

from tests.own_gin import gin_of_its_own
from unified_io.commands import drill as command
from unified_io.data.quarantine import Quarantine
from unified_io.errors import ConfigError
from unified_io.preprocess import sound
from unified_io.reliability.drills import (
    configs,
    damage,
    datasets,
    decoding,
    interruptions,
    media,
    roster,
    run_file,
    tiny,
    workers,
    world,
)
from unified_io.reliability.drills.drill import Drill, as_json, exit_code, perform
from unified_io.reliability.drills.ground import Ground, Run
from unified_io.reliability.drills.verdict import DrillFailed, Skip, insist


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Ground:
    """One world and one undisturbed run for all."""
    return Ground(tmp_path_factory.mktemp("ground"), quick=True)


@pytest.mark.slow
def test_every_quick_drill_passes():
    told = []
    outcomes = roster.run(roster.chosen([], quick=True), quick=True, tell=told.append)
    assert [f"{x.name}: {x.what}" for x in outcomes if x.state == "failed"] == []
    assert told == outcomes and len(outcomes) == sum(drill.quick for drill in roster.DRILLS)


def test_a_run_that_goes_on_otherwise_is_seen_by_kill(ground, monkeypatch):
    start, started = Run.start, []

    def with_other_weight(run, flags=(), **around):
        started.append(run)
        later = len(started) > 1
        return start(run, [*flags, "--gin_bindings=TrainJob.z_loss=0.01"] if later else flags, **around)

    assert ground.reference
    monkeypatch.setattr(Run, "start", with_other_weight)
    with pytest.raises(DrillFailed, match="killed .* is not the same: .* things differ"):
        interruptions.kill(ground)


def test_a_checkpoint_that_is_not_verified_is_seen_by_bit_flips(ground, monkeypatch):
    monkeypatch.setattr("unified_io.checkpoint.manifest.damage", lambda *_: None)
    with pytest.raises(DrillFailed, match="was not found|unnoticed|but called"):
        damage.bit_flips(ground)


def test_examples_that_vanish_without_a_name_are_seen_by_media(ground, monkeypatch):
    monkeypatch.setattr(Quarantine, "add", lambda *_, **__: None)
    with pytest.raises(DrillFailed, match="set aside were"):
        media.hostile_media(ground)


def test_a_decoder_that_falls_over_is_seen(tmp_path, monkeypatch):
    def fall_over(*_):
        raise IndexError("beyond the end")

    monkeypatch.setattr(sound, "read", fall_over)
    decoding.decode_all(str(tmp_path / "found.json"), cuts=4)
    found = {one["name"]: one["result"] for one in json.loads((tmp_path / "found.json").read_text())}
    assert found["WAV of 0 Hz"] == "wrong" and found["PNG of 1x1"] == "read"
    assert {*decoding.MUST_READ, *decoding.MUST_REFUSE} <= found.keys()


def test_a_mistake_that_is_not_refused_is_seen_by_wrong_config(ground, monkeypatch):
    def mistakes(run):
        yield configs.Mistake("a sound command", ["doctor", "--no_self_test", "--json"], ("key",))
        yield configs.Mistake("a silent one", [*run.command, "--gin.TRAIN_STEP=3"], ("a word nobody says",))

    monkeypatch.setattr(configs, "_mistakes", mistakes)
    with pytest.raises(DrillFailed) as failed:
        configs.wrong_config(ground)
    assert "a sound command: was not refused" in str(failed.value)
    assert "does not name a word nobody says" in str(failed.value)


def test_data_taken_for_the_old_is_seen_by_changed_data(ground, monkeypatch):
    monkeypatch.setattr("unified_io.data.loader.difference", lambda was, now: None)
    with pytest.raises(DrillFailed, match="was taken for the old one"):
        datasets.changed_data(ground)


def test_a_worker_that_hangs_is_seen(monkeypatch):
    with pytest.raises(DrillFailed, match="it hangs"):
        workers._told(0.2, lambda: __import__("time").sleep(2), "sleep")


def test_the_run_file_gives_the_job_again(tmp_path):
    from unified_io import cli
    from unified_io.gin_edge import session

    job = tiny.job(tmp_path, world.World("somewhere"), microbatches=2)
    (tmp_path / "job.gin").write_text(run_file.as_gin(job))
    with gin_of_its_own():
        assert session.build(session.parse([str(tmp_path / "job.gin")], []), cli.run) == job


def test_mistakes_are_many_and_of_every_kind(ground):
    mistakes = list(configs._mistakes(ground.run("counted", quick=False)))
    kinds = {mistake.what.split()[0] for mistake in mistakes}
    assert len(mistakes) >= 200 and {"key", "type", "class", "import", "flag", "line", "file"} <= kinds
    assert all(mistake.words for mistake in mistakes)
    assert len({json.dumps(mistake.command) for mistake in mistakes}) == len(mistakes)


def test_outcomes_are_told_apart(tmp_path):
    def fail(_):
        insist(False, "seen\n twice")

    def skip(_):
        raise Skip("no reason")

    def fall(_):
        raise KeyError("lost")

    ground = Ground(tmp_path)
    outcomes = [
        perform(Drill(run.__name__, "", 1, run), ground) for run in (fail, skip, fall, lambda _: "done")
    ]
    said = as_json(outcomes)
    assert {key: said[key] for key in ("passed", "failed", "skipped")} == {
        "passed": 1,
        "failed": 2,
        "skipped": 1,
    }
    assert said["drills"]["fail"] == "failed: seen twice" and said["drills"]["skip"] == "skipped: no reason"
    assert "KeyError in test_drills.py" in said["drills"]["fall"] and said["drills"]["<lambda>"] == "passed"
    assert exit_code(outcomes) == 1 and exit_code(outcomes[1:2] + outcomes[3:]) == 0


def test_the_command_lists_chooses_and_counts(monkeypatch, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_flags(parser)
    assert command.run(parser.parse_args(["--list"])) == 0
    assert all(drill.name in capsys.readouterr().out for drill in roster.DRILLS[:1])
    with pytest.raises(ConfigError, match="did you mean 'bit-flips'"):
        command.run(parser.parse_args(["bit-flip"]))
    drills = (Drill("one", "", 1, lambda _: "done", quick=True), Drill("two", "", 1, lambda _: 1 / 0))
    monkeypatch.setattr(roster, "DRILLS", drills)
    assert command.run(parser.parse_args(["--json"])) == 1
    *rows, last = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [["passed", "one"], ["failed", "two"]]
    assert json.loads(last)["drills"]["one"] == "passed" and json.loads(last)["failed"] == 1
    assert command.run(parser.parse_args(["--quick"])) == 0
