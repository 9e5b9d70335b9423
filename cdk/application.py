"""The app: the stack, and the rules that it must pass before a template comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks

from cdk.functions import BUILT_FUNCTIONS
from cdk.image import REPOSITORY_ROOT
from cdk.settings import read_settings
from cdk.stack import CasemillStack

STACK_NAME = "Casemill"


def build_app(
    context: Mapping[str, object] | None = None,
    *,
    outdir: Path | None = None,
    built_functions: Path = BUILT_FUNCTIONS,
) -> App:
    """The app with its one stack; ``synth()`` raises ``RuntimeError`` where a rule of cdk-nag is broken.

    ``context`` comes on top of ``cdk.json``, and what the CDK command line hands over on top of both.

    Raises
    ------
    BadSettingsError
        Settings that cannot be used, or functions that are not built.
    """
    # cdk.json is read here too: its feature flags must hold where the app runs without the command line.
    written = json.loads((REPOSITORY_ROOT / "cdk.json").read_text())["context"]
    app = App(context={**written, **(context or {})}, outdir=str(outdir) if outdir else None)
    settings = read_settings(app.node.get_all_context())
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), HIPAASecurityChecks(app))
    CasemillStack(app, STACK_NAME, settings=settings, built_functions=built_functions)
    return app
