import json
import time
import uuid

import requests
from kafka import KafkaProducer


def event(p):
    at = p["location"]
    return {"id": str(uuid.uuid4()), "first_name": p["name"]["first"], "last_name": p["name"]["last"],
            "address": ", ".join([at["city"], at["state"], at["country"]]), "post_code": at["postcode"], "email": p["email"]}


if __name__ == "__main__":
    kafka = KafkaProducer(bootstrap_servers=["broker:29092"])
    while True:
        answer = requests.get("https://randomuser.me/api/")
        if answer.status_code != 200:
            time.sleep(30)
            continue
        for p in answer.json()["results"]:
            kafka.send("users_created", json.dumps(event(p)).encode("utf-8"))
        kafka.flush()
        time.sleep(1)
