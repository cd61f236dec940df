"""When a failed try is tried again, with retry_exponential_backoff: against TaskInstance.next_retry_datetime of Apache Airflow itself, its jitter
included, which comes of the instance's name.

airflow_retries.py SCHED_TIMES COUNT SEED: COUNT tasks, each for its first tries and some of the later ones.
"""
import datetime
import random
import subprocess
import sys
import types

from airflow.models.taskinstance import TaskInstance
from airflow.operators.empty import EmptyOperator

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
US = datetime.timedelta(microseconds=1)
LETTERS = "abcxyzAZ019_-."


def airflow_us(task, dag_id, task_id, logical, number):
    end = datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc)
    instance = types.SimpleNamespace(task=task, dag_id=dag_id, task_id=task_id, execution_date=logical, try_number=number, end_date=end)
    return (TaskInstance.next_retry_datetime(instance) - end) // US


def drawn(rng):
    name = "".join(rng.choices(LETTERS, k=rng.choice([1, 8, 30, 200]))), "".join(rng.choices(LETTERS, k=rng.choice([1, 12, 250])))
    logical = EPOCH + datetime.timedelta(seconds=rng.randrange(0, 4 * 10**9), microseconds=rng.choice([0, 0, rng.randrange(10**6)]))
    delay = rng.choice([0, 1, 250_000, 999_999, 1_000_000, 30_000_000, 300_000_000, rng.randrange(10**7), rng.randrange(10**11)])
    most = rng.choice([0, 0, 1, 1_500_000, 600_000_000, 7_200_000_000, 10**12])
    tries = list(range(1, 13)) + rng.sample(range(13, 200), 4)
    return *name, logical, delay, most, tries


def main(program, count, seed):
    rng = random.Random(int(seed))
    lines, want = [], []
    for _ in range(int(count)):
        dag_id, task_id, logical, delay, most, tries = drawn(rng)
        task = EmptyOperator(task_id="t", retry_exponential_backoff=True, retry_delay=delay * US, max_retry_delay=most * US if most else None)
        for number in tries:
            lines.append("\t".join(map(str, ("retry", dag_id, task_id, (logical - EPOCH) // US, number, delay, most))))
            want.append(airflow_us(task, dag_id, task_id, logical, number))
    said = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    wrong = [f"{line}: {ours}, in Airflow {theirs}" for line, ours, theirs in zip(lines, said, want, strict=True) if ours != str(theirs)]
    print(*wrong[:20], sep="\n")
    print(f"{len(want)} delays of {count} tasks: {len(wrong)} otherwise than in Airflow 2.10.5")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
