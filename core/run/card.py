"""The data set card: what a person should know before using the data; front matter as the Hugging Face hub wants it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from core.run.facts import Portrait
from core.run.models import SPLITS, Manifest, Thresholds
from core.schema import Field, Kind, Schema

_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


def data_set_card(portrait: Portrait, digests: Mapping[str, str]) -> str:
    """``dataset_card.md``; ``digests`` are the SHA-256 of the documents beside it, by name."""
    sections = (
        _front_matter(portrait),
        _head(portrait),
        f"## Purpose\n\n{portrait.description.purpose}\n",
        f"## Source and licence\n\n{portrait.description.source}\n\n{_licence(portrait)}\n",
        portrait.example,
        _course(portrait.manifest),
        _split(portrait),
        _limits(portrait),
        _loading(portrait.manifest),
        _checksums(portrait.manifest, digests),
        _citation(portrait),
    )
    return "\n".join(section.rstrip("\n") + "\n" for section in sections)


def _front_matter(portrait: Portrait) -> str:
    description, licence = portrait.description, portrait.licence
    lines = [f"pretty_name: {_yaml(portrait.title)}"]
    if licence is None:
        lines.append("license: unknown")
    elif licence.spdx:
        lines.append(f"license: {licence.spdx.lower()}")
    else:
        lines += ["license: other", f"license_name: {_yaml(_slug(licence.name))}"]
        lines += [f"license_link: {_yaml(licence.url)}"] if licence.url else []
    lines.append(f"size_categories: {_yaml([_size_category(portrait.manifest.records)])}")
    if description.task_categories:
        lines.append(f"task_categories: {_yaml(list(description.task_categories))}")
    lines.append(f"tags: {_yaml(['casemill', *description.keywords])}")
    return "\n".join(["---", *lines, "---"])


def _yaml(value: object) -> str:
    """JSON is YAML, and quotes what is special in it."""
    return json.dumps(value, ensure_ascii=False)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")[:60] or "stated-in-the-card"


def _size_category(records: int) -> str:
    """One of the hub's size categories.

    >>> _size_category(999), _size_category(1000), _size_category(2_355_925)
    ('n<1K', '1K<n<10K', '1M<n<10M')
    """
    bounds = [10**power for power in range(3, 3 + len(_SIZES))]
    position = sum(records >= bound for bound in bounds)
    if position == 0:
        return f"n<{_SIZES[0]}"
    return f"n>{_SIZES[-1]}" if position == len(_SIZES) else f"{_SIZES[position - 1]}<n<{_SIZES[position]}"


def _head(portrait: Portrait) -> str:
    manifest = portrait.manifest
    rows = "\n".join(
        f"| {side} | {counts.cases:,} | {counts.groups:,} | {counts.records:,} | {portrait.split.shares[side]:.1%} "
        f"| {counts.shards:,} | {counts.bytes / 1e6:,.1f} |"
        for side in SPLITS
        for counts in [manifest.splits[side]]
    )
    return f"""\
# {portrait.title}

{portrait.description.summary}

Verified: every planned case has one outcome, every record was read back from the store and checked, and no group stands
on two sides of the split. Made by Casemill {manifest.code_version}, workload `{manifest.workload}`, run
`{manifest.run_id}`.

| split | cases | groups | examples | share | shards | MB |
|---|---|---|---|---|---|---|
{rows}

A group is what must not stand on two sides, such as a subject with all of its cases.
"""


def _licence(portrait: Portrait) -> str:
    licence = portrait.licence
    if licence is None:
        return (
            "**The licence is not known.** Who publishes or passes on this data set must state it: make it again by the"
            " same command with `--source-licence` (no case is worked again), and do not pass it on before."
        )
    name = _words(licence.name)
    shown = f"[{name}]({licence.url})" if licence.url and licence.url != licence.name else name
    says = "as the person who made this data set states" if portrait.stated else "as the source offers it"
    return f"Licence: {shown}, {says}. It holds for the examples as it does for what they were made from."


def _words(text: str) -> str:
    """Text that a person gave, with nothing in it that Markdown or HTML would take for its own."""
    return re.sub(r"([\\`*_\[\]<>#|!&~])", r"\\\1", text)


def _course(manifest: Manifest) -> str:
    flags = Counter(flag for shard in manifest.shards for case in shard.cases for flag in case.flags)
    lines = [
        f"- planned cases: {manifest.planned_cases:,} ({_counts(manifest.outcomes)}), of which"
        f" {manifest.success_rate:.1%} succeeded; {manifest.success_threshold:.1%} were asked for",
        f"- failed cases by reason: {_counts(manifest.reasons)}",
        f"- cases with a flag: {_counts(flags)}",
    ]
    return "## What became of the cases\n\n" + "\n".join(lines) + "\n\n`manifest.json` has every case.\n"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count) or "none"


def _split(portrait: Portrait) -> str:
    split = portrait.split
    groups = " + ".join(f"{len(split.groups[side]):,}" for side in SPLITS)
    union = len({group for side in SPLITS for group in split.groups[side]})
    return f"""\
