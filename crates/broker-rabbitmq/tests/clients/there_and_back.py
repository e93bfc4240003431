"""Publishes an event as any client would, and prints the events that a queue of its own gets.

Arguments: address, inbound exchange, outbound exchange, event, how many are to come.
"""

import json
import sys

import pika

address, inbound, outbound, event, count = sys.argv[1:6]
connection = pika.BlockingConnection(pika.URLParameters(address))
channel = connection.channel()
channel.confirm_delivery()
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, outbound, routing_key="#")
print("bound", flush=True)
sys.stdin.readline()
properties = pika.BasicProperties(
    content_type="application/json",
    message_id="pika-2",
    headers={
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "pika-1",
        "cloudEvents:source": "/pika",
        "cloudEvents:partitionkey": "A-2",
    },
)
channel.basic_publish(inbound, event, b'{"n":1}', properties, mandatory=True)
plain = pika.BasicProperties(message_id="pika-2")
channel.basic_publish(inbound, event, b'{"n":2}', plain, mandatory=True)
try:
    channel.basic_publish(inbound, "NobodyKnows", b"{}", plain, mandatory=True)
    print("taken", flush=True)
except pika.exceptions.UnroutableError:
    print("unroutable", flush=True)
got = 0
for method, properties, body in channel.consume(queue, inactivity_timeout=60):
    if method is None:
        break
    told = {
        "key": method.routing_key,
        "headers": properties.headers,
        "type": properties.content_type,
        "id": properties.message_id,
        "body": body.decode(),
    }
    print(json.dumps(told, sort_keys=True), flush=True)
    channel.basic_ack(method.delivery_tag)
    got += 1
    if got == int(count):
        break
connection.close()
