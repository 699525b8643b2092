//! Cookie, crumb and consent.

use serde_json::json;

use super::message::{Asked, Reply};

/// The crumb; one of its characters has to be encoded in an address.
pub(crate) const CRUMB: &str = "vort/xCrumb";
const SESSION: &str = "3_cc-session_0000";
const TOKEN: &str = "csrf00";
const COOKIE: &str = "A3=d=vortexCookie; Max-Age=31536000; Path=/";

/// The answer to a request that is about neither charts nor the server itself.
pub(super) fn answer(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        // fc.yahoo.com: an error page, and the cookie.
        (_, "/") => Reply::text(404, "text/html", "<html>Not found</html>").header("set-cookie", COOKIE),
        ("GET", "/v1/test/getcrumb") if asked.has_cookie("A3") => Reply::text(200, "text/plain", CRUMB),
        ("GET", "/v1/test/getcrumb") => unauthorized("Unauthorized", "Invalid Cookie"),
        ("GET", "/consent") => redirect(&format!("/v2/collectConsent?sessionId={SESSION}")),
        ("GET", "/v2/collectConsent") => Reply::text(200, "text/html", &form()),
        ("POST", "/v2/collectConsent") if agreed(&asked.body) => {
            redirect(&format!("/copyConsent?sessionId={SESSION}&lang=en-GB"))
        }
        ("POST", "/v2/collectConsent") => Reply::text(400, "text/html", "<html>Bad form</html>"),
        ("GET", "/copyConsent") => redirect("/")
            .header("set-cookie", COOKIE)
            .header("set-cookie", "GUC=sample; Max-Age=31536000; Path=/"),
        (_, path) if path.starts_with("/v7/finance/download/") => {
            unauthorized("unauthorized", "User is not logged in")
        }
        (_, path) if path.starts_with("/v7/finance/quote") || path.starts_with("/v10/") => {
            unauthorized("Unauthorized", "Invalid Crumb")
        }
        _ => Reply::text(404, "text/html", "<html>Not found</html>"),
    }
}

/// Whether the request shows cookie and crumb.
pub(super) fn is_authorized(asked: &Asked) -> bool {
    asked.has_cookie("A3") && asked.parameter("crumb") == Some(CRUMB)
}

/// The refusal of a request without.
pub(super) fn unauthorized(code: &str, description: &str) -> Reply {
    let error = json!({ "code": code, "description": description });
    Reply::json(401, &json!({ "finance": { "result": null, "error": error } }))
}

/// On to another page.
pub(super) fn redirect(to: &str) -> Reply {
    Reply::text(302, "text/html", "").header("location", to)
}

fn form() -> String {
    format!(
        "<html><body><form method=\"post\">\
         <input type=\"hidden\" name=\"csrfToken\" value=\"{TOKEN}\">\
         <input type=\"hidden\" name=\"sessionId\" value=\"{SESSION}\">\
         <input type=\"hidden\" name=\"originalDoneUrl\" value=\"/\">\
         <input type=\"hidden\" name=\"namespace\" value=\"yahoo\">\
         <button type=\"submit\" name=\"agree\" value=\"agree\">Accept all</button>\
         </form></body></html>"
    )
}

fn agreed(body: &[u8]) -> bool {
    let fields: Vec<_> = url::form_urlencoded::parse(body).collect();
    let has = |name: &str, value: &str| fields.iter().any(|(n, v)| n == name && v == value);
    has("csrfToken", TOKEN) && has("sessionId", SESSION) && has("agree", "agree")
}
