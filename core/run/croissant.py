"""``croissant.json``: the data set for machines, in MLCommons' vocabulary Croissant 1.1 (JSON-LD).

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. Written as plain JSON: the vocabulary's own library
is an oracle of the tests. There is no date of publication, which the specification asks for: the same run gives the
same bytes, whenever it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from core.examples.members import Compression
from core.run.facts import Portrait
from core.run.models import SPLITS, Json, Manifest, Split
from core.schema import Field, Kind

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
"""The vocabulary, and its extension for responsible use, whose keys start with ``rai:``."""

_ALL_FILES = "all-files"
TFRECORD = "https://www.tensorflow.org/tutorials/load_data/tfrecord"

_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives in its appendix."""

_DOCUMENTS = {
    "manifest.json": ("application/json", "Every shard and every planned case with its outcome and byte range."),
    "split.json": ("application/json", "Thresholds, the groups of each split, and the proof that none stands in two."),
    "preprocessing_metadata.json": ("application/json", "What a reader must know to use the numbers; distributions."),
    "dataset_card.md": ("text/markdown", "The data set for people."),
}
_SPLIT_MEANING: dict[Split, str] = {
    "train": "https://mlcommons.org/definitions/training_split",
    "validation": "https://mlcommons.org/definitions/validation_split",
    "test": "https://mlcommons.org/definitions/test_split",
}
_CASE_FIELDS = {
    "case_id": ("sc:Text", "Id of the case."),
    "group": ("sc:Text", "What must not stand on two sides of the split, such as a subject."),
    "outcome": ("sc:Text", "done, empty or failed."),
    "reason": ("sc:Text", "Why it failed; empty where it did not."),
    "records": ("sc:Integer", "Examples that it gave."),
}


def croissant(portrait: Portrait, documents: Mapping[str, tuple[int, str]]) -> Json:
    """The document as JSON; ``documents`` gives size in bytes and SHA-256 of the documents beside it, by name."""
    manifest, description, licence = portrait.manifest, portrait.description, portrait.licence
    content: Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": manifest.name,
        "description": f"{description.summary} {_made_by(manifest)}",
        # Major, minor and patch must be there, and mean nothing here; what tells two data sets apart is the root hash.
        "version": f"1.0.0+{manifest.root_hash[:12]}",
        "identifier": manifest.root_hash,
        "isLiveDataset": False,
        "keywords": ["casemill", *description.keywords],
    }
    if licence is not None:
        content["license"] = licence.url or licence.name
    if description.citations:
        content["citeAs"] = "\n".join(description.citations)
    content |= {
        "rai:dataUseCases": _plain(description.purpose),
        "rai:dataCollection": _plain(description.source),
        "rai:dataPreprocessingProtocol": _plain(portrait.example),
    }
    if description.limits:
        content["rai:dataLimitations"] = [_plain(limit) for limit in description.limits]
    return {
        **content,
        "distribution": [
            *_files(portrait, documents),
            *(_file_set(manifest, f"{side}-files", f"the split {side}", [side]) for side in SPLITS),
            _file_set(manifest, _ALL_FILES, "all splits", SPLITS),
        ],
        "recordSet": [
            _splits(portrait),
            _cases(),
            _examples(manifest),
        ],
    }


def _made_by(manifest: Manifest) -> str:
    return (
        f"{manifest.records:,} examples of {manifest.planned_cases:,} planned cases; made and verified by Casemill"
        f" {manifest.code_version}, workload {manifest.workload}, run {manifest.run_id}."
    )


def _plain(markdown: str) -> str:
    """On lines of its own, without blanks around."""
    return re.sub(r"[ \t]+\n", "\n", markdown).strip()


def _files(portrait: Portrait, documents: Mapping[str, tuple[int, str]]) -> Iterable[Json]:
    for name, (size, digest) in documents.items():
        kind, text = _DOCUMENTS[name]
        yield _file(name, name, text, [kind], size, digest)
    encoding = _encoding(portrait.manifest.compression)
    for shard in portrait.manifest.shards:
        text = f"{shard.records:,} examples of {len(shard.cases):,} cases."
        yield _file(shard.shard, shard.path, text, encoding, shard.bytes, shard.object_sha256)


