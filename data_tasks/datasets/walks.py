"""Agents that walk through houses, in Habitat and ProcTHOR: the next action, if one is sensible, what comes then."""

from typing import Any

from data_tasks import made_up
from data_tasks.formats.act import Act
from data_tasks.formats.act_augmented import NextState, Reasonable
from data_tasks.formats.act_states import ActAndState
from data_tasks.formats.command import PLACE, Command
from data_tasks.formats.next_frame import NextFrame
from data_tasks.registry import register
from data_tasks.sources.episodes import Pictures, moments
from data_tasks.sources.mapping import Constant
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Context, Make, Record

_EVERY = 4
_POINT = Command(PLACE.low[:2], PLACE.high[:2])
_TO = "our Records, one an episode: its goal, and steps of picture, action and state (x and z in metres, heading)"


def _to_point(record: Record, context: Context) -> str:
    """The goal of a walk to a point, (x, z) in metres."""
    return f"go to ( {_POINT.write(record['goal'])} )"


def _done(record: Record, context: Context) -> list[str]:
    """What was done at every step; behind the last one nothing, which is to stop."""
    return [step["action"] or "stop" for step in record["steps"]]


_SEEN: dict[str, str | Make] = {"images": Pictures("steps/image"), "actions": _done}
_STATES: dict[str, str | Make] = {"states": "steps/state"}


def _now(record: Record, context: Context) -> Any:
    """The pictures of a record that was cut with one step ahead, without that one."""
    return Pictures("steps/image")(record | {"steps": record["steps"][:-1]}, context)


def _stopped(record: Record) -> list[Record]:
    """The moments of a walk with one step ahead, up to its end, where stopping leads to where one stands."""
    steps = record["steps"]
    return moments(_EVERY, ahead=1)(record | {"steps": [*steps, steps[-1]]})


def _walk(goal: Any, *actions: str) -> Record:
    return {
        "goal": goal,
        "steps": [
            {"image": made_up.picture(f"walk {n}"), "action": action, "state": [0.25 * n, 1.0, 0.5 * n]}
            for n, action in enumerate(actions)
        ],
    }


_ACTIONS = ("forward", "left", "right", "stop")
_POINTNAV: dict[str, Any] = {
    "dataset": "Habitat PointNav",
    "stored": Records("habitat_pointnav"),
    "obtain": f"Habitat's PointNav episodes of Gibson, walked in its simulator along shortest paths; {_TO}",
    "size": 600_000,
    "sample": [
        _walk([3.5, -2.0], "forward", "left", "forward", "forward", "right", "forward", "stop"),
        _walk([0.5, 4.0], "right", "forward", "stop"),
    ],
}
_TO_POINT = {**_SEEN, "goal": _to_point, "classes": Constant(_ACTIONS)}
register(
    "pointnav_act",
    group="action_prediction",
    fields=_TO_POINT,
    form=Act("act_words"),
    each=moments(_EVERY),
    **_POINTNAV,
)
register(
    "pointnav_act_states",
    group="action_prediction",
    fields=_TO_POINT | _STATES | {"images": _now},
    form=ActAndState("act_states"),
    each=_stopped,
    **_POINTNAV,
)
register(
    "pointnav_reasonable",
    group="embodied_qa",
    fields=_TO_POINT,
    form=Reasonable("reasonable"),
    each=moments(_EVERY),
    **_POINTNAV,
)
register(
    "habitat_next_state",
    group="next_state",
    fields=_SEEN | _STATES | {"images": _now},
    form=NextState("next_state"),
    each=moments(_EVERY, ahead=1),
    **_POINTNAV,
)
register(
    "pretrain_habitat",
    group="pretrain_agent",
    fields=_TO_POINT | _STATES,
    form=Act("act_words"),
    each=moments(_EVERY),
    weight=0.17,
    **_POINTNAV,
)

_PROCTHOR: dict[str, Any] = {
    "dataset": "ProcTHOR",
    "stored": Records("procthor"),
    "fields": _SEEN,
    "form": NextFrame("next_frame_actions", given="actions"),
    "each": moments(_EVERY, ahead=1),
    "obtain": f"the houses of ProcTHOR-10K, walked in AI2-THOR along shortest paths; {_TO}",
    "size": 700_000,
    "sample": [
        _walk("find the lamp", "forward", "left", "forward", "forward", "right", "stop"),
        _walk("find a bowl", "right", "forward", "stop"),
    ],
}
register("procthor_next_frame", group="next_state", **_PROCTHOR)
register("pretrain_procthor", group="pretrain_agent", weight=0.17, **_PROCTHOR)
