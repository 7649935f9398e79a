"""The published mixtures of the connected systems: rates computed anew, sums, and counts."""

import pytest

from data_tasks.connected import (
    LYNX_FINETUNING,
    LYNX_PRETRAINING,
    S3,
    STYLES,
    XINSTRUCTBLIP,
    XINSTRUCTBLIP_UPSAMPLED,
    square_root_rates,
)
from unified_io.errors import DataError

# As the released configurations have them.
PUBLISHED = {
    "image": [0.2948, 0.1944, 0.0950, 0.0792, 0.0734, 0.0718, 0.0642, 0.0596, 0.0497, 0.0103, 0.0075],
    "audio": [0.5365, 0.1936, 0.1529, 0.1170],
    "point_cloud": [0.6175, 0.3825],
    "video": [0.6544, 0.1786, 0.167],
}


@pytest.mark.parametrize("modality", PUBLISHED)
def test_square_roots_give_the_published_rates(modality):
    found = square_root_rates(XINSTRUCTBLIP[modality])
    assert [*found.values()] == pytest.approx(PUBLISHED[modality], abs=5.1e-5)
    assert sum(found.values()) == pytest.approx(1.0)


def test_what_is_sampled_up_leaves_the_others():
    sizes, instead = XINSTRUCTBLIP["video"], XINSTRUCTBLIP_UPSAMPLED["video"]
    plain, found = square_root_rates(sizes), square_root_rates(sizes, instead)
    assert found == plain | {"msrvtt": 1.0}
    with pytest.raises(DataError, match="'msrvt', which has no size"):
        square_root_rates(sizes, {"msrvt": 1.0})
    with pytest.raises(DataError, match="above 0"):
        square_root_rates({"a": 0})
    with pytest.raises(DataError, match="above 0"):
        square_root_rates({})


def test_percentages_of_lynx():
    assert sum(LYNX_PRETRAINING.values()) == pytest.approx(100.0, abs=0.05)
    groups = {group: sum(rates.values()) for group, rates in LYNX_FINETUNING.items()}
    assert groups == pytest.approx(
        {
            "image_caption": 1.9,
            "image_qa": 37.2,
            "classification": 10.95,
            "video_qa": 5.0,
            "video_caption": 10.0,
            "dialog": 10.0,
            "text": 20.0,
        },
        abs=0.05,
    )
    assert sum(groups.values()) == pytest.approx(95.0, abs=0.05)


def test_counts_of_s3():
    counts = {kind: sum(told.dialogs for told in sets.values()) for kind, sets in S3.items()}
    assert counts == {"text_image": 130_500, "text_audio": 9_750, "text": 5_000}
    assert sum(counts.values()) == 145_250
    assert {told.style for sets in S3.values() for told in sets.values()} == STYLES.keys()
