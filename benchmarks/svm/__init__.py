"""The NTP-SVM solver of this library against general-purpose solvers, at equal accuracy; see `docs/benchmarks.md`.

In the order of reading: `instances` (the problems), `formulations` and `general` (other solvers, called directly),
`contestants` (everyone who takes part), `certificate` and `reference` (what is true), `judge` (the verdict on an
answer), `suites` (who meets what), `worker` and `runner` (measuring), `results`, `figures` and `report` (the page).
"""
