"""`unified-io convert`: weights rewritten from one family's folder to another's."""

import argparse

MEANING = "rewrite weights: ours, the PyTorch port's (Hugging Face) or T5X's, both ways"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        required=True,
        metavar="FOLDER",
        help="weights: ours, the port's or a T5X checkpoint",
    )
    add(
        "--to",
        dest="target",
        required=True,
        metavar="FOLDER",
        help="where to write; appears when all is written",
    )
    add("--format", default="unified-io", help="what to write: unified-io, port or t5x")
    add(
        "--config",
        metavar="FILE",
        help="gin file of the model; needed for T5X, which does not say what it is",
    )
    add(
        "--tokenizer",
        metavar="FILE",
        help="the text tokenizer to put beside the weights (LLaMA's tokenizer.model)",
    )
    add("--allow_pickle", action="store_true", help="also read .bin files; nothing in them is run")


def run(args: argparse.Namespace) -> None:
    """Converts, tensor by tensor."""
    from unified_io.convert import folders

    config = None
    if args.config:
        from unified_io.gin_edge import session

        config = session.build_macro(session.parse([args.config], []), "MODEL")
    folders.convert(
        args.source,
        args.target,
        args.format,
        config=config,
        tokenizer=args.tokenizer,
        allow_pickle=args.allow_pickle,
    )
    print(f"written to {args.target}")
