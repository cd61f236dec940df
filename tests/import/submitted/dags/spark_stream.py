from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

default_args = {"owner": "stream", "retries": 0, "retry_delay": timedelta(minutes=5), "start_date": datetime(2025, 8, 1)}

with DAG("spark_stream", default_args=default_args, schedule_interval=None, max_active_runs=1, catchup=False) as dag:
    SparkSubmitOperator(task_id="submit", application="/opt/airflow/scripts/people_stream.py", conn_id="kafka_spark_cassandra",
                        deploy_mode="client", verbose=True)
