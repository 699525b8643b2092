//! The site's pages for people, as far as they are read: tokens, and which page it is.

use crate::provider::http::html;

/// Which page came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The login form, with its token: whoever asked is not logged in.
    Login,
    /// A login form without a token, or a page that tells browsers from programs.
    Challenge,
    /// The day's downloads are used up.
    Limit,
    /// Any other.
    Other,
}

/// Words of pages that tell browsers from programs, in lower case.
const CHALLENGES: [&str; 6] = [
    "captcha",
    "verify you are human",
    "verify that you are human",
    "just a moment",
    "enable javascript and cookies",
    "request unsuccessful",
];

/// Which page this is.
pub(super) fn of(page: &str) -> Page {
    let is_login =
        html::tags(page, "input").any(|field| html::attribute(field, "name").as_deref() == Some("password"));
    if is_login {
        return if form_token(page).is_some() { Page::Login } else { Page::Challenge };
    }
    let words = page.to_lowercase();
    if words.contains("limit") && words.contains("download") && !words.contains("csrf-token") {
        Page::Limit
    } else if CHALLENGES.iter().any(|challenge| words.contains(challenge)) {
        Page::Challenge
    } else {
        Page::Other
    }
}

/// Whether a body is a page at all.
pub(super) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// The token of the login form: its hidden field, else the page's own.
pub(super) fn form_token(page: &str) -> Option<String> {
    html::hidden(page, "_token").filter(|token| !token.is_empty()).or_else(|| page_token(page))
}

/// The token in the page's head.
pub(super) fn page_token(page: &str) -> Option<String> {
    html::tags(page, "meta")
        .find(|tag| html::attribute(tag, "name").as_deref() == Some("csrf-token"))
        .and_then(|tag| html::attribute(tag, "content"))
        .filter(|token| !token.is_empty())
}

/// The page without what may be secret or personal: scripts are taken out, values of fields and of the head's
/// entries are put out of sight. What page it is can still be told.
pub(super) fn without_secrets(page: &str) -> String {
    let mut rest = page;
    let mut kept = String::with_capacity(page.len());
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        kept.push_str(before);
        if is_tag(tag, "<script") {
            let lower = tag.to_ascii_lowercase();
            let end = lower.find("</script>").map_or(tag.len(), |end| end + "</script>".len());
            rest = tag.get(end..).unwrap_or_default();
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

/// The words of a page, its tags and scripts left out.
pub(super) fn words(page: &str) -> String {
    let plain = without_secrets(page);
    let texts = plain.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text).trim());
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_tag(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// A tag with what it is, and the values it carries put out of sight.
fn without_values(tag: &str) -> String {
    let is = if is_tag(tag, "<meta") { "<meta" } else { "<input" };
    let what = ["name", "type", "property"].into_iter().filter_map(|name| {
        let value = html::attribute(tag, name)?.replace('"', "&quot;");
        Some(format!(" {name}=\"{value}\""))
    });
    let hidden = ["value", "content"].into_iter().filter_map(|name| {
        let value = html::attribute(tag, name)?;
        Some(format!(" {name}=\"{}\"", if value.is_empty() { "" } else { "removed" }))
    });
    format!("{is}{}>", what.chain(hidden).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = r#"<html><head><meta name="csrf-token" content="s3cret/1"></head><script>var user = "me@example.com";</script>
        <form><input type="hidden" name="_token" value="s3cret&amp;2"><input name=email value=""><input type=password name="password"></form>"#;

    #[test]
    fn pages_are_told_apart() {
        assert_eq!(of(LOGIN), Page::Login);
        let bare = LOGIN.replace("s3cret/1", "").replace("s3cret&amp;2", "");
        assert_eq!(of(&bare), Page::Challenge);
        assert_eq!(of("<title>Just a moment...</title>"), Page::Challenge);
        assert_eq!(of("<p>You have reached your daily download limit.</p>"), Page::Limit);
        assert_eq!(of("<meta name=csrf-token content=x><p>Download limits of a membership</p>"), Page::Other);
    }

    #[test]
    fn what_is_kept_of_a_page_has_no_secrets_and_is_the_same_page() {
        let kept = without_secrets(LOGIN);
        assert!(!kept.contains("s3cret") && !kept.contains("me@example.com"), "{kept}");
        assert_eq!(of(&kept), Page::Login);
        assert_eq!(without_secrets("no page < 1"), "no page < 1");
    }
}
