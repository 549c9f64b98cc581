//! controllers/plan
