"""secure.py ADDRESS KIND TOPIC: produces and consumes one record by the settings given as JSON on standard input.

KIND: librdkafka (confluent-kafka), kafka-python, aiokafka. Prints what was consumed, or the error's text with code 3."""
import asyncio
import json
import sys
import time

address, kind, topic = sys.argv[1:4]
settings = json.load(sys.stdin)
VALUE = b"behind the looking glass"


def librdkafka():
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
    errors = []

    def told(e):
        errors.append(e)
    both = {"bootstrap.servers": address, "error_cb": told, **settings}
    p = Producer({**both, "message.timeout.ms": 15000})
    p.produce(topic, VALUE, on_delivery=lambda e, m: e and told(e))
    end = time.monotonic() + 20
    while p.flush(0.2) and time.monotonic() < end:
        for e in errors:
            if e.code() == KafkaError._AUTHENTICATION or e.code() == KafkaError._SSL:
                raise PermissionError(e.str())
    for e in errors:
        if e.code() > 0:
            raise PermissionError(e.name() + " " + e.str())
    c = Consumer({**both, "group.id": f"g-{topic}", "auto.offset.reset": "earliest"})
    c.subscribe([topic])
    try:
        while time.monotonic() < end:
            m = c.poll(0.5)
            if m and not m.error():
                return m.value()
            if m and m.error().code() > 0:
                raise PermissionError(m.error().name())
        raise TimeoutError(f"nothing came; {errors}")
    except KafkaException as e:
        raise PermissionError(str(e)) from e
    finally:
        c.close()


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer
    p = KafkaProducer(bootstrap_servers=address, **settings)
    p.send(topic, VALUE).get(timeout=20)
    p.close()
    c = KafkaConsumer(topic, bootstrap_servers=address, group_id=f"g-{topic}", auto_offset_reset="earliest",
                      consumer_timeout_ms=20000, **settings)
    return next(iter(c)).value


async def aiokafka():
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    p = AIOKafkaProducer(bootstrap_servers=address, **settings)
    await p.start()
    await p.send_and_wait(topic, VALUE)
    await p.stop()
    c = AIOKafkaConsumer(topic, bootstrap_servers=address, group_id=f"g-{topic}", auto_offset_reset="earliest", **settings)
    await c.start()
    got = await asyncio.wait_for(c.getone(), 20)
    await c.stop()
    return got.value


try:
    got = {"librdkafka": librdkafka, "kafka-python": kafka_python, "aiokafka": lambda: asyncio.run(aiokafka())}[kind]()
except Exception as e:  # noqa: BLE001 - told to the test
    print(f"{type(e).__name__}: {e}")
    sys.exit(3)
print(got.decode())
