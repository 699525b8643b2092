//! The library panics on some bytes that no writer writes. A damaged file must not end the program.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as Read};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// The panic that was caught last came from our own lines.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether a file is one of this crate: its name begins as that of this file does.
fn is_ours(file: &str) -> bool {
    file!().strip_suffix("archive/parquet/guard.rs").is_some_and(|sources| file.starts_with(sources))
}

/// Reads bytes with the library; a panic of its becomes an error, and is not printed. A fuzzer is shown the
/// panics of our own lines between them.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            OURS.set(panic.location().is_some_and(|place| is_ours(place.file())));
            if !GUARDED.get() || (cfg!(fuzzing) && OURS.get()) {
                loud(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(before);
    match read {
        Ok(read) => read,
        Err(panic) if cfg!(fuzzing) && OURS.get() => resume_unwind(panic),
        Err(_) => Err("it is damaged so that the Parquet library cannot cope with it".to_owned()),
    }
}

/// The pages of a column. The library makes room for as many values as a dictionary page says it has, so one
/// that says more than its bytes can hold is not handed on: each value takes four bytes or more.
pub(super) struct Checked(pub(super) Box<dyn PageReader>);

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Read<Option<Page>> {
        match self.0.get_next_page()? {
            Some(Page::DictionaryPage { buf, num_values, .. }) if num_values as usize > buf.len() / 4 => Err(
                ParquetError::General("a dictionary says it has more values than bytes for them".to_owned()),
            ),
            page => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Read<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Read<()> {
        self.0.skip_next_page()
    }
}

impl Iterator for Checked {
    type Item = Read<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::basic::Encoding;

    /// One dictionary page of eight bytes, which says how many values it has.
    struct Says(u32);

    impl PageReader for Says {
        fn get_next_page(&mut self) -> Read<Option<Page>> {
            let (buf, encoding) = (vec![0; 8].into(), Encoding::PLAIN);
            Ok(Some(Page::DictionaryPage { buf, num_values: self.0, encoding, is_sorted: false }))
        }

        fn peek_next_page(&mut self) -> Read<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> Read<()> {
            Ok(())
        }
    }

    impl Iterator for Says {
        type Item = Read<Page>;

        fn next(&mut self) -> Option<Self::Item> {
            self.get_next_page().transpose()
        }
    }

    #[test]
    fn a_panic_of_ours_is_told_from_one_of_the_library() {
        assert!(guarded::<()>(|| panic!("as the library does")).is_err());
        assert!(OURS.get(), "this file is ours");
        // The caller of the standard library is the one to blame.
        assert!(guarded(|| Ok(bytes::Bytes::from_static(b"x").slice(1..3))).is_err());
        assert!(!OURS.get(), "{:?} is not ours", std::any::type_name::<bytes::Bytes>());
    }

    #[test]
    fn a_dictionary_of_more_values_than_bytes_is_not_handed_on() {
        assert!(Checked(Box::new(Says(2))).get_next_page().is_ok());
        assert!(Checked(Box::new(Says(3))).get_next_page().is_err());
        assert!(Checked(Box::new(Says(u32::MAX))).get_next_page().is_err());
    }
}
