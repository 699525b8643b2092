//! Reading what a gateway said; asking one is tested against a gateway of our own, in `tests/ibkr.rs`.
