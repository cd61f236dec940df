from datetime import datetime, timedelta
from airflow import DAG
from airflow.operators.python import PythonOperator

@dag(schedule="@daily", default_args={"retries": 3, "retry_delay": timedelta(minutes=5)})
def flow(x: int = 1, *args, **kwargs) -> None:
    with DAG("a", schedule_interval=f"{x!r:>{10}}", catchup=False) as dag, open('f') as f:
        t = PythonOperator(task_id='t', python_callable=lambda a, b=2: [i for i in a if i], op_kwargs={**k})
        t >> [u, v] >> w
    try:
        y = r'\d' b"\x00" """three
lines""" if t else (1_000, 0x1F, 1e-3j)
    except (A, B) as e:
        raise
    else: pass
