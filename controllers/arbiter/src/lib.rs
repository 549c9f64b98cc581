//! controllers/arbiter
