"""The figures of the feature table and of the device profiles, copied out of the specification as literals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SlowFeature:
    """One row of the feature table.

    ``quantity`` says which bounds and units apply. ``before``, ``gap`` and ``after`` are the three columns of
    imputation: a constant, a constant or ``None`` for "hold", and the constant that follows ``hold_after_s`` held
    seconds.
    """

    name: str
    quantity: str
    low: float
    high: float
    before: float
    gap: float | None
    hold_after_s: int
    after: float


FEATURES = [
    SlowFeature("HR", "heart_rate", 20, 200, 70, None, 600, 70),
    SlowFeature("BP_SYS", "systolic", 60, 250, 140, None, 600, 140),
    SlowFeature("BP_DIA", "diastolic", 30, 150, 80, None, 600, 80),
    SlowFeature("BP_MAP", "mean", 40, 180, 100, None, 600, 100),
    SlowFeature("SPO2", "spo2", 70, 100, 96, None, 300, 96),
    SlowFeature("ETCO2", "etco2", 2.0, 8.0, 0, None, 0, 0),
    SlowFeature("BIS", "bis", 0, 100, 0, None, 0, 0),
    SlowFeature("Propofol_INF", "propofol", 0, 12, 0, None, 0, 0),
    SlowFeature("Remifentanil_INF", "remifentanil", 0, 0.8, 0, None, 0, 0),
    SlowFeature("Noradrenalin_INF", "noradrenaline", 0, 0.5, 0, 0.0, 0, 0),
    SlowFeature("TV", "tidal_volume", 0, 12, 0, None, 0, 0),
    SlowFeature("PEEP", "peep", 0, 30, 0, None, 0, 0),
    SlowFeature("FIO2", "fio2", 21, 100, 0, None, 0, 0),
    SlowFeature("RR", "respiratory_rate", 6, 30, 0, None, 0, 0),
    SlowFeature("etSEV", "sevoflurane", 0, 6, 0, None, 0, 0),
    SlowFeature("inSev", "sevoflurane", 0, 8, 0, None, 0, 0),
]

TARGETS = ["Propofol_INF", "Remifentanil_INF", "Noradrenalin_INF", "TV", "PEEP", "FIO2", "RR", "etSEV"]

_IN_EVERY_PROFILE = {
    "BIS": ["BIS/BIS"],
    "Propofol_INF": ["Orchestra/PPF20_RATE"],
    "Remifentanil_INF": ["Orchestra/RFTN20_RATE", "Orchestra/RFTN50_RATE"],
    "Noradrenalin_INF": ["Orchestra/NEPI_RATE"],
}

# For each profile: feature -> its tracks, the preferred one first. Remifentanil's two are added, not chosen from.
PROFILES: dict[str, dict[str, list[str]]] = {
    "vitaldb": {
        "HR": ["Solar8000/HR"],
        "BP_SYS": ["Solar8000/ART_SBP", "Solar8000/NIBP_SBP"],
        "BP_DIA": ["Solar8000/ART_DBP", "Solar8000/NIBP_DBP"],
        "BP_MAP": ["Solar8000/ART_MBP", "Solar8000/NIBP_MBP", "EV1000/ART_MBP"],
        "SPO2": ["Solar8000/PLETH_SPO2"],
        "ETCO2": ["Solar8000/ETCO2"],
        "TV": ["Solar8000/VENT_TV", "Primus/TV"],
        "PEEP": ["Solar8000/VENT_MEAS_PEEP", "Primus/PEEP_MBAR"],
        "FIO2": ["Solar8000/FIO2", "Primus/FIO2"],
        "RR": ["Primus/RR_CO2", "Solar8000/RR_CO2", "Solar8000/VENT_RR", "Solar8000/RR"],
        "etSEV": ["Primus/EXP_SEVO"],
        "inSev": ["Primus/INSP_SEVO"],
        **_IN_EVERY_PROFILE,
    },
    "draeger": {
        "HR": ["Infinity/HR"],
        "BP_SYS": ["Infinity/ART_SBP", "Infinity/NIBP_SBP", "Tofcuff/NIBP_SYS"],
        "BP_DIA": ["Infinity/ART_DBP", "Infinity/NIBP_DBP", "Tofcuff/NIBP_DIA"],
        "BP_MAP": ["Infinity/ART_MBP", "Infinity/NIBP_MBP", "Tofcuff/NIBP_MEAN"],
        "SPO2": ["Infinity/PLETH_SPO2"],
        "ETCO2": ["MedibusX/ETCO2"],
        "TV": ["MedibusX/TV"],
        "PEEP": ["MedibusX/PEEP_MBAR"],
        "FIO2": ["MedibusX/FIO2"],
        "RR": ["MedibusX/RR_CO2", "MedibusX/RR_MANDATORY"],
        "etSEV": ["MedibusX/EXP_SEVO"],
        "inSev": ["MedibusX/INSP_SEVO"],
        **_IN_EVERY_PROFILE,
    },
    "intellivue": {
        "HR": ["Intellivue/HR", "Intellivue/ECG_HR"],
        "BP_SYS": ["Intellivue/ABP_SYS", "Intellivue/NIBP_SYS"],
        "BP_DIA": ["Intellivue/ABP_DIA", "Intellivue/NIBP_DIA"],
        "BP_MAP": ["Intellivue/ABP_MEAN", "Intellivue/NIBP_MEAN"],
        "SPO2": ["Intellivue/PLETH_SAT_O2"],
        "ETCO2": [],
        "TV": [],
        "PEEP": [],
        "FIO2": [],
        "RR": ["Intellivue/RR"],
        "etSEV": [],
        "inSev": [],
        **_IN_EVERY_PROFILE,
    },
}

# The sources of blood pressure that have all three tracks: (systolic, diastolic, mean).
PRESSURE_SOURCES: dict[str, list[tuple[str, str, str]]] = {
    "vitaldb": [
        ("Solar8000/ART_SBP", "Solar8000/ART_DBP", "Solar8000/ART_MBP"),
        ("Solar8000/NIBP_SBP", "Solar8000/NIBP_DBP", "Solar8000/NIBP_MBP"),
    ],
    "draeger": [
        ("Infinity/ART_SBP", "Infinity/ART_DBP", "Infinity/ART_MBP"),
        ("Infinity/NIBP_SBP", "Infinity/NIBP_DBP", "Infinity/NIBP_MBP"),
        ("Tofcuff/NIBP_SYS", "Tofcuff/NIBP_DIA", "Tofcuff/NIBP_MEAN"),
    ],
    "intellivue": [
        ("Intellivue/ABP_SYS", "Intellivue/ABP_DIA", "Intellivue/ABP_MEAN"),
        ("Intellivue/NIBP_SYS", "Intellivue/NIBP_DIA", "Intellivue/NIBP_MEAN"),
    ],
}

# mg/mL for propofol, micrograms/mL for the other three syringes.
CONCENTRATIONS: dict[str, float] = {
    "Orchestra/PPF20_RATE": 20.0,
    "Orchestra/RFTN20_RATE": 20.0,
    "Orchestra/RFTN50_RATE": 50.0,
    "Orchestra/NEPI_RATE": 20.0,
}
