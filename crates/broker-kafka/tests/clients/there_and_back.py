"""Publishes events as any client would, and prints the events that a topic has.

Arguments: bootstrap servers, topic, how many are in it in the end.
"""

import json
import sys

from confluent_kafka import Consumer, Producer

servers, topic, count = sys.argv[1:4]
producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
failed = []


def delivered(error, message):
    if error is not None:
        failed.append(str(error))


headers = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"python-1"),
    ("ce_source", b"/python"),
    ("ce_type", b"OrderPlaced"),
    ("ce_note", "Euro € 😀".encode()),
    ("content-type", b"application/json"),
]
producer.produce(topic, b'{"n":1}', key=b"A-2", headers=headers, on_delivery=delivered)
producer.produce(topic, b'{"n":2}', key=b"A-3", on_delivery=delivered)
producer.flush(60)
assert not failed, failed

consumer = Consumer(
    {
        "bootstrap.servers": servers,
        "group.id": topic,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([topic])
got = 0
while got < int(count):
    message = consumer.poll(60)
    assert message is not None, "nothing comes"
    assert message.error() is None, message.error()
    told = {
        "key": message.key().decode(),
        "headers": {name: value.decode() for name, value in message.headers() or []},
        "body": message.value().decode(),
    }
    print(json.dumps(told, sort_keys=True, ensure_ascii=False), flush=True)
    got += 1
consumer.commit(asynchronous=False)
consumer.close()
