"""Bech32 (BIP 173) as age uses it for keys: no length limit, one 32-byte value.

Pure.  What always holds: `decode(encode(hrp, data)) == (hrp, data)`, and whatever decodes
encodes again to the same text in lower case.  It does not know what the data means.
"""

from recordings.errors import KeyInvalid

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def encode(hrp: str, data: bytes) -> str:
    """Encode `data` under the human-readable part `hrp`, in lower case (BIP 173)."""
    values = _regroup(data, 8, 5, pad=True)
    checksum = _polymod([*_expand(hrp), *values, *([0] * _CHECKSUM)]) ^ 1
    tail = [(checksum >> 5 * (5 - i)) & 31 for i in range(_CHECKSUM)]
    return hrp + "1" + "".join(_ALPHABET[v] for v in (*values, *tail))


def decode(text: str) -> tuple[str, bytes]:
    """Return the human-readable part (lower case) and the data.

    Raises KeyInvalid for mixed case, an unknown character, a wrong checksum or padding.
    """
    if text not in (text.lower(), text.upper()):
        raise KeyInvalid("密钥文本大小写混用。 The key's text mixes upper and lower case.")
    hrp, separator, body = text.lower().rpartition("1")
    if not separator or not hrp or len(body) < _CHECKSUM or not hrp.isascii():
        raise KeyInvalid("密钥文本不完整。 The key's text is incomplete.")
    if any(c not in _ALPHABET for c in body):
        raise KeyInvalid("密钥文本含非法字符。 The key's text has a character it may not have.")
    values = [_ALPHABET.index(c) for c in body]
    if _polymod([*_expand(hrp), *values]) != 1:
        raise KeyInvalid(
            "密钥校验和不符，请核对是否抄错。 The key's checksum is wrong: copy it again."
        )
    return hrp, bytes(_regroup(values[:-_CHECKSUM], 5, 8, pad=False))


def _expand(hrp: str) -> list[int]:
    return [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> i & 1 else 0
    return checksum


def _regroup(data: bytes | list[int], width: int, new_width: int, *, pad: bool) -> list[int]:
    """Regroup bits; without padding, left-over bits must be fewer than a group and all zero."""
    accumulator = bits = 0
    out: list[int] = []
    for value in data:
        accumulator = accumulator << width | value
        bits += width
        while bits >= new_width:
            bits -= new_width
            out.append(accumulator >> bits & ((1 << new_width) - 1))
    left = accumulator & ((1 << bits) - 1)
    if pad and bits:
        out.append(left << (new_width - bits))
    elif not pad and (bits >= width or left):
        raise KeyInvalid("密钥文本填充不规范。 The key's text is padded wrongly.")
    return out
