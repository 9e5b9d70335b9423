"""The workload's part of the data set card."""

from __future__ import annotations

from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.features import FEATURES, TARGET_NAMES


def card_section(configuration: Configuration) -> str:
    """Features, windows, imputation and known limits, as Markdown."""
    rows = "\n".join(
        f"| {feature.name} | {feature.unit} | {feature.minimum:g} to {feature.maximum:g} | {feature.before:g} |"
        for feature in FEATURES
    )
    return f"""\
## What one example is

{configuration.window_s} s of 16 signals at 1 Hz (`timeseries`, time-major), a window every {configuration.step_s} s;
six static values (`static`); eight `targets` ({", ".join(TARGET_NAMES)}) {configuration.horizon_s} s after the
window's last second; `observed`, the share of the window that was measured and not imputed.

| feature | unit | range mapped to -1 to 1 | before the first value |
|---|---|---|---|
{rows}

Gaps hold the last value (noradrenaline: 0). After the last value, heart rate and pressures are held for 10 min and
saturation for 5 min before they return to the value in the table; the rest is 0, a clinical zero: not given, or not
connected.

## Known limits

- A zero of the ventilator features in a spinal or sedation case means that nothing was connected. Use `observed`.
- Noradrenaline is rare (1.4 % of the open data set's cases).
- Missing static values carry defaults; cases without a clinical row are flagged `static_imputed` in the manifest.

## Source and licence

The licence is the source's. For the open VitalDB data set it differs by door: PhysioNet (doi:10.13026/czw8-9p62) is
CC BY 4.0; the site's own interface is CC BY-NC-SA 4.0 with a data use agreement. Cite doi:10.1038/s41597-022-01411-5.
"""