def _file(name: str, path: str, text: str, kind: list[str], size: int, digest: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": path.rpartition("/")[2],
        "description": text,
        "contentUrl": path,
        "contentSize": f"{size} B",
        "encodingFormat": kind if len(kind) > 1 else kind[0],
        "sha256": digest,
    }


def _encoding(compression: Compression) -> list[str]:
    return ["application/gzip", TFRECORD] if compression is Compression.GZIP else [TFRECORD]


def _file_set(manifest: Manifest, name: str, what: str, sides: Iterable[Split]) -> Json:
    compressed = manifest.compression is Compression.GZIP
    packing = "gzip, one member a case, so that a case can be read alone by its byte range" if compressed else "plain"
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": (
            f"The shards of {what}: TFRecord files ({packing}). Each record is a tf.train.Example with the fields of"
            " the record set examples, framed by its length and two masked CRC-32C. Readers of Croissant do not open"
            " TFRecord files: load them as dataset_card.md says. manifest.json has every shard's SHA-256."
        ),
        "encodingFormat": _encoding(manifest.compression),
        "includes": [f"{side}/*{manifest.compression.suffix}" for side in sides],
    }


def _splits(portrait: Portrait) -> Json:
    counts = {"cases": "Planned cases.", "groups": "Groups: what must not stand on two sides.", "records": "Examples."}
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The split is by group; no group stands in two.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits/name", "sc:Text", "Name of the split."),
            _field("splits/url", "sc:URL", "What it is for."),
            *(_field(f"splits/{name}", "sc:Integer", text) for name, text in counts.items()),
        ],
        "data": [
            {
                "splits/name": side,
                "splits/url": _SPLIT_MEANING[side],
                **{f"splits/{name}": getattr(portrait.manifest.splits[side], name) for name in counts},
            }
            for side in SPLITS
        ],
    }


def _cases() -> Json:
    """From the manifest; a second record set from the same file could not be read by the vocabulary's own library."""
    return {
        "@type": "cr:RecordSet",
        "@id": "cases",
        "name": "cases",
        "description": "Every planned case.",
        "field": [
            {
                **_field(f"cases/{key}", kind, meaning),
                "source": {
                    "fileObject": {"@id": "manifest.json"},
                    "extract": {"jsonPath": f"$.shards[*].cases[*].{key}"},
                },
            }
            for key, (kind, meaning) in _CASE_FIELDS.items()
        ],
    }


def _examples(manifest: Manifest) -> Json:
    """Described, not readable: no reader of Croissant opens TFRecord files. A column is a key of the example."""
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": (
            "One record of the shards. Described here, and not readable through Croissant: load the shards as"
            " dataset_card.md says."
        ),
        "field": [_example_field(field) for field in manifest.schema_.fields],
    }


def _example_field(field: Field) -> Json:
    kinds = {Kind.FLOAT: "cr:Float32", Kind.INT64: "cr:Int64", Kind.BYTES: "sc:Text"}
    words = [f"For the model: {field.role.value}."]
    if field.minimum is not None or field.maximum is not None:
        low, high = (("any" if bound is None else f"{bound:g}") for bound in (field.minimum, field.maximum))
        words.append(f"From {low} to {high}.")
    if field.bytes_length:
        words.append(f"Each value is {field.bytes_length} bytes.")
    if field.labels:
        words.append(f"The last axis is {', '.join(field.labels)}.")
    shape = ",".join(map(str, field.shape))
    return {
        **_field(f"examples/{field.name}", kinds[field.kind], " ".join(words)),
        "isArray": True,
        "arrayShape": shape,
        "source": {"fileSet": {"@id": _ALL_FILES}, "extract": {"column": field.name}},
    }


def _field(name: str, kind: str, text: str) -> Json:
    return {"@type": "cr:Field", "@id": name, "name": name.rpartition("/")[2], "description": text, "dataType": kind}
