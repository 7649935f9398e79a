"""The table of the toy world's results."""

import toy_results

import data_tasks.toy_mixtures  # noqa: F401
from data_tasks.registry import REGISTRY


def test_every_toy_task_stands_in_one_format_and_every_format_has_one():
    listed = [task for tasks in toy_results.FORMATS.values() for task in tasks]
    assert len(listed) == len(set(listed))
    assert set(listed) == {name for name, one in REGISTRY.items() if one.group == "toy"}
    assert len(toy_results.FORMATS) == 27 and all(toy_results.FORMATS.values())


def test_the_page_counts_formats_by_their_best_task():
    lines = {
        "toy_tag": "| toy_tag | choice | 0.2 | 0.2 | 0.2 [0.1, 0.3] | 1.0 | no |",
        "toy_motion": "| toy_motion | choice | 0.2 | 0.2 | 0.9 [0.8, 1.0] | 1.0 | yes |",
        "toy_qa": "| toy_qa | vqa | 0.2 | 0.2 | 0.2 [0.1, 0.3] | 1.0 | no |",
    }
    page = toy_results._page(lines, 10)
    assert "on 1 of 3 tasks, and on a task of 1 of 27 formats; not on one of caption, qa, choose" in page
    assert "| 2 qa | toy_qa |" in page and page.index("toy_qa |") < page.index("toy_motion |")