## The split, and the proof that it is disjoint

{_rule(split.thresholds)}

The proof: {groups} groups of train, validation and test are {union:,} different groups, so none stands twice.
Verification reckoned every group's side anew, and held every record against its case and its group. To check it
yourself, in the folder of the data set:

```python
import json

groups = json.load(open("split.json"))["groups"]
assert sum(map(len, groups.values())) == len(set().union(*groups.values()))
```
"""


def _rule(thresholds: Thresholds | None) -> str:
    if thresholds is None:
        return """\
The workload divides its records by a rule of its own, which follows from each record alone. Verification asked it again
about every record that it read back."""
    return f"""\
The split is by group, never by case or example. A group's rank is the number in [0, 1) that the first 53 bits of
SHA-256 over the salt `{_code(thresholds.salt)}`, a zero byte and the group make. Below
{thresholds.validation:.6f} a group is for training, below {thresholds.test:.6f} for validation, else for
the test: the side follows from the group alone."""


def _code(text: str) -> str:
    return re.sub(r"[`\r\n|]", "?", text)


def _limits(portrait: Portrait) -> str:
    limits = "\n".join(f"- {text}" for text in portrait.description.limits) or "Nobody has said yet what they are."
    return f"## Known limits and biases\n\n{limits}\n\n{portrait.description.quality}"


def _loading(manifest: Manifest) -> str:
    kind = manifest.compression.value.upper() if manifest.compression.value != "none" else ""
    features = "\n".join(f"    {line}" for line in _features(manifest.schema_))
    return f"""\
## How to load it

With Casemill, in the folder of the data set (TensorFlow is needed by `load` alone):

```python
from core.dataset import iterate, load

for batch in iterate(".", "train", batch_size=256):  # a dict of numpy arrays; checksums are verified
    print({{name: values.shape for name, values in batch.items()}})

training = load(".", "train", batch_size=256, shuffle=True, supervised=True)  # a tf.data.Dataset
```

Without Casemill:

```python
import tensorflow as tf

features = {{
{features}
}}
files = tf.io.gfile.glob("train/*{manifest.compression.suffix}")
training = tf.data.TFRecordDataset(files, compression_type="{kind}").batch(256)
training = training.map(lambda records: tf.io.parse_example(records, features))
```
"""


def _features(schema: Schema) -> Iterable[str]:
    kinds = {Kind.FLOAT: "tf.float32", Kind.INT64: "tf.int64", Kind.BYTES: "tf.string"}
    for field in schema.fields:
        yield f'"{field.name}": tf.io.FixedLenFeature({list(field.shape)}, {kinds[field.kind]}),{_remark(field)}'


def _remark(field: Field) -> str:
    return f"  # each string is {field.bytes_length} bytes" if field.bytes_length else ""


def _checksums(manifest: Manifest, digests: Mapping[str, str]) -> str:
    rows = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in digests.items())
    return f"""\
## Checksums

Root hash `{manifest.root_hash}`: the identity of the data set, over its schema and all uncompressed records.

| document | SHA-256 |
|---|---|
{rows}

`manifest.json` and `croissant.json` have the SHA-256 of every shard; `_SUCCESS` has those of all documents.
`casemill verify` reads every byte again and says whether it is still what was published.
"""


def _citation(portrait: Portrait) -> str:
    citations = "\n".join(f"- {text}" for text in portrait.description.citations)
    own = f"- This data set: {portrait.manifest.name}, root hash {portrait.manifest.root_hash}, made by Casemill."
    return "## Citation\n\n" + "\n".join(filter(None, [citations, own])) + "\n"
