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

/// The words of a page, its tags and scripts left out.
pub(super) fn words(page: &str) -> String {
    let plain = html::without_secrets(page);
    let texts = plain.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text).trim());
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
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
    fn what_is_kept_of_a_page_is_the_same_page() {
        assert_eq!(of(&html::without_secrets(LOGIN)), Page::Login);
    }
}
