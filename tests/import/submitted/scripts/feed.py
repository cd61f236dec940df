import json
import time

import requests
from kafka import KafkaProducer


def fetch():
    return requests.get("https://randomuser.me/api/?results=10").json()["results"]


def shape(people):
    return [{"uuid": p["login"]["uuid"], "first_name": p["name"]["first"], "city": p["location"]["city"],
             "password": p["login"]["password"], "age": p["dob"]["age"], "email": p["email"]} for p in people]


def feed():
    producer = KafkaProducer(bootstrap_servers="kafka:9092", value_serializer=lambda v: json.dumps(v).encode("utf-8"))
    start = time.time()
    while time.time() - start < 120:
        for person in shape(fetch()):
            producer.send("user_records", value=person, key=person["uuid"])
