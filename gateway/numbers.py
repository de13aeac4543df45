"""Whole numbers out of what people and programs typed: the one reading of them. Pure."""

LARGEST = 2**63 - 1
"""What a database's integer holds."""


def natural(text: str) -> int | None:
    """`text` as a number of the digits 0–9, 0 … 2⁶³−1; None where it is none: a sign, a space, a
    digit of another script, or more than any row's id can be."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    number = int(text)
    return number if number <= LARGEST else None
