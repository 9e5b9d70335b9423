"""A data set of trajectories in words, for its card: what it is for, and what it cannot serve for."""

from __future__ import annotations

from typing import Any

from core.workload import DataSetFacts, Description
from core.workloads.trajectory.configuration import Configuration

Json = dict[str, Any]


def describe_data_set(configuration: Configuration, facts: DataSetFacts) -> Description:
    """Purpose, source and limits, with the figures of this data set's audit."""
    baseline = facts.metadata.get("audit", {}).get("baseline")
    samples = sum(case.estimated_records for case in facts.cases)
    return Description(
        summary=f"{samples:,} labelled videos of a disc that moves along one of four kinds of 3-D path.",
        purpose="To learn and to test how kinds of motion are told apart where the truth is known exactly, and to try"
        " training pipelines under load. It says nothing about people or things.",
        source=f"Nothing was read: sample i is made from the seed ({configuration.seed}), i and the settings alone.",
        limits=(
            "The samples are independent of each other and alike in distribution; the splits differ by chance only.",
            "The background is plain white, the disc is always of the same size, and there is one in each video.",
            *_told_by_tracks(baseline),
        ),
        quality=_confusion_table(baseline) if baseline else "",
        keywords=("synthetic", "video", "trajectories"),
        task_categories=("video-classification",),
    )


def _told_by_tracks(baseline: Json | None) -> tuple[str, ...]:
    if not baseline or not baseline["tested"]:
        return ()
    return (
        f"The classes are easy to tell: a nearest neighbour on the disc's track alone is right for"
        f" {baseline['accuracy']:.1%} of {baseline['tested']:,} test samples.",
    )


def _confusion_table(baseline: Json) -> str:
    names = baseline["classes"]
    head = " | ".join(["sample of class", *(f"taken for {name}" for name in names)])
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{count:,}" for count in row) + " |"
        for name, row in zip(names, baseline["confusion"], strict=True)
    )
    return f"""\
### A nearest neighbour on the discs' tracks

| {head} |
|{"---|" * (len(names) + 1)}
{rows}

{baseline["neighbours"]:,} training samples are the neighbours.
"""
