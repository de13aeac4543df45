"""What is written in one turn of the loop goes out together, in its order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from queueing.corked import Writer


class Kernel:
    """Notes each call that the stream makes."""

    def __init__(self) -> None:
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    async def drain(self) -> None:
        self.calls.append("drain")

    def write_eof(self) -> None:
        self.calls.append("eof")

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return "close" in self.calls


@contextlib.asynccontextmanager
async def written(kernel: Kernel) -> AsyncIterator[Writer]:
    yield Writer(kernel)  # type: ignore[arg-type] # all that is used of a stream's


def test_one_turn_is_one_call() -> None:
    """Protects: a window of messages is not a call into the kernel each."""

    async def scenario(kernel: Kernel) -> None:
        async with written(kernel) as writer:
            for part in (b"a", b"b", b"c"):
                writer.write(part)
            assert kernel.calls == []
            await asyncio.sleep(0)
            writer.write(b"d")
            await asyncio.sleep(0)

    kernel = Kernel()
    asyncio.run(scenario(kernel))
    assert kernel.calls == [b"abc", b"d"]


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(["turn", "drain"]))))
def test_no_byte_is_lost_or_passes_another(acts: list[bytes | str]) -> None:
    """Protects: whatever is written, drained and waited for in whatever order, the same bytes go
    out in the same order, and all of them before the end."""

    async def scenario(kernel: Kernel) -> None:
        async with written(kernel) as writer:
            for act in acts:
                if isinstance(act, bytes):
                    writer.write(act)
                elif act == "turn":
                    await asyncio.sleep(0)
                else:
                    await writer.drain()
                    assert kernel.calls[-1] == "drain"
            writer.write_eof()
            writer.close()
            assert writer.is_closing()

    kernel = Kernel()
    asyncio.run(scenario(kernel))
    sent = [call for call in kernel.calls if isinstance(call, bytes)]
    assert b"".join(sent) == b"".join(act for act in acts if isinstance(act, bytes))
    assert kernel.calls[-2:] == ["eof", "close"]
