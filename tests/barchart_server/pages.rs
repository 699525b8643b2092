//! The site's pages for people.

/// The login form; without a token it is what the site shows to programs.
pub(super) fn login(token: &str, message: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>Log In</title><meta name=\"csrf-token\" content=\"{token}\"></head>\
         <body><p>{message}</p><form method=\"post\" action=\"/login\">\
         <input type=\"hidden\" name=\"_token\" value=\"{token}\">\
         <input type=\"email\" name=\"email\"><input type=\"password\" name=\"password\">\
         <button>Log in</button></form></body></html>\n"
    )
}

/// The page from which the history of a symbol is downloaded.
pub(super) fn history(symbol: &str, token: &str, email: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>{symbol} - Download Historical Data</title>\
         <meta name=\"csrf-token\" content=\"{token}\"></head><body><script>var user = \"{email}\";</script>\
         <h1>{symbol}</h1><p>Premier members have a limit of 250 downloads a day.</p></body></html>\n"
    )
}

/// Any page without a form.
pub(super) fn plain(title: &str, text: &str) -> String {
    format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><p>{text}</p></body></html>\n")
}
