//! Names that may become file names, and the reversible encoding that makes them so.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but letters, digits, `.`, `-`, `_` and `^` is percent-encoded. `=` is among what is
/// encoded, because readers take a folder `x=y` for a hive partition.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'^');

/// The longest encoded name, in bytes.
pub const LONGEST: usize = 200;

/// The file name of a symbol: `EURUSD=X` becomes `EURUSD%3DX`.
///
/// Errors say why a name cannot be archived: it is empty, begins with a dot, holds a slash, a
/// backslash or a control character, or is longer than 200 bytes once encoded.
pub fn encode(name: &str) -> Result<String, String> {
    check(name)?;
    let encoded = utf8_percent_encode(name, ENCODED).to_string();
    if encoded.len() > LONGEST {
        let start: String = name.chars().take(20).collect();
        return Err(format!(
            "symbol {start:?}… is too long: {} bytes as a file name, at most {LONGEST} are allowed",
            encoded.len()
        ));
    }
    Ok(encoded)
}

/// The symbol of a file name made by [`encode`]; `None` where no symbol encodes to that name.
pub fn decode(file_name: &str) -> Option<String> {
    let name = percent_decode_str(file_name).decode_utf8().ok()?.into_owned();
    (encode(&name).ok()? == file_name).then_some(name)
}

/// Whether a symbol may be archived, and if not why.
fn check(name: &str) -> Result<(), String> {
    let allowed = "a symbol is 1 or more characters without slashes, backslashes and control characters, and does not begin with a dot";
    if name.is_empty() {
        return Err(format!("a symbol is empty: {allowed}"));
    }
    let bad = name.starts_with('.') || name.chars().any(|c| matches!(c, '/' | '\\') || c.is_control());
    if bad { Err(format!("symbol {name:?} cannot be archived: {allowed}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No two symbols share a file name, since each file name gives its symbol back; and none
        /// leaves its folder, hides itself or needs quoting.
        #[test]
        fn a_file_name_gives_its_symbol_back(name in prop_oneof!["\\PC{1,60}", "[%24aF=.]{1,8}"]) {
            if let Ok(file) = encode(&name) {
                prop_assert_eq!(decode(&file), Some(name));
                prop_assert!(file.len() <= LONGEST && !file.starts_with('.'));
                prop_assert!(file.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_^%".contains(&b)), "{}", file);
            }
        }
    }

    #[test]
    fn symbols_become_file_names_and_back() {
        for (name, file) in [
            ("AAPL", "AAPL"),
            ("^GSPC", "^GSPC"),
            ("BRK-B", "BRK-B"),
            ("EURUSD=X", "EURUSD%3DX"),
            ("7203.T", "7203.T"),
            ("🚀", "%F0%9F%9A%80"),
            ("a%b", "a%25b"),
        ] {
            assert_eq!(encode(name).unwrap(), file);
            assert_eq!(decode(file).as_deref(), Some(name));
        }
        assert_eq!(decode("a b"), None);
    }

    #[test]
    fn names_that_could_escape_are_refused() {
        for name in ["", ".hidden", "../../etc/passwd", "a/b", "a\\b", "a\nb", "a\0", &"x".repeat(300)] {
            assert!(encode(name).is_err(), "{name:?}");
        }
        assert!(encode(&"🚀".repeat(17)).unwrap_err().contains("204 bytes"));
    }
}
