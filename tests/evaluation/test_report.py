"""The page stands alone and escapes everything; the JSON file is strict and complete."""

import base64
import dataclasses
import html.parser
import io
import json
import re
import subprocess
import sys
import wave

import numpy as np
import pytest
from PIL import Image

from unified_io.errors import DataError
from unified_io.evaluation import report as r
from unified_io.evaluation.report import chart, embed, facts, sensors
from unified_io.evaluation.report.markup import Markup, element
from unified_io.evaluation.stats import Score

NASTY = "<script>alert('x')</script> & \"quotes\""
VOID = {"meta", "img", "br", "link"}


def result(score=0.95, low=0.93, high=0.97, name="image->text", **marks):
    return r.Result(name, Score(score, (low, high), 450), **marks)


def full_report(**changes):
    pair = result(chance=0.1, floor=0.2, ceiling=0.969, goal=0.9)
    failed = result(0.3, 0.2, 0.4, "text->image", chance=0.1, ceiling=0.9, goal=0.85)
    picture = np.linspace(0, 1, 8 * 8 * 3).reshape(8, 8, 3)
    strokes = np.array([(0.1, 0.1, 0), (0.9, 0.1, 1), (0.2, 0.8, 0), (0.8, 0.8, 1), (0.9, 0.5, 1)])
    item = r.Item(
        inputs=(r.TextPanel(NASTY, label=NASTY), r.StrokesPanel(strokes)),
        outputs=(
            r.ImagePanel(picture, boxes=(r.Box((0.1, 0.1, 0.5, 0.5), NASTY), r.Box((0, 0, 1, 1), "t", True))),
            r.SoundPanel(np.sin(np.arange(2000) / 5), 8000),
        ),
        reference=(r.ImagePanel(picture[..., 0]), r.StrokesPanel(np.zeros((0, 3)))),
        caption=NASTY,
        correct=False,
    )
    steps = np.arange(1000)
    curve = r.Chart(
        "Loss", (r.Series(NASTY, steps, 1 / (1 + steps)), r.Series("b", [0, 9], [1.0, np.nan])), log_y=True
    )
    pieces = {
        "title": f"Demo {NASTY}",
        "summary": f"First.\n\n{NASTY}",
        "sections": (
            r.Section("Pairs", NASTY, (r.ScoreTable("pairs", NASTY, (pair, failed), note=NASTY),)),
            r.Section(
                "More",
                parts=(
                    curve,
                    r.Table("Sizes", ("what", "size"), ((NASTY, 1.5), ("b", None))),
                    r.Gallery("G", (item,)),
                ),
                sections=(r.Section("More", parts=(r.ScoreTable("pairs", "", (pair,)),)),),
            ),
        ),
        "matrix": r.Matrix("Overview", ("image", "text"), ("image", "text"), (pair, failed)),
        "facts": {
            "wall_seconds": 572.345678,
            "versions": {"jax": NASTY},
            "seeds": [0, 1],
            "speech_source": NASTY,
        },
    }
    return r.Report(**{**pieces, **changes})


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses and ids, and checks that elements are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.addresses, self.ids = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [
            value for key, value in attrs if key in ("src", "href", "action", "data", "poster")
        ]
        self.ids += [value for key, value in attrs if key == "id"]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_well_formed_and_stands_alone():
    page = r.to_html(full_report())
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert all(
        address.startswith(("#", "data:image/png;base64,", "data:audio/wav;base64,"))
        for address in reader.addresses
    )
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[\w+/=]+", "", page))
    assert len(reader.ids) == len(set(reader.ids))
    assert {address[1:] for address in reader.addresses if address.startswith("#")} == set(reader.ids)


def test_page_escapes_every_text():
    page = r.to_html(full_report())
    assert NASTY not in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 12


def test_media_in_the_page_can_be_read_back():
    page = r.to_html(full_report())
    pictures = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([\w+/=]+)", page)]
    shapes = [np.asarray(Image.open(io.BytesIO(data))).shape for data in pictures]
    assert shapes == [(8, 8, 3), (64, 96, 3), (8, 8)]
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(pictures[0]))),
        np.rint(np.linspace(0, 1, 192).reshape(8, 8, 3) * 255).astype(np.uint8),
    )
    (sound,) = re.findall(r"data:audio/wav;base64,([\w+/=]+)", page)
    with wave.open(io.BytesIO(base64.b64decode(sound))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getnframes()) == (8000, 1, 2000)
        samples = np.frombuffer(reader.readframes(2000), "<i2") / 32767
    np.testing.assert_allclose(samples, np.sin(np.arange(2000) / 5), atol=1e-4)


