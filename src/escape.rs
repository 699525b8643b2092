//! What comes from elsewhere, without what a terminal would obey: names, file names and errors may hold anything.

use std::borrow::Cow;

/// A text with each control character in its escaped form, as `\u{1b}`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

/// The same of several lines: their ends stay.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && c != '\n')
}

/// JSON as a program reads it: what a terminal would obey stands in strings alone, and is escaped as there.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
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
        let value = serde_json::json!({ "name": "a\u{1b}\u{9b}\u{7f}b" });
        let told = json(&value.to_string());
        assert!(!told.contains(char::is_control), "{told}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), value);
    }
}
