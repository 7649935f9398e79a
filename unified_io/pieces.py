"""The spellings of a SentencePiece vocabulary."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


def spelled(processor: "SentencePieceProcessor", count: int) -> dict[bytes, list[int]]:
    """Returns the ids of every piece of text in UTF-8, a space in front of those that begin a word.

    The ids that stand for no text (padding, EOS, unknown) are left out, and bytes that are a piece of their own.

    Args:
      processor: The vocabulary.
      count: How many of its ids to read.
    """
    found, single = {}, {}
    for id in range(count):
        piece = processor.id_to_piece(id)
        if processor.is_byte(id):
            single[bytes([int(piece[3:5], 16)])] = [id]
        elif not (processor.is_control(id) or processor.is_unknown(id)):
            found.setdefault(piece.replace("▁", " ").encode(), []).append(id)
    return single | found
