"""Names of recordings and objects, and the time a UNIQUEID tells."""

import pytest

from recordings import naming
from recordings.errors import CaptureError

CHANGED = 1_795_400_100_000_000


@pytest.mark.parametrize("name", ["", ".x", "a/b", "..", "年", "a b", "a\n", "-", "a" * 151])
def test_unsafe_names_are_refused(name: str) -> None:
    """A file name must not lead out of the store or into a log line."""
    with pytest.raises(CaptureError) as caught:
        naming.checked(name)
    assert caught.value.what == "name_unsafe"


@pytest.mark.parametrize("name", ["1795400000.12", "pbx1-1795400000.12", "my-pbx-1795400000.1"])
def test_a_uniqueid_tells_the_time(name: str) -> None:
    """With and without a system name before it."""
    assert naming.checked(name) == name
    assert naming.recorded_at(name, CHANGED, 5000) == 1_795_400_000_000_000


@pytest.mark.parametrize("name", ["meeting", "1.2", "9999999999.1", "100000000.1"])
def test_a_name_that_tells_nothing(name: str) -> None:
    """No time, or one that cannot be: the file's own change less its duration counts."""
    assert naming.recorded_at(name, CHANGED, 5000) == CHANGED - 5_000_000


def test_object_keys() -> None:
    """Fanned out by China's day and PBX, and read back."""
    at = 1_793_464_200_000_000  # 31 October in UTC, 1 November in China
    key = naming.object_key("main", "1793464200.7", at, b"\x01\x02\x03\x04")
    assert key == "2026/11/01/main/1793464200.7-01020304"
    assert naming.name_in(key + naming.PAYLOAD) == "1793464200.7"
    assert naming.name_in(naming.header_of(key, 3)) == "1793464200.7"
    assert naming.name_in(key) == "1793464200.7"
    assert naming.name_in("2026/11/01/main/else") == ""
    assert naming.header_of(key, 1) == key + ".header"
    assert naming.header_of(key, 2) == key + ".header-2"
