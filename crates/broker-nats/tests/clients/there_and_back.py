"""Publishes events as any client would, and prints the events that a subject of a stream has.

Arguments: address, stream, subject, how many are on it in the end.
"""

import asyncio
import json
import sys

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

address, stream, subject, count = sys.argv[1:5]


async def main():
    client = await nats.connect(address)
    jetstream = client.jetstream()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "python-1",
        "ce-source": "/python",
        "ce-type": "OrderPlaced",
        "ce-partitionkey": "A-2",
        "ce-note": "Euro%20%E2%82%AC",
        "content-type": "application/json",
    }
    taken = await jetstream.publish(subject, b'{"n":1}', headers=headers)
    assert taken.stream == stream, taken
    await jetstream.publish(subject, b'{"n":2}')
    config = ConsumerConfig(
        durable_name="python", ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL, filter_subject=subject
    )
    consumer = await jetstream.pull_subscribe(subject, "python", stream=stream, config=config)
    got = 0
    while got < int(count):
        for message in await consumer.fetch(10, timeout=60):
            told = {"headers": message.headers or {}, "body": message.data.decode()}
            print(json.dumps(told, sort_keys=True), flush=True)
            await message.ack()
            got += 1
    await client.close()


asyncio.run(main())
