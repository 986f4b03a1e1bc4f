//! Suites and checkpoints of Great Expectations, 0.x and 1.x.
