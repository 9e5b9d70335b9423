"""What one example is: the workload's part of the data set card, the same for every data set of a configuration."""

from __future__ import annotations

from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES, TARGET_NAMES, Feature
from core.workloads.vitaldb.metadata import STATIC_DEFAULTS, STATIC_NORMALISED, STATIC_UNITS
from core.workloads.vitaldb.patient import STATIC_NAMES


def card_section(configuration: Configuration) -> str:
    """Windows, features with units and ranges, imputation and normalisation, as Markdown."""
    features = "\n".join(_feature_row(feature) for feature in FEATURES)
    static = "\n".join(
        f"| {name} | {unit} | {rule} | {default:g} |"
        for name, unit, rule, default in zip(
            STATIC_NAMES, STATIC_UNITS, STATIC_NORMALISED, STATIC_DEFAULTS, strict=True
        )
    )
    return f"""\
## What one example is

| key | shape | meaning |
|---|---|---|
| `timeseries` | {configuration.window_s} × {len(FEATURES)} | {configuration.window_s} s at 1 Hz, time first; a new \
window starts every {configuration.step_s} s |
| `static` | {len(STATIC_NAMES)} | the patient: {", ".join(STATIC_NAMES)} |
| `targets` | {len(TARGET_NAMES)} | {", ".join(TARGET_NAMES)}, {configuration.horizon_s} s after the window's last \
second |
| `observed` | {len(FEATURES)} | share of the window's seconds that were measured and not imputed, by feature |
| `case_id`, `subject_id`, `start_s` | 1 | where the window comes from; not to be learned from |

All values but the last three rows' are normalised: `n = 2*(x - minimum)/(maximum - minimum) - 1`, clipped to -1 to 1.
Back to clinical units: `x = minimum + (n + 1)*(maximum - minimum)/2`.

### The signals

| feature | unit | minimum to maximum | before the first value | in a gap | after the last value |
|---|---|---|---|---|---|
{features}

Where nothing was measured, the value of the table stands: the columns are the imputation. A *gap* lies between two
values. A 0 is a clinical zero: not given, or not connected. Use `observed` to tell it from a measured one.

### The patient

| value | unit | normalised | where it is missing |
|---|---|---|---|
{static}
"""


def _feature_row(feature: Feature) -> str:
    gap = "the last value" if feature.gap_holds else "0"
    after = f"{feature.after:g}"
    if feature.after_hold_s:
        after = f"the last value for {feature.after_hold_s // 60} min, then {after}"
    span = f"{feature.minimum:g} to {feature.maximum:g}"
    return f"| {feature.name} | {feature.unit} | {span} | {feature.before:g} | {gap} | {after} |"
