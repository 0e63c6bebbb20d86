"""Drives the official Python client as the test that started it says.

Commands are lines of JSON on standard input, what happens goes out as lines of JSON. The only argument is the
configuration, as JSON too.
"""

import functools
import json
import logging
import re
import ssl
import sys
import threading
import zlib

import nsq
from tornado.ioloop import IOLoop

TOUCH_EVERY_S = 0.3
CONNECT_CHECK_S = 0.02
CONNECT_LIMIT_S = 10

SETTINGS = json.loads(sys.argv[1])


def tell(**event):
    print(json.dumps(event), flush=True)


def connection_options():
    options = {
        "deflate": SETTINGS.get("deflate", False),
        "snappy": SETTINGS.get("snappy", False),
        "auth_secret": SETTINGS.get("auth"),
    }
    if SETTINGS.get("tls_ca"):
        options["tls_v1"] = True
        options["tls_options"] = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": SETTINGS["tls_ca"]}
        if SETTINGS.get("tls_cert"):
            options["tls_options"]["certfile"] = SETTINGS["tls_cert"]
            options["tls_options"]["keyfile"] = SETTINGS["tls_key"]
    return options


def finish(message, start):
    message.finish()
    tell(event="finished", body=start)


def touch(message, start, times):
    if times == 0:
        finish(message, start)
        return
    message.touch()
    IOLoop.current().call_later(TOUCH_EVERY_S, touch, message, start, times - 1)


def handle(message):
    """Does what the body says: "requeue <attempts> <delay ms>", "touch <times>", or else finishes it."""
    message.enable_async()
    start = message.body[:40].decode("latin-1")
    tell(
        event="message",
        body=start,
        length=len(message.body),
        sum=zlib.crc32(message.body),
        attempts=message.attempts,
        id=message.id.decode("latin-1"),
    )
    requeue = re.match(r"requeue (\d+) (\d+)", start)
    touches = re.match(r"touch (\d+)", start)
    if requeue and message.attempts < int(requeue.group(1)):
        message.requeue(backoff=False, time_ms=int(requeue.group(2)))
    elif touches:
        IOLoop.current().call_later(TOUCH_EVERY_S, touch, message, start, int(touches.group(1)))
    else:
        finish(message, start)


class Writer(nsq.Writer):
    """Notes when a connection was lost: it would try again only much later."""

    is_lost = False

    def _on_connection_close(self, conn, **kwargs):
        self.is_lost = True
        super()._on_connection_close(conn, **kwargs)


class Publisher:
    def __init__(self):
        self.writer = None

    def publish(self, do):
        if self.writer is None:
            self.writer = Writer([SETTINGS["nsqd"]], **connection_options())
        self.when_connected(functools.partial(self.send, do), CONNECT_LIMIT_S)

    def when_connected(self, action, left_s):
        if self.writer.conns or self.writer.is_lost or left_s <= 0:
            action()
            return
        IOLoop.current().call_later(
            CONNECT_CHECK_S, self.when_connected, action, left_s - CONNECT_CHECK_S
        )

    def send(self, do):
        bodies = [(body * max(1, do.get("repeat", 1))).encode() for body in do["bodies"]]
        if do.get("delay_ms"):
            self.writer.dpub(do["topic"], do["delay_ms"], bodies[0], callback=self.done)
        elif len(bodies) == 1:
            self.writer.pub(do["topic"], bodies[0], callback=self.done)
        else:
            self.writer.mpub(do["topic"], bodies, callback=self.done)

    @staticmethod
    def done(_conn, data):
        tell(event="published", error=str(data) if isinstance(data, Exception) else None)


def consume(do):
    place = (
        {"lookupd_http_addresses": ["http://" + SETTINGS["lookupd"]]}
        if SETTINGS.get("lookupd")
        else {"nsqd_tcp_addresses": [SETTINGS["nsqd"]]}
    )
    nsq.Reader(
        message_handler=handle,
        topic=do["topic"],
        channel=do["channel"],
        max_in_flight=max(1, do.get("max_in_flight", 1)),
        max_tries=100,
        lookupd_poll_interval=1,
        lookupd_poll_jitter=0.0,
        msg_timeout=do["msg_timeout_ms"] // 1000 if "msg_timeout_ms" in do else None,
        **place,
        **connection_options(),
    )
    tell(event="consuming", error=None)


def read_commands(loop, publisher):
    for line in sys.stdin:
        do = json.loads(line)
        loop.add_callback({"publish": publisher.publish, "consume": consume}[do["do"]], do)
    loop.add_callback(loop.stop)


def main():
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    loop = IOLoop.current()
    publisher = Publisher()
    threading.Thread(target=read_commands, args=(loop, publisher), daemon=True).start()
    loop.start()


main()
