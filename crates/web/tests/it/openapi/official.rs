//! Ours beside the standard's.
