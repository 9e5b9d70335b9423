"""The features of the workload as data: every figure is of spec/vitaldb."""

from __future__ import annotations

from dataclasses import dataclass

from core.workloads.vitaldb.units import Quantity


@dataclass(frozen=True)
class Feature:
    """One of the 16 time-series features.

    ``minimum`` and ``maximum`` span the clinical range in ``unit``. ``before`` fills the seconds before the first
    value; a gap between two values holds the last one, or is 0 where ``gap_holds`` is false; after the last
    value it is held for ``after_hold_s`` seconds, then ``after`` stands.
    """

    name: str
    quantity: Quantity
    unit: str
    minimum: float
    maximum: float
    before: float = 0.0
    gap_holds: bool = True
    after_hold_s: int = 0
    after: float = 0.0
    summed: bool = False


FEATURES: tuple[Feature, ...] = (
    Feature("HR", Quantity.HEART_RATE, "bpm", 20, 200, before=70, after_hold_s=600, after=70),
    Feature("BP_SYS", Quantity.SYSTOLIC, "mmHg", 60, 250, before=140, after_hold_s=600, after=140),
    Feature("BP_DIA", Quantity.DIASTOLIC, "mmHg", 30, 150, before=80, after_hold_s=600, after=80),
    Feature("BP_MAP", Quantity.MEAN_PRESSURE, "mmHg", 40, 180, before=100, after_hold_s=600, after=100),
    Feature("SPO2", Quantity.SATURATION, "%", 70, 100, before=96, after_hold_s=300, after=96),
    Feature("ETCO2", Quantity.CARBON_DIOXIDE, "kPa", 2.0, 8.0),
    Feature("BIS", Quantity.BISPECTRAL_INDEX, "–", 0, 100),
    Feature("Propofol_INF", Quantity.PROPOFOL, "mg/kg/h", 0, 12),
    Feature("Remifentanil_INF", Quantity.REMIFENTANIL, "µg/kg/min", 0, 0.8, summed=True),
    Feature("Noradrenalin_INF", Quantity.NORADRENALINE, "µg/kg/min", 0, 0.5, gap_holds=False),
    Feature("TV", Quantity.TIDAL_VOLUME, "mL/kg IBW", 0, 12),
    Feature("PEEP", Quantity.AIRWAY_PRESSURE, "cmH2O", 0, 30),
    Feature("FIO2", Quantity.OXYGEN_FRACTION, "%", 21, 100),
    Feature("RR", Quantity.RESPIRATORY_RATE, "/min", 6, 30),
    Feature("etSEV", Quantity.SEVOFLURANE, "kPa", 0, 6),
    Feature("inSev", Quantity.SEVOFLURANE, "kPa", 0, 8),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

TARGET_NAMES: tuple[str, ...] = (
    "Propofol_INF",
    "Remifentanil_INF",
    "Noradrenalin_INF",
    "TV",
    "PEEP",
    "FIO2",
    "RR",
    "etSEV",
)

TARGET_INDICES: tuple[int, ...] = tuple(FEATURE_NAMES.index(name) for name in TARGET_NAMES)

BLOOD_PRESSURE_NAMES: tuple[str, str, str] = ("BP_SYS", "BP_DIA", "BP_MAP")

SIGNAL_GROUPS: tuple[tuple[str, ...], ...] = (("HR",), ("SPO2",), BLOOD_PRESSURE_NAMES)
"""A case needs a valid sample in two of these (spec, "Case outcome": ``no_signal``)."""

VENTILATOR_NAMES: tuple[str, ...] = ("TV", "PEEP")
"""What only a ventilator measures: a case with neither breathed by itself, or its ventilator was not recorded."""
