import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import PythonOperator

MESSAGES = int(os.getenv("MESSAGES", "5"))
API = os.environ.get("API", "https://randomuser.me/api/")


def send_some():
    import json
    import time

    import requests
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers="broker:29092")
    for _ in range(MESSAGES):
        person = requests.get(API, params={"nat": "us"}).json()["results"][0]
        producer.send("user_created", json.dumps(person).encode())
        producer.flush()
        time.sleep(2)


with DAG(dag_id="kafka_stream_dag", start_date=datetime(2025, 1, 1), schedule=None, catchup=False, tags=["people"],
         default_args={"retries": 2, "retry_delay": timedelta(minutes=3), "email": ["ops@example.com"], "email_on_failure": True}) as dag:
    begin = EmptyOperator(task_id="begin")
    send = PythonOperator(task_id="send", python_callable=send_some, retries=4)
    end = EmptyOperator(task_id="end", trigger_rule="all_done")
    begin >> send >> end
