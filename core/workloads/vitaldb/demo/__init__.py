"""Made-up recordings that look like the open VitalDB data set, with known answers: for demonstrations and tests."""

from __future__ import annotations

from core.workloads.vitaldb.demo.cohort import DemoCohort, write_demo_cohort
from core.workloads.vitaldb.demo.truth import CaseTruth, read_truth

__all__ = ["CaseTruth", "DemoCohort", "read_truth", "write_demo_cohort"]
