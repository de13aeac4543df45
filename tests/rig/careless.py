"""A department's program that gets the contract wrong: `python -m tests.rig.careless URL CODE`.

Written with pika alone. It signs each work order twice, under ids it makes up, with no user-id, and
what it does not know it nacks back into its queue. Runs until it is stopped.
"""

import json
import sys
import uuid

import pika  # type: ignore[import-untyped]

OFFERED = "cn.12333.workorder.offered.v1"


def signed(code: str, order: dict[str, object]) -> bytes:
    """A signature, new each time."""
    about = {"work_order": order["work_order"], "version": order["version"], "department": code}
    event = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "urn:careless",
        "type": "cn.12333.reply.v1",
        "time": "2026-11-23T09:00:00Z",
        "data": {**about, "event": "signed", "by": "马虎"},
    }
    return json.dumps(event).encode()


def main(url: str, code: str) -> None:
    """Consume."""
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    channel.basic_qos(prefetch_count=1)
    for method, _, body in channel.consume(f"department.{code}"):
        try:
            event = json.loads(body)
        except ValueError:
            channel.basic_reject(method.delivery_tag, requeue=False)
            continue
        if event["type"] != OFFERED:
            channel.basic_nack(method.delivery_tag, requeue=True)
            continue
        for _ in range(2):
            channel.basic_publish(
                "hotline.replies", f"reply.{code}.v1", signed(code, event["data"])
            )
        channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    main(*sys.argv[1:])
