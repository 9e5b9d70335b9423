"""The vitaldb workload behind the platform's protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from core.errors import BadRequestError, ContentError
from core.recording.model import Recording
from core.recording.read import read_recording
from core.reporting import CaseTraces, Distribution, Oddity, Picture
from core.schema import Field, Kind, Role, Schema
from core.workload import Case, CaseResult, Cohort, Columns, DataSetFacts, Description, Outcome, Source
from core.workloads.vitaldb.card import card_section
from core.workloads.vitaldb.cohort import Selection, select_cohort
from core.workloads.vitaldb.configuration import Configuration, resolve_configuration
from core.workloads.vitaldb.description import describe_data_set
from core.workloads.vitaldb.features import FEATURE_NAMES, TARGET_NAMES
from core.workloads.vitaldb.grid import Floats, normalised_grid
from core.workloads.vitaldb.grid_cache import GridExtract, extract_depends_on, read_extract
from core.workloads.vitaldb.metadata import describe
from core.workloads.vitaldb.patient import STATIC_NAMES, Patient, patient_of
from core.workloads.vitaldb.profiles import choose_profile
from core.workloads.vitaldb.quality import case_figures, case_histograms, loss_figures
from core.workloads.vitaldb.reporting import distributions, oddities
from core.workloads.vitaldb.signals import extract_signals
from core.workloads.vitaldb.traces import case_traces
from core.workloads.vitaldb.windows import count_windows, cut_windows, observed_share, start_seconds, targets
from core.wrong_values import first_problem

Json = dict[str, Any]
NEEDED_SIGNALS = 2


class VitaldbWorkload:
    """Surgical recordings to windows of 16 signals, six static values and eight targets (spec/vitaldb)."""

    name = "vitaldb"

    def __init__(self, settings: Json) -> None:
        self._configuration = resolve_configuration(settings)
        self._wanted = frozenset(track for profile in self._configuration.profiles for track in profile.tracks)
        self.schema = example_schema(self._configuration)

    def configuration(self) -> Json:
        return self._configuration.model_dump(mode="json")

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        if source is None:
            raise BadRequestError("no_source", "this workload reads recordings", where="--source", fix="Give --source.")
        try:
            checked = Selection.model_validate(selection)
        except ValidationError as error:
            raise BadRequestError("bad_selection", first_problem(error.errors()), where="selection") from error
        return select_cohort(source, checked, self._configuration)

    def locations(self, selection: Json) -> Mapping[str, str]:
        clinical = selection.get("clinical")
        return {} if clinical is None else {"clinical": clinical}

    def narrowed(self, selection: Json, numbers: Sequence[int]) -> Json:
        return {**selection, "cases": ",".join(map(str, sorted(numbers)))}

    def process(self, case: Case, source: Source | None) -> CaseResult:
        try:
            return self.examples(case, self.extract(case, source))
        except ContentError as error:
            return CaseResult.failed(error)

    def extract_depends_on(self, case: Case) -> Json:
        return extract_depends_on(self._configuration, _patient(case))

    def extract(self, case: Case, source: Source | None) -> GridExtract:
        """The grid of a case's recording; one that cannot be used is told by the extract's ``reason``.

        Raises
        ------
        ContentError
            ``not_found``: there is no recording, which may change.
        """
        try:
            recording = self._recording(case, source)
        except ContentError as error:
            if error.code == "not_found":
                raise
            return GridExtract(error.code, error.detail)
        flags = ("truncated",) if recording.loss.truncated else ()
        profile = choose_profile(self._configuration.profiles, recording.tracks)
        patient = _patient(case)
        try:
            signals = extract_signals(recording, profile, patient, self._configuration.concentrations)
        except ContentError as error:
            return GridExtract(error.code, error.detail, flags, figures={"loss": loss_figures(recording.loss)})
        histograms = case_histograms(signals)
        return GridExtract(
            flags=flags,
            signal_groups=signals.signal_groups,
            figures=case_figures(profile.name, patient, signals, histograms, recording.loss),
            histograms=histograms,
            grid=signals.grid,
        )

    def read_extract(self, data: bytes) -> GridExtract:
        return read_extract(data)

    def examples(self, case: Case, extract: GridExtract) -> CaseResult:
        if not extract.figures:
            return CaseResult(Outcome.FAILED, reason=extract.reason, detail=extract.detail)
        flags = (*(("static_imputed",) if case.attributes.get("row") is None else ()), *extract.flags)
        figures = extract.figures
        if extract.reason:
            return CaseResult(
                Outcome.FAILED, reason=extract.reason, detail=extract.detail, flags=flags, figures=figures
            )
        patient = _patient(case)
        usable = extract.signal_groups >= NEEDED_SIGNALS
        count = count_windows(len(extract.grid), self._configuration) if usable else 0
        figures = {**figures, "windows": count, "static_imputed": list(patient.imputed)}
        if not usable:
            detail = f"{extract.signal_groups} of heart rate, saturation and blood pressure have a valid sample"
            return CaseResult(Outcome.FAILED, reason="no_signal", detail=detail, flags=flags, figures=figures)
        return CaseResult(
            outcome=Outcome.DONE if count else Outcome.EMPTY,
            records=count,
            columns=self._columns(case, extract.grid, patient, count) if count else {},
            flags=flags,
            figures=figures,
            histograms=extract.histograms,
        )

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        return describe(self._configuration, figures, histograms)

    def card(self) -> str:
        return card_section(self._configuration)

    def describe(self, facts: DataSetFacts) -> Description:
        return describe_data_set(facts)

    def distributions(
        self, figures: Iterable[Json], histograms: Mapping[str, NDArray[np.int64]]
    ) -> Sequence[Distribution]:
        return distributions(self._configuration.profiles, figures, histograms)

    def pictures(self, cases: Sequence[Case]) -> Sequence[Picture]:
        return ()

    def oddities(self, figures: Iterable[tuple[str, Json]], most: int) -> Sequence[Oddity]:
        return oddities(figures, most)

    def traces(self, case: Case, source: Source | None) -> CaseTraces:
        return case_traces(case.id, self._recording(case, source), _patient(case), self._configuration)

    def _recording(self, case: Case, source: Source | None) -> Recording:
        """Errors as :meth:`extract`, and those of a recording that cannot be read."""
        if case.key is None or source is None:
            raise ContentError("not_found", "no recording in the source")
        try:
            return read_recording(case.key, source.read(case.key), self._wanted, may_stop=True)
        except FileNotFoundError:
            raise ContentError("not_found", "gone since planning") from None

    def _columns(self, case: Case, clinical: Floats, patient: Patient, count: int) -> Columns:
        configuration = self._configuration
        grid = normalised_grid(clinical)
        return {
            "case_id": np.full((count, 1), case.number, np.int64),
            "observed": observed_share(clinical, count, configuration),
            "start_s": start_seconds(count, configuration)[:, None],
            "static": np.broadcast_to(patient.features(), (count, len(STATIC_NAMES))),
            "subject_id": np.full((count, 1), case.group_number, np.int64),
            "targets": targets(grid, count, configuration),
            "timeseries": cut_windows(grid, configuration),
        }


build = VitaldbWorkload
"""What the registry calls with the configuration."""


def example_schema(configuration: Configuration) -> Schema:
    """The example of spec/vitaldb, "One example", for this window length."""
    window = (configuration.window_s, len(FEATURE_NAMES))
    return Schema(
        fields=(
            Field(name="case_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
            _floats("observed", (len(FEATURE_NAMES),), Role.MASK, 0.0, FEATURE_NAMES),
            Field(name="start_s", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE, minimum=0),
            _floats("static", (len(STATIC_NAMES),), Role.INPUT, -1.0, STATIC_NAMES),
            Field(name="subject_id", kind=Kind.INT64, shape=(1,), role=Role.PROVENANCE),
            _floats("targets", (len(TARGET_NAMES),), Role.TARGET, -1.0, TARGET_NAMES),
            _floats("timeseries", window, Role.INPUT, -1.0, FEATURE_NAMES),
        ),
        case_field="case_id",
        group_field="subject_id",
        order_field="start_s",
        settings={
            "window_s": configuration.window_s,
            "step_s": configuration.step_s,
            "horizon_s": configuration.horizon_s,
            "sampling_hz": 1,
        },
    )


def _floats(name: str, shape: tuple[int, ...], role: Role, minimum: float, labels: tuple[str, ...]) -> Field:
    return Field(name=name, kind=Kind.FLOAT, shape=shape, role=role, minimum=minimum, maximum=1.0, labels=labels)


def _patient(case: Case) -> Patient:
    row = case.attributes.get("row")
    return Patient() if row is None else patient_of(row)
