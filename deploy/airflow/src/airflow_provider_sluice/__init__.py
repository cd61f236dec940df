"""Apache Airflow drives Sluice."""

__version__ = "0.1.0"


def get_provider_info():
    return {
        "package-name": "airflow-provider-sluice",
        "name": "Sluice",
        "description": "Sluice's dags, sources, streams and statements from Airflow.",
        "versions": [__version__],
        "connection-types": [{"connection-type": "sluice", "hook-class-name": "airflow_provider_sluice.hook.SluiceHook"}],
    }
