"""Sends people for a minute."""
import uuid
from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator

args = {"owner": "data", "start_date": datetime(2024, 2, 1, 6, 30)}


def one_person():
    import requests
    answer = requests.get("https://randomuser.me/api/")
    return answer.json()["results"][0]


def flatten(person):
    row = {}
    where = person["location"]
    row["id"] = uuid.uuid4()
    row["first_name"] = person["name"]["first"]
    row["last_name"] = person["name"]["last"]
    row["address"] = f"{str(where['street']['number'])} {where['street']['name']}, " \
                     f"{where['city']}, {where['country']}"
    row["post_code"] = where["postcode"]
    row["email"] = person["email"]
    row["dob"] = person["dob"]["date"]
    row["phone"] = person["phone"]
    return row


def push():
    import json
    import logging
    import time

    from kafka import KafkaProducer
    out = KafkaProducer(bootstrap_servers=["broker:29092"], max_block_ms=5000)
    begin = time.time()
    while True:
        if time.time() > begin + 60:
            break
        try:
            out.send("users_created", json.dumps(flatten(one_person())).encode("utf-8"))
        except Exception as problem:
            logging.error(f"did not work: {problem}")
            continue


with DAG("user_automation", default_args=args, schedule_interval="@daily", catchup=False) as dag:
    push_task = PythonOperator(task_id="push_people", python_callable=push)