def test_spectrogram_puts_a_tone_at_its_pitch():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    loudness = embed.spectrogram(tone)[:, 48].astype(int).sum(axis=-1)
    assert abs(int(np.argmax(loudness)) - 48) <= 1  # 1000 of 4000 Hz: a quarter of 64 rows from below
    assert len(np.unique(embed.spectrogram(np.zeros(100)).reshape(-1, 3), axis=0)) == 1


def test_json_is_strict_and_complete(tmp_path):
    paths = r.write(full_report(), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["report.html", "report.json"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["report.html", "report.json"]

    def forbidden(name):
        raise AssertionError(f"{name} is not JSON")

    document = json.loads(paths[1].read_text(encoding="utf-8"), parse_constant=forbidden)
    assert document["pairs"]["image->text"] | {"verdict": ""} == {
        "score": 0.95,
        "interval": [0.93, 0.97],
        "n": 450,
        "metric": "accuracy",
        "unit": "share",
        "better": "higher",
        "chance": 0.1,
        "floor": 0.2,
        "ceiling": 0.969,
        "goal": 0.9,
        "reached": True,
        "verdict": "",
        "note": "",
    }
    assert document["overall"]["goals"] == 2
    assert document["overall"]["goals_reached"] == 1
    assert document["overall"]["normalised_mean"] == pytest.approx(
        ((0.85 / 0.869) + (0.2 / 0.8)) / 2, rel=1e-5
    )
    assert document["wall_seconds"] == 572.346
    assert document["versions"] == {"jax": NASTY}
    assert document["charts"]["Loss"]["series"]["b"] == {"x": [0.0, 9.0], "y": [1.0, None]}
    assert len(document["charts"]["Loss"]["series"][NASTY]["x"]) == 200
    assert document["tables"]["Sizes"]["rows"] == [[NASTY, 1.5], ["b", None]]
    assert document["galleries"]["G"] == [{"caption": NASTY, "correct": False}]


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    html_path, _ = r.write(full_report(), tmp_path)
    old = html_path.read_bytes()

    def broken(*_):
        raise OSError("disk is full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="full"):
        r.write(full_report(title="New"), tmp_path)
    assert html_path.read_bytes() == old
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("measured", "level", "words"),
    [
        (result(0.95, 0.93, 0.97, goal=0.9), "reached", "at least 90.0 %."),
        (result(0.91, 0.88, 0.94, goal=0.9), "narrow", "luck"),
        (result(0.88, 0.85, 0.91, goal=0.9), "close", "2.0 points"),
        (result(0.70, 0.65, 0.75, goal=0.9, chance=0.1), "short", "20.0 points"),
        (result(0.12, 0.09, 0.15, goal=0.9, chance=0.1), "chance", "guessing, which gives 10.0 %"),
        (result(0.12, 0.09, 0.15, goal=0.9), "short", "78.0 points"),
        (result(0.70, 0.65, 0.75), "open", "no goal"),
        (result(0.10, 0.08, 0.13, goal=0.15, chance=0.1, better="lower"), "reached", "at most 15.0 %"),
        (result(0.30, 0.25, 0.35, goal=0.15, chance=0.1, better="lower"), "short", "15.0 points"),
        (result(18.0, 17.0, 19.0, goal=20.0, unit="dB"), "short", "2.00 dB"),
    ],
)
def test_verdict_in_words(measured, level, words):
    found = r.verdict(measured)
    assert found.level == level
    assert words in found.sentence
    assert found.reached is {"reached": True, "narrow": True, "open": None}.get(level, False)
    page = r.to_html(
        full_report(matrix=None, sections=(r.Section("S", parts=(r.ScoreTable("k", "", (measured,)),)),))
    )
    assert found.sentence.split(";")[0].replace("&", "&amp;") in page


def test_not_finite_is_refused_with_its_place():
    with pytest.raises(DataError, match="ceiling of result 'image->text'"):
        result(ceiling=float("nan"))
    with pytest.raises(DataError, match="share"):
        result(95.0, 93.0, 97.0)
    with pytest.raises(DataError, match=r"report\.a\.b\[1\]"):
        r.to_json(full_report(facts={"a": {"b": [1.0, float("inf")]}}))
    with pytest.raises(DataError, match="plain"):
        r.to_json(full_report(facts={"a": object()}))


def test_clashes_are_refused():
    one, other = result(), result(0.94)
    with pytest.raises(DataError, match="two different"):
        full_report(
            matrix=None,
            sections=(
                r.Section("S", parts=(r.ScoreTable("k", "", (one,)), r.ScoreTable("k", "", (other,)))),
            ),
        )
    with pytest.raises(DataError, match="rename"):
        full_report(facts={"pairs": 1})
    with pytest.raises(DataError, match="uses itself"):
        full_report(matrix=None, sections=(r.Section("S", parts=(r.ScoreTable("charts", "", (one,)),)),))
    with pytest.raises(DataError, match="no score table"):
        full_report(sections=())
    with pytest.raises(DataError, match="no cell"):
        r.Matrix("M", ("image",), ("image",), (one,))
    with pytest.raises(DataError, match="no result"):
        r.ScoreTable("k", "", ())
    with pytest.raises(DataError, match="columns"):
        r.Table("T", ("a", "b"), ((1,),))
    with pytest.raises(DataError, match="want as many"):
        r.Series("s", [1, 2], [1])


@pytest.mark.parametrize(
    "panel",
    [
        r.ImagePanel(np.zeros((4, 4, 4))),
        r.ImagePanel(np.full((4, 4), np.nan)),
        r.SoundPanel(np.zeros(0), 8000),
        r.SoundPanel(np.zeros((2, 8)), 8000),
        r.StrokesPanel(np.full((2, 3), np.inf)),
        r.CloudPanel(np.full((2, 3), np.nan)),
        r.CloudPanel(np.zeros((0, 3))),
        r.CloudPanel(np.zeros((4, 2))),
        r.MotionPanel(np.zeros((0, 6)), 200.0),
        r.MotionPanel(np.full((4, 6), np.nan), 200.0),
        "text",
    ],
)
def test_panels_that_can_not_be_shown(panel):
    with pytest.raises(DataError):
        r.to_html(
            full_report(
                matrix=None, sections=(r.Section("S", parts=(r.Gallery("", (r.Item((panel,), ()),)),)),)
            )
        )


def test_strokes_are_numbered_and_lifts_are_dashed():
    points = np.array([(0.1, 0.2, 1), (0.9, 0.2, 1), (0.5, 0.6, 0), (0.5, 0.9, 1), (0.7, 0.7, 0)])
    gallery = r.Gallery("", (r.Item((), (r.StrokesPanel(points),)),))
    page = r.to_html(full_report(matrix=None, sections=(r.Section("S", parts=(gallery,)),)))
    strokes = re.findall(r'<polyline points="([^"]*)" class="stroke', page)
    assert strokes == ["20.0,10.0 20.0,90.0", "60.0,50.0 90.0,50.0"]
    assert len(re.findall(r'class="lifted"', page)) == 2
    assert re.findall(r'text-anchor="middle">(\d)<', page) == ["1", "2"]


def page_of(panel):
    gallery = r.Gallery("", (r.Item((panel,), ()),))
    return r.to_html(full_report(matrix=None, sections=(r.Section("S", parts=(gallery,)),)))


def test_a_cloud_is_seen_from_the_front_and_near_points_lie_over_far_ones():
    """Four points on the axes: right is right, up is up, and what is in front is drawn last and darkest."""
    points = np.array([(0, 0, 1.0), (0, 1.0, 0), (1.0, 0, 0), (0, 0, -1.0), (0, -1.0, 0), (-1.0, 0, 0)])
    page = page_of(r.CloudPanel(1000 * points + 7))
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="1.3" class="dot d(\d)"', page)
    assert "cloud of 6 points" in page and [shade for *_, shade in dots] == ["0", "0", "1", "1", "2", "2"]
    places, near = sensors.projected(points)
    front, above, right, back, below, left = range(6)
    assert near[front] == near.max() and near[back] == near.min()
    assert places[above, 1] < 10 and places[below, 1] > 90
    assert places[right, 0] > 90 and places[left, 0] < 10
    assert [float(x) for x in dots[-1][:2]] == pytest.approx(places[front], abs=0.01)


def test_a_cloud_of_many_points_is_thinned():
    page = page_of(r.CloudPanel(np.random.default_rng(0).normal(size=(5000, 3))))
    assert page.count('class="dot') == 600 and "cloud of 5000 points" in page


def test_motion_is_two_charts_of_three_curves_over_seconds():
    values = np.stack([np.full(400, float(channel)) for channel in range(6)], axis=1)
    page = page_of(r.MotionPanel(values, 200.0))
    assert page.count("<title>x</title>") == page.count("<title>z</title>") == 2
    assert all(name in page for name in ("acceleration", "rotation", ">seconds<", ">1.5<"))


def test_thinned_keeps_the_mean_and_skips_gaps():
    y = np.arange(1000.0)
    y[500:505] = np.nan
    x, means = r.Series("s", np.arange(1000), y).thinned(200)
    assert len(x) == len(means) == 200
    assert means[0] == 2.0 and np.isnan(means[100])
    np.testing.assert_allclose(means[101:], x[101:])


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (1e-5, 3e-5), (20_100.0, 22_400.0), (-3.0, 4.0), (7.0, 7.0)]
)
@pytest.mark.parametrize("log", [False, True])
def test_ticks_span_the_values_and_tell_each_other_apart(low, high, log):
    low = abs(low) + 0.01 if log else low
    axis = chart._Axis(np.array([low, max(high, low)]), 230.0, 24.0, log=log)
    labels = [axis.label(tick) for tick in axis.ticks]
    assert 2 <= len(labels) <= 9
    assert len(set(labels)) == len(labels)
    assert axis.low <= low and axis.high >= high
    places = axis(np.array(axis.ticks))
    assert (np.diff(places) < 0).all() and places.min() >= 23.9 and places.max() <= 230.1


