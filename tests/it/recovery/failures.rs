//! What the machine fails at.
