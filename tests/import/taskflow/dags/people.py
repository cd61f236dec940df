import json

import pendulum
import requests
from airflow.decorators import dag, task
from confluent_kafka import Producer


@dag(schedule="*/5 * * * *", start_date=pendulum.datetime(2024, 5, 1, tz="Europe/Berlin"), catchup=False, max_active_runs=1)
def people():
    @task(retries=2)
    def publish():
        answer = requests.get("https://randomuser.me/api/?results=3", timeout=10)
        answer.raise_for_status()
        producer = Producer({"bootstrap.servers": "broker:29092"})
        for person in answer.json()["results"]:
            producer.produce("users_created", value=json.dumps(person), key=person["login"]["uuid"])
        producer.flush()
        return 3

    @task
    def report(n):
        print("sent", n)

    report(publish())


people()
