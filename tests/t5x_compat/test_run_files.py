"""The run files for upstream T5X name what there is: every symbol of ours, every parameter, every file."""

import inspect
from pathlib import Path

import pytest
from gin import config_parser

from unified_io.gin_edge.files import PACKAGED, Imports
from unified_io.gin_edge.statements import Reference, map_leaves, statements

FILES = sorted(Path(PACKAGED, "t5x", "runs").glob("*.gin"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_run_file_binds_of_ours_is_there(path):
    ours, checked = Imports(dynamic=True), 0

    def resolve(selector):
        name = selector.split("/")[-1]
        return ours.resolve(name)[1] if name.split(".")[0] in ours.symbols else None

    def refer(item):
        return resolve(item.selector) if isinstance(item, Reference) else item

    for statement in statements(path.read_text(), path.name):
        if isinstance(statement, config_parser.ImportStatement):
            if statement.module.startswith("unified_io"):
                ours.add(statement)
        elif isinstance(statement, config_parser.IncludeStatement):
            assert statement.filename == f"t5x/configs/runs/{path.name}"
        elif isinstance(statement, config_parser.BindingStatement):
            map_leaves(refer, statement.value)
            if statement.arg_name and (target := resolve(statement.selector)):
                assert statement.arg_name in inspect.signature(target).parameters
                checked += 1
    assert checked > 3


def test_each_of_t5x_own_run_files_has_one_of_ours():
    assert [path.stem for path in FILES] == ["eval", "finetune", "infer", "pretrain"]
