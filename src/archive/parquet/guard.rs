//! The library panics on some bytes that no writer writes. A damaged file must not end the program.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as Read};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Reads bytes with the library; a panic of its becomes an error, and is not printed.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                loud(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(before);
    read.unwrap_or_else(|_| Err("it is damaged so that the Parquet library cannot cope with it".to_owned()))
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
    fn a_dictionary_of_more_values_than_bytes_is_not_handed_on() {
        assert!(Checked(Box::new(Says(2))).get_next_page().is_ok());
        assert!(Checked(Box::new(Says(3))).get_next_page().is_err());
        assert!(Checked(Box::new(Says(u32::MAX))).get_next_page().is_err());
    }
}
