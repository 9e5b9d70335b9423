"""Casemill: a cohort of clinical cases in, a verified training data set out."""

__version__ = "0.1.0"
