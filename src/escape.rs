//! What comes from elsewhere, without what a terminal would obey: names, file names and errors may hold anything.

use std::borrow::Cow;

/// Whether a character is not shown but obeyed: the controls, and what Unicode has to turn the direction of a line,
/// to end it, or to stand in it unseen.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text with each such character in its escaped form, as `\u{1b}`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// The same of several lines: their ends stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_obeyed(c) && c != '\n')
}

/// JSON as a program reads it: what a terminal would obey stands in strings alone, and is escaped as there.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) && c != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn escaped(text: &str, is_bad: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_bad(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_in_place_of_being_obeyed() {
        assert_eq!(text("a\u{1b}[2J\r\u{9b}b\n"), "a\\u{1b}[2J\\r\\u{9b}b\\n");
        assert_eq!(lines("a\u{7f}\nb"), "a\\u{7f}\nb");
        assert_eq!(text("plain é"), "plain é");
        assert_eq!(text("A\u{202e}LPA\u{2066}\u{feff}"), "A\\u{202e}LPA\\u{2066}\\u{feff}");
        let value = serde_json::json!({ "name": "a\u{1b}\u{9b}\u{7f}b\u{202e}" });
        let told = json(&value.to_string());
        assert!(!told.contains(is_obeyed), "{told}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), value);
    }
}
