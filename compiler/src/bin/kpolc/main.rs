//! kpolc
fn main() {}
