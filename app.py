"""The CDK app: ``cdk synth``, ``cdk deploy`` (settings: cdk.json)."""

from __future__ import annotations

import sys

from cdk.application import build_app
from cdk.settings import BadSettingsError

if __name__ == "__main__":
    try:
        app = build_app()
    except BadSettingsError as error:
        sys.exit(str(error))
    app.synth()
