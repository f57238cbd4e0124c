//! Stands in until the constants are gathered.
