"""Writes the capability table of the README from what is registered, tested and configured.

python tools/capabilities.py README.md
"""

import argparse
from pathlib import Path

BEGIN, END = "<!-- capabilities -->", "<!-- /capabilities -->"
TESTED, TRAINED, NOT_RUN = "tested against a reference", "trained at toy size", "not yet run"
ROOT = Path(__file__).resolve().parent.parent


def table() -> str:
    """Returns the table in Markdown: what has a check against the official code, what is trained, what nobody ran."""
    import check_golden
    import seqio

    from data_tasks import mixtures

    parts = sorted(check_golden.CHECKS)
    trained = set(mixtures.MIXTURES["digits_any_to_any"])
    tasks = sorted(name for name in seqio.TaskRegistry.names() if name in trained)
    sizes = sorted(path.stem for path in (ROOT / "gin_configs/model").glob("*.gin"))
    sizes = [size for size in sizes if size not in ("tiny", "unified_io", "released", "language_model")]
    rows = [(TESTED, "parts", parts), (TRAINED, "tasks", tasks), (NOT_RUN, "training of the sizes", sizes)]
    lines = ["| state | what | names |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {state} | {what} | {', '.join(names)} |" for state, what, names in rows)])


def fill(text: str) -> str:
    """Returns a README with the table between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Rewrites the file in place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("readme", type=Path, help="the file with the two marks")
    path = parser.parse_args().readme
    path.write_text(fill(path.read_text()))


if __name__ == "__main__":
    main()
