"""What Airflow shows and validates about the provider; read through the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Darwin"


def _text(label: str) -> dict[str, Any]:
    return {"label": label, "schema": {"type": ["string", "null"]}}


def connection_form() -> dict[str, Any]:
    """The connection type and its form. Airflow reads it from the metadata, so that showing it imports no hook."""
    return {
        "connection-type": "darwin",
        "hook-class-name": "darwin_operators.hooks.darwin.DarwinHook",
        "hook-name": "Darwin",
        "conn-fields": {
            "line": _text("Model line that the test looks at"),
            "region": _text("Region"),
            "path_style": {
                "label": "Buckets as /bucket/key",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
            "ca_bundle": _text("PEM file with the store's CA"),
            "sse_kms_key_id": _text("Encrypt with this KMS key"),
            "report_base_url": _text("URL under which objects are read"),
        },
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "extra"],
            "relabeling": {"host": "S3 endpoint URL", "login": "Access key", "password": "Secret key"},
            "placeholders": {"host": "https://s3.bank.example (empty: AWS)"},
        },
    }


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, after Airflow's ``provider_info.schema.json``.

    ``package-name`` has to be the name of the distribution, or ``airflow providers list`` fails.
    """
    return {
        "package-name": "darwin-mlops",
        "name": "Darwin",
        "description": "The compaction step of a training pipeline: a much smaller network, proof and explanation.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://airflow.apache.org/docs/",
                "tags": ["software"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "darwin_operators.operators.compaction",
                    "darwin_operators.operators.publish",
                    "darwin_operators.operators.whole_run",
                    "darwin_operators.operators.approval",
                    "darwin_operators.operators.fan_out",
                ],
            }
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["darwin_operators.hooks.darwin"]}],
        "sensors": [{"integration-name": _INTEGRATION, "python-modules": ["darwin_operators.sensors.reference"]}],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": ["darwin_operators.triggers.pointer"]}],
        "connection-types": [connection_form()],
        "extra-links": [
            "darwin_operators.links.CompactionReportLink",
            "darwin_operators.links.PublishedVersionLink",
        ],
        "config": {
            "darwin": {
                "description": "Where compaction steps run and how people reach their reports.",
                "options": {
                    "python": {
                        "description": "Interpreter of the environment that holds the engine (darwin-mlops[engine]).",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/opt/darwin/bin/python",
                        "default": "",
                    },
                    "image": {
                        "description": "Image of the container launchers; by default darwin-mlops:<version>.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "registry.bank.example/darwin-mlops@sha256:...",
                        "default": "",
                    },
                    "report_base_url": {
                        "description": (
                            "URL under which the object store's reports can be read. {bucket} and {key} are filled "
                            "in; without them the key is appended."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://reports.example.com/{bucket}/{key}",
                        "default": "",
                    },
                },
            }
        },
    }
