//! The little that is read from pages for people: tags and their attributes; and what may be kept of a page.

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

/// Whether a body is a page at all.
pub fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// The page without what may be secret or personal: scripts are taken out, values of fields and of the head's
/// entries are put out of sight. What page it is can still be told.
pub fn without_secrets(page: &str) -> String {
    let mut rest = page;
    let mut kept = String::with_capacity(page.len());
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        kept.push_str(before);
        if is_tag(tag, "<script") {
            let closing = "</script>";
            let end = tag.match_indices("</").map(|(at, _)| at).find(|at| is_tag(&tag[*at..], closing));
            rest = tag.get(end.map_or(tag.len(), |end| end + closing.len())..).unwrap_or_default();
            continue;
        }
        let end = tag.find('>').map_or(tag.len(), |end| end + 1);
        let (inside, after) = tag.split_at(end);
        match is_tag(tag, "<input") || is_tag(tag, "<meta") {
            true => kept.push_str(&without_values(inside)),
            false => kept.push_str(inside),
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

fn is_tag(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// A tag with what it is, and the values it carries put out of sight.
fn without_values(tag: &str) -> String {
    let is = if is_tag(tag, "<meta") { "<meta" } else { "<input" };
    let what = ["name", "type", "property"].into_iter().filter_map(|name| {
        let value = attribute(tag, name)?.replace('"', "&quot;");
        Some(format!(" {name}=\"{value}\""))
    });
    let hidden = ["value", "content"].into_iter().filter_map(|name| {
        let value = attribute(tag, name)?;
        Some(format!(" {name}=\"{}\"", if value.is_empty() { "" } else { "removed" }))
    });
    format!("{is}{}>", what.chain(hidden).collect::<String>())
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

    #[test]
    fn what_is_kept_of_a_page_has_no_secrets_and_no_less_tags() {
        let page = r#"<head><meta name="csrf-token" content="s3cret/1"></head><script>var user = "me@example.com";</script>
            <form><input type="hidden" name="_token" value="s3cret&amp;2"><input name=email value=""></form>"#;
        let kept = without_secrets(page);
        assert!(!kept.contains("s3cret") && !kept.contains("me@example.com"), "{kept}");
        assert_eq!(hidden(&kept, "_token").as_deref(), Some("removed"));
        assert_eq!(tags(&kept, "input").count(), 2);
        assert_eq!(without_secrets("no page < 1"), "no page < 1");
    }
}
