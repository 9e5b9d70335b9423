"""The data set card: what a person should know before using the data."""

from __future__ import annotations

from core.run.models import SPLITS, Manifest, SplitDocument, Thresholds


def data_set_card(manifest: Manifest, split: SplitDocument, workload_section: str) -> str:
    """``dataset_card.md``: counts, split and loading by the platform; the rest by the workload."""
    rows = "\n".join(
        f"| {side} | {counts.cases} | {counts.groups} | {counts.records} | {split.shares[side]:.1%} | {counts.shards} |"
        for side in SPLITS
        for counts in [manifest.splits[side]]
    )
    reasons = ", ".join(f"{reason}: {count}" for reason, count in manifest.reasons.items()) or "none"
    outcomes = ", ".join(f"{name}: {count}" for name, count in manifest.outcomes.items())
    return f"""\
# {manifest.name}

Made by Casemill {manifest.code_version}, workload `{manifest.workload}`, run `{manifest.run_id}`, and verified:
every planned case has one outcome, every record was read back, no group stands on two sides of the split.

Root hash `{manifest.root_hash}`

| split | cases | groups | examples | share | shards |
|---|---|---|---|---|---|
{rows}

Planned cases: {manifest.planned_cases} ({outcomes}). Failed cases by reason: {reasons}.
{_split_sentence(split.thresholds)}

## How to load it

```python
from core.dataset import iterate, load

for batch in iterate("datasets/{manifest.name}", "train", batch_size=256):
    ...                                    # a dict of numpy arrays, no TensorFlow needed
training = load("datasets/{manifest.name}", "train", batch_size=256, shuffle=True)  # a tf.data.Dataset
```

`casemill verify datasets/{manifest.name}` reads every byte again and says whether it is still what was published.

{workload_section}"""


def _split_sentence(thresholds: Thresholds | None) -> str:
    if thresholds is None:
        return "The split follows the workload's own rule, which was asked again about every record that was read back."
    return f"""\
The split is by group, with thresholds {thresholds.validation:.6f} and {thresholds.test:.6f} on
SHA-256 of the salt `{thresholds.salt}` and the group."""
