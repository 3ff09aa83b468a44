"""Ready pipelines for Kubeflow and Airflow."""
