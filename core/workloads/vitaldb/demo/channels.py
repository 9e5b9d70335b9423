"""Which tracks the workload wants of each device profile: the generator's own copy of the spec's tables.

It is written out here, and not read from the profiles, so that ground truth cannot inherit a mistake of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.recording.writer import Format
from core.workloads.vitaldb.demo.signals import Floats

_PUMPS = ("Orchestra/PPF20_RATE", "Orchestra/RFTN20_RATE", "Orchestra/RFTN50_RATE", "Orchestra/NEPI_RATE")
_VITALDB = (
    "Solar8000/HR Solar8000/ART_SBP Solar8000/ART_DBP Solar8000/ART_MBP Solar8000/NIBP_SBP Solar8000/NIBP_DBP "
    "Solar8000/NIBP_MBP EV1000/ART_MBP Solar8000/PLETH_SPO2 Solar8000/ETCO2 Solar8000/VENT_TV Primus/TV "
    "Solar8000/VENT_MEAS_PEEP Primus/PEEP_MBAR Solar8000/FIO2 Primus/FIO2 Primus/RR_CO2 Solar8000/RR_CO2 "
    "Solar8000/VENT_RR Solar8000/RR Primus/EXP_SEVO Primus/INSP_SEVO"
)
_DRAEGER = (
    "Infinity/HR Infinity/ART_SBP Infinity/ART_DBP Infinity/ART_MBP Infinity/NIBP_SBP Infinity/NIBP_DBP "
    "Infinity/NIBP_MBP Tofcuff/NIBP_SYS Tofcuff/NIBP_DIA Tofcuff/NIBP_MEAN Infinity/PLETH_SPO2 MedibusX/ETCO2 "
    "MedibusX/TV MedibusX/PEEP_MBAR MedibusX/FIO2 MedibusX/RR_CO2 MedibusX/RR_MANDATORY MedibusX/EXP_SEVO "
    "MedibusX/INSP_SEVO"
)
_INTELLIVUE = (
    "Intellivue/HR Intellivue/ECG_HR Intellivue/ABP_SYS Intellivue/ABP_DIA Intellivue/ABP_MEAN Intellivue/NIBP_SYS "
    "Intellivue/NIBP_DIA Intellivue/NIBP_MEAN Intellivue/PLETH_SAT_O2 Intellivue/RR"
)

WANTED = frozenset((*_PUMPS, "BIS/BIS", *_VITALDB.split(), *_DRAEGER.split(), *_INTELLIVUE.split()))
"""Every track of the three profiles (spec/vitaldb, "Device profiles")."""


@dataclass(frozen=True)
class Channel:
    """One numeric track before it is written: ``times`` (float64 [n], s), ``values`` (float64 [n], in ``unit``)."""

    device: str
    name: str
    unit: str
    times: Floats
    values: Floats
    format: Format = Format.F32
    gain: float = 1.0
    offset: float = 0.0
    rate_hz: float = 0.0

    @property
    def full_name(self) -> str:
        """``Device/NAME``."""
        return f"{self.device}/{self.name}"
