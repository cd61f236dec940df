import sys
from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator

sys.path.append("/opt/airflow/scripts")
from feed import feed

dag = DAG("kafka_streaming", start_date=datetime(2025, 8, 1), schedule_interval="0 6 * * *", catchup=False)
PythonOperator(task_id="feed", python_callable=feed, dag=dag)
