"""A private key as a file that two people have to open together.

Nested age: the inner file is sealed to the first custodian's key, the outer one to the second's.

    age -d -i second.key 2026-11.age | age -d -i first.key > 2026-11.agekey

Pure: randomness is an argument. What always holds: the plain text is in no file; neither of the two
learns anything of it without the other.
"""

from collections.abc import Callable

from recordings import sealed


def closed(text: bytes, first: bytes, second: bytes, entropy: Callable[[int], bytes]) -> bytes:
    """`text` sealed to the 32-byte recipient `first`, and that file to `second`."""
    return _closed(_closed(text, first, entropy), second, entropy)


def _closed(data: bytes, public: bytes, entropy: Callable[[int], bytes]) -> bytes:
    file_key, nonce = entropy(sealed.FILE_KEY), entropy(sealed.NONCE)
    header = sealed.make_header(file_key, [public], entropy)
    return header + sealed.encrypt_all(data, file_key, nonce)
