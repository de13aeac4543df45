"""A department's program that cannot work one message: `python -m tests.rig.spoiled URL QUEUE HOW`.

Written with pika alone. It acks every message and prints its body, but for the one whose body is
`poison`: that it rejects, or nacks, back into the queue, or it dies over it as a program does that
crashes. It takes one message at a time: each in the hands of a program that dies counts as failed,
so whoever may crash and takes ten has ten parked. Runs until it is stopped or has died.
"""

import os
import sys

import pika  # type: ignore[import-untyped]
from pika.adapters.blocking_connection import BlockingChannel  # type: ignore[import-untyped]

POISON = b"poison"
PREFETCH = 1


def spoil(channel: BlockingChannel, how: str, tag: int) -> None:
    """What this program does to the message it cannot work."""
    if how == "crash":
        os._exit(9)
    if how == "nack":
        channel.basic_nack(tag, requeue=True)
    else:
        channel.basic_reject(tag, requeue=True)


def main(url: str, queue: str, how: str) -> None:
    """Consume."""
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=PREFETCH)
    for method, _, body in channel.consume(queue):
        if body == POISON:
            spoil(channel, how, method.delivery_tag)
            continue
        channel.basic_ack(method.delivery_tag)
        sys.stdout.write(body.decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
