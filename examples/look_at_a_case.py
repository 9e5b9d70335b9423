"""Read one case of a data set, without reading the others, and say how much of each signal was measured.

python examples/look_at_a_case.py demo/out/datasets/first 0007
"""

from __future__ import annotations

import argparse
import json

from core.dataset import open_data_set, read_case


def main() -> None:
    parser = argparse.ArgumentParser(description="Say how much of each signal of a case was measured.")
    parser.add_argument("data_set", help="OUT/datasets/NAME of a verified run")
    parser.add_argument("case", help="the case's id, such as 0007")
    arguments = parser.parse_args()
    case = read_case(arguments.data_set, arguments.case)
    names = feature_names(arguments.data_set)
    windows, seconds, features = case["timeseries"].shape
    print(f"case {arguments.case}: {windows:,} windows of {seconds} seconds, {features} signals")
    for name, share in zip(names, case["observed"].mean(axis=0), strict=True):
        print(f"{name:<20} {share:6.1%} measured, the rest imputed")


def feature_names(data_set: str) -> list[str]:
    """The signals in the order of the last axis, by the data set's own description."""
    store = open_data_set(data_set).store
    described = json.loads(store.get("preprocessing_metadata.json"))
    return [feature["name"] for feature in described["features"]]


if __name__ == "__main__":
    main()
