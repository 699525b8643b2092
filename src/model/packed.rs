//! Small things, compressed: a context is made once a thread, which costs more than compressing them.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// zstd's fastest: these are small, and read and written often.
const LEVEL: i32 = 1;

thread_local! {
    static PACK: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACK: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses.
pub(crate) fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    PACK.with_borrow_mut(|kept| match kept {
        Some(compressor) => compressor.compress(plain),
        None => kept.insert(Compressor::new(LEVEL)?).compress(plain),
    })
}

/// Reads [`pack`] back; an error where it is more than `largest` bytes.
pub(crate) fn unpack(packed: &[u8], largest: usize) -> io::Result<Vec<u8>> {
    UNPACK.with_borrow_mut(|kept| match kept {
        Some(decompressor) => decompressor.decompress(packed, largest),
        None => kept.insert(Decompressor::new()?).decompress(packed, largest),
    })
}
