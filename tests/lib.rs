//! Shared parts of the scenario tests.
