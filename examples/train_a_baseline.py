"""Train a baseline on a data set with numpy alone: will the next half minute look like the last second?

    python examples/train_a_baseline.py demo/out/datasets/first

Ridge regression from the last second, the mean of the last minute and the static values of each window to its targets;
beside it the error of the mean target. Both on the test split, which no coefficient has seen.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from core.dataset import iterate

RIDGE = 1.0


def inputs_of(batch: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """One row a window: last second, mean of the last minute, statics, and a one."""
    series = batch["timeseries"]  # windows, seconds, features; -1 to 1
    parts = [series[:, -1], series[:, -60:].mean(axis=1), batch["static"], np.ones((len(series), 1))]
    return np.concatenate(parts, axis=1).astype(np.float64)


def fit(data_set: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, and the mean of the targets: sums over the training split, one batch in memory at a time."""
    products, targets, total, windows = None, None, None, 0
    for batch in iterate(data_set, "train"):
        x, y = inputs_of(batch), batch["targets"].astype(np.float64)
        if products is None:
            products, targets = RIDGE * np.eye(x.shape[1]), np.zeros((x.shape[1], y.shape[1]))
            total = np.zeros(y.shape[1])
        products += x.T @ x
        targets += x.T @ y
        total += y.sum(axis=0)
        windows += len(y)
    if products is None:
        raise SystemExit(f"{data_set}: no example in the training split")
    return np.linalg.solve(products, targets), total / windows


def errors(data_set: str, coefficients: NDArray[np.float64], mean: NDArray[np.float64]) -> tuple[float, float, int]:
    """Root mean square errors of the model and of the mean on the test split, and its windows."""
    model = baseline = 0.0
    windows = 0
    for batch in iterate(data_set, "test"):
        y = batch["targets"]
        model += float(((inputs_of(batch) @ coefficients - y) ** 2).mean(axis=1).sum())
        baseline += float(((mean - y) ** 2).mean(axis=1).sum())
        windows += len(y)
    if not windows:
        raise SystemExit(f"{data_set}: no example in the test split")
    return (model / windows) ** 0.5, (baseline / windows) ** 0.5, windows


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a baseline on a data set with numpy alone.")
    parser.add_argument("data_set", help="OUT/datasets/NAME of a verified run")
    data_set = parser.parse_args().data_set
    coefficients, mean = fit(data_set)
    model, baseline, windows = errors(data_set, coefficients, mean)
    print(f"{windows:,} test windows: error {model:.4f}, that of the mean {baseline:.4f} (range of a value: -1 to 1)")


if __name__ == "__main__":
    main()
