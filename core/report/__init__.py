"""The run report: one page that says whether a run worked, what came out, what it cost, and what exactly was run."""
