"""The usual way: vitaldb, pandas and TensorFlow, as a competent person in a hurry would use them.

Nothing here is made slow on purpose. It does less than Casemill does: no cleaning, no loss report, no hash, no
``observed`` shares.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# TensorFlow writes about its processor otherwise; it must be told before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import tensorflow as tf
import vitaldb
from numpy.typing import NDArray

from benchmarks import patient
from benchmarks.layouts import TRACKS
from core.workload import Columns

WINDOW_S, STEP_S, HORIZON_S = 300, 30, 30

BEFORE = {"HR": 70.0, "BP_SYS": 140.0, "BP_DIA": 80.0, "BP_MAP": 100.0, "SPO2": 96.0}
RANGES = {
    "HR": (20, 200), "BP_SYS": (60, 250), "BP_DIA": (30, 150), "BP_MAP": (40, 180), "SPO2": (70, 100),
    "ETCO2": (2, 8), "BIS": (0, 100), "Propofol_INF": (0, 12), "Remifentanil_INF": (0, 0.8),
    "Noradrenalin_INF": (0, 0.5), "TV": (0, 12), "PEEP": (0, 30), "FIO2": (21, 100), "RR": (6, 30),
    "etSEV": (0, 6), "inSev": (0, 8),
}  # fmt: skip
TARGETS = ["Propofol_INF", "Remifentanil_INF", "Noradrenalin_INF", "TV", "PEEP", "FIO2", "RR", "etSEV"]


def read_usual(path: Path) -> Any:
    """The usual reader with the wanted tracks only."""
    return vitaldb.VitalFile(str(path), list(TRACKS))


def naive_case(recording: Path, out: Path, as_lists: bool = False) -> int:
    """One recording to one GZIP file of examples; returns their number.

    Protobuf takes Python lists faster than arrays, which few know: ``as_lists`` is the script of one who does.
    """
    raw = read_usual(recording).to_pandas(list(TRACKS), 1)
    frame = _features(raw).ffill().fillna({name: BEFORE.get(name, 0.0) for name in RANGES})
    low = pd.Series({name: bounds[0] for name, bounds in RANGES.items()})
    high = pd.Series({name: bounds[1] for name, bounds in RANGES.items()})
    normalised = (2 * (frame - low) / (high - low) - 1).clip(-1, 1)
    static = _static()
    count = 0
    with tf.io.TFRecordWriter(str(out), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for start in range(0, len(normalised) - WINDOW_S - HORIZON_S + 1, STEP_S):
            window = normalised.iloc[start : start + WINDOW_S].to_numpy(np.float32)
            target = normalised[TARGETS].iloc[start + WINDOW_S - 1 + HORIZON_S].to_numpy(np.float32)
            example = tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "timeseries": _floats(window.flatten().tolist() if as_lists else window.flatten()),
                        "static": _floats(static),
                        "targets": _floats(target),
                        "case_id": _integer(patient.CASE_NUMBER),
                        "subject_id": _integer(patient.SUBJECT_NUMBER),
                        "start_s": _integer(start),
                    }
                )
            )
            writer.write(example.SerializeToString())
            count += 1
    return count


def _features(raw: pd.DataFrame) -> pd.DataFrame:
    ideal = 50 + 2.3 * (patient.HEIGHT_CM / 2.54 - 60)
    return pd.DataFrame(
        {
            "HR": raw["Solar8000/HR"],
            "BP_SYS": raw["Solar8000/ART_SBP"],
            "BP_DIA": raw["Solar8000/ART_DBP"],
            "BP_MAP": raw["Solar8000/ART_MBP"],
            "SPO2": raw["Solar8000/PLETH_SPO2"],
            "ETCO2": raw["Solar8000/ETCO2"] * 0.133322,
            "BIS": raw["BIS/BIS"],
            "Propofol_INF": raw["Orchestra/PPF20_RATE"] * 20 / patient.WEIGHT_KG,
            "Remifentanil_INF": raw["Orchestra/RFTN20_RATE"] * 20 / 60 / patient.WEIGHT_KG,
            "Noradrenalin_INF": raw["Orchestra/NEPI_RATE"] * 20 / 60 / patient.WEIGHT_KG,
            "TV": raw["Solar8000/VENT_TV"] / ideal,
            "PEEP": raw["Solar8000/VENT_MEAS_PEEP"] * 1.01972,
            "FIO2": raw["Solar8000/FIO2"],
            "RR": raw["Solar8000/RR_CO2"],
            "etSEV": raw["Primus/EXP_SEVO"],
            "inSev": raw["Primus/INSP_SEVO"],
        }
    )


def _static() -> NDArray[np.float32]:
    values = [
        patient.AGE_Y / 120 * 2 - 1,
        1.0,
        (patient.HEIGHT_CM - 100) / 130 * 2 - 1,
        (patient.WEIGHT_KG - 20) / 180 * 2 - 1,
        (patient.BMI - 10) / 40 * 2 - 1,
        (patient.ASA - 1) / 5 * 2 - 1,
    ]
    return np.clip(values, -1, 1).astype(np.float32)


def _floats(values: Any) -> Any:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _integer(value: int) -> Any:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def write_usual(
    columns: Columns, path: Path, compression: str = "", as_lists: bool = False, same: bool = False
) -> None:
    """TensorFlow's writer on the same examples.

    ``compression`` is ``""`` or ``"GZIP"`` (at TensorFlow's default level). ``as_lists`` hands protobuf Python lists,
    which it takes faster than arrays; ``same`` asks for the serialisation whose bytes do not vary.
    """
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for index in range(len(columns["start_s"])):
            feature = {}
            for name, values in columns.items():
                row = values[index].reshape(-1)
                found = row.tolist() if as_lists else row
                if values.dtype == np.int64:
                    feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=found))
                else:
                    feature[name] = _floats(found)
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString(deterministic=True) if same else example.SerializeToString())


def read_examples(path: Path) -> dict[str, NDArray[Any]]:
    """A GZIP file of examples as arrays, by TensorFlow alone: ``timeseries`` [n, 300, 16], ``targets`` [n, 8], …"""
    found: dict[str, list[Any]] = {}
    for record in tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator():
        for name, feature in tf.train.Example.FromString(record).features.feature.items():
            kind = feature.int64_list if feature.HasField("int64_list") else feature.float_list
            found.setdefault(name, []).append(np.array(kind.value))
    arrays = {name: np.stack(values) for name, values in found.items()}
    arrays["timeseries"] = arrays["timeseries"].reshape(-1, WINDOW_S, len(RANGES))
    return arrays
