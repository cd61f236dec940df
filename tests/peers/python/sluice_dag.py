"""A dag of a real Airflow that drives Sluice by the provider of deploy/airflow."""
import datetime

from airflow import DAG
from airflow_provider_sluice.operators import SluiceRunSourceOperator, SluiceSQLOperator, SluiceStreamOperator, SluiceTriggerDagOperator
from airflow_provider_sluice.sensors import SluiceDagRunSensor, SluiceLagSensor

with DAG("drives_sluice", start_date=datetime.datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
    stream = SluiceStreamOperator(task_id="stream", sluice_dag_id="ensure", stream="load_users", poke_interval=0.2)
    fetch = SluiceRunSourceOperator(task_id="fetch", sluice_dag_id="fetch", source="randomuser", count=5, run_id="fetch_{{ ds }}", poke_interval=0.2)
    lag = SluiceLagSensor(task_id="lag", sluice_dag_id="ensure", sluice_task_id="healthy", poke_interval=0.2, timeout=60)
    sql = SluiceSQLOperator(task_id="sql", sluice_dag_id="ask", sql="SELECT '{{ ds }}' AS d", poke_interval=0.2)
    start = SluiceTriggerDagOperator(task_id="start", sluice_dag_id="fetch", conf={"count": 1}, wait=False)
    end = SluiceDagRunSensor(task_id="end", sluice_dag_id="fetch", run_id="{{ ti.xcom_pull(task_ids='start') }}", poke_interval=0.2, timeout=60)
    stream >> fetch >> lag >> sql >> start >> end
