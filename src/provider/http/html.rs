//! The little that is read from pages for people: tags and their attributes.

/// The inside of every tag of a name, in order: `type="hidden" name="a"` of `<input type="hidden" name="a">`.
pub fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    html.split('<').filter_map(move |rest| {
        let inside = strip_prefix_ignoring_case(rest, name)?;
        let inside = inside.split('>').next().unwrap_or_default();
        (inside.is_empty() || inside.starts_with([' ', '\t', '\r', '\n', '/'])).then_some(inside)
    })
}

/// The value of an attribute within a tag, with the entities such values have.
pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let (before, after) = (rest.get(..at)?, rest.get(at + name.len()..)?);
        rest = after;
        let Some(value) = after.trim_start().strip_prefix('=') else { continue };
        if !before.ends_with(|c: char| c.is_ascii_whitespace()) {
            continue;
        }
        let value = value.trim_start();
        let value = match value.chars().next()? {
            quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
            _ => value.split(|c: char| c.is_ascii_whitespace() || c == '/').next()?,
        };
        return Some(value.replace("&quot;", "\"").replace("&#x3D;", "=").replace("&amp;", "&"));
    }
}

/// The value of a hidden field of a form.
pub fn hidden(html: &str, name: &str) -> Option<String> {
    tags(html, "input")
        .find(|field| attribute(field, "name").as_deref() == Some(name))
        .and_then(|field| attribute(field, "value"))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_however_they_are_written() {
        let page = r#"<form><INPUT name="x" data-value="no" value='a&amp;b' ><input type=hidden value=t0k name=_token/>"#;
        assert_eq!(hidden(page, "x").as_deref(), Some("a&b"));
        assert_eq!(hidden(page, "_token").as_deref(), Some("t0k"));
        assert_eq!(hidden(page, "token"), None);
        assert_eq!(tags("<inputs name=a><input>", "input").collect::<Vec<_>>(), [""]);
    }
}