def test_charts_of_nothing_and_of_one_point():
    assert "Nothing was recorded" in chart.line_chart(r.Chart("C", (r.Series("a", [], []),)))
    assert "Nothing was recorded" in chart.line_chart(r.Chart("C", (r.Series("a", [1], [-1.0]),), log_y=True))
    assert "<circle" in chart.line_chart(r.Chart("C", (r.Series("a", [1], [2.0]),)))


def test_facts_in_words():
    assert facts.fact("wall_seconds", 572.3) == "9 min 32 s"
    assert facts.fact("wall_seconds", 7260) == "2 h 1 min"
    assert facts.fact("wall_seconds", 4.21) == "4.21 s"
    assert facts.fact("peak_rss_bytes", 1_234_567_890) == "1.23 GB"
    assert facts.fact("seeds", [0, 1]) == "0, 1"
    assert facts.fact("parameters", 1_234_567) == "1,234,567"
    assert facts.fact("versions", {"jax": "0.10", "seeds": [1, 2]}) == "jax 0.10, seeds 1, 2"
    page = r.to_html(full_report(facts={"cpu_seconds": 61, "peak_rss_bytes": 2_000_000}))
    assert ">CPU time</th><td>1 min 1 s<" in page and ">peak memory</th><td>2 MB<" in page


def test_markup_escapes_all_but_markup():
    assert element("p", "a < b", class_="x") == '<p class="x">a &lt; b</p>'
    assert element("p", Markup("<b>"), ["&", None, 3]) == "<p><b>&amp;3</p>"
    assert (
        element("img", alt='"', hidden=True, title=None, data_x=1.5)
        == '<img alt="&quot;" hidden data-x="1.5">'
    )


def test_needs_no_training_library():
    code = (
        "import sys, unified_io.evaluation.report, unified_io.evaluation.boxes, unified_io.evaluation.media; "
    )
    code += (
        "print({'jax', 'tensorflow', 'seqio', 'gin', 'sklearn', 'librosa', 'matplotlib'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_everything_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        full_report().title = "other"
