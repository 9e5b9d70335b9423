"""``times.toml`` as text: the standard library reads TOML and does not write it."""

from __future__ import annotations

import json

from core.cost.time_model import Coefficients, TimeModels


def models_text(models: TimeModels) -> str:
    """The document, which :func:`core.cost.time_model.read_models` reads back as it was."""
    parts = [
        "# Seconds of work, as measured; core/cost/time_model.py says how they are used. Made by `casemill fit`.",
        f'format = "{models.format}"',
        "",
        "# Assumed, not measured: another processor takes between half and twice as long.",
        "[other_machine]",
        f"low = {models.other_machine.low!r}",
        f"high = {models.other_machine.high!r}",
    ]
    for name in sorted(models.workloads):
        parts += ["", f"[workloads.{json.dumps(name)}]", *_coefficients(models.workloads[name])]
    return "\n".join(parts) + "\n"


def _coefficients(known: Coefficients) -> list[str]:
    content = known.model_dump()
    return [f"{key} = {_value(content[key])}" for key in content]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    # JSON's strings are TOML's, but for DEL, which no provenance holds.
    return json.dumps(value) if isinstance(value, str) else repr(value)
