from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.dummy import DummyOperator
from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator

with DAG("minute_etl", start_date=datetime(2024, 1, 1), schedule_interval="*/1 * * * *", catchup=False, max_active_runs=1, concurrency=1,
         dagrun_timeout=timedelta(hours=1)) as dag:
    kafka_producer = BashOperator(task_id="kafka_producer", bash_command="python /app/producer/producer.py")
    run_streaming = BashOperator(task_id="run_streaming", bash_command="spark-submit --master spark://spark:7077 /app/job.py")
    ready = DummyOperator(task_id="ready")
    tell = SlackWebhookOperator(task_id="tell", slack_webhook_conn_id="slack", message="done")
    clean = BashOperator(task_id="clean", bash_command="rm -rf /tmp/{{ ds }}")
    ready >> kafka_producer >> run_streaming
    run_streaming >> [tell, clean]
