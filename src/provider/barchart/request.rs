//! What is asked: the symbol, the page, the form of a download.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;
use url::form_urlencoded::Serializer;

use super::{MOST_ROWS, NAME};
use crate::model::{Class, Days, Period};
use crate::provider::{Refusal, Request};

/// The site.
pub(super) const SITE: &str = "https://www.barchart.com";

/// The way of a download on the site.
pub(super) const DOWNLOAD: &str = "/my/download";
/// The field of its form that asks how much of the allowance is used, and for no download.
pub(super) const QUESTION: &str = "onlyCheckPermissions";

/// What stays as it is in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The code of what is asked for: a contract's own where there is one.
pub(super) fn symbol(request: &Request) -> String {
    let code = &request.instrument.code;
    request.contract.map_or_else(|| code.clone(), |contract| contract.code(code))
}

/// An address of the site.
pub(super) fn site(path: &str) -> Result<Url, Refusal> {
    Url::parse(&format!("{SITE}{path}"))
        .map_err(|error| invalid(format!("{path:?} makes no address: {error}")))
}

/// The page of the site from which the history of a symbol is downloaded.
pub(super) fn page(class: Class, symbol: &str) -> Result<Url, Refusal> {
    if symbol.is_empty() || symbol.bytes().all(|byte| byte == b'.') {
        return Err(invalid(format!("{symbol:?} is no symbol")));
    }
    let class = match class {
        Class::Future => "futures",
        Class::Stock => "stocks",
        Class::Forex => "forex",
    };
    site(&format!("/{class}/quotes/{}/historical-download", utf8_percent_encode(symbol, PLAIN)))
}

/// The fields of a download's form but for its token, in the site's order.
pub(super) fn form(request: &Request) -> Vec<(&'static str, String)> {
    let symbol = symbol(request);
    let days = asked_days(request);
    let intraday = request.period.seconds();
    let what = if intraday.is_some() { "Intraday" } else { "Daily" };
    let time = if intraday.is_some() { "tradeTime.format(Y-m-d H:i)" } else { "tradeTime.format(Y-m-d)" };
    let interest = match request.instrument.class == Class::Future && intraday.is_none() {
        true => ",openInterest",
        false => "",
    };
    let mut form = vec![
        ("fileName", format!("{symbol}_{what}_Historical Data")),
        ("symbol", symbol),
        (
            "fields",
            format!(
                "{time},openPrice,highPrice,lowPrice,lastPrice,priceChange,percentChange,volume{interest}"
            ),
        ),
        ("startDate", days.first.to_string()),
        ("endDate", days.last.to_string()),
        ("orderBy", "tradeTime".to_owned()),
        ("orderDir", "asc".to_owned()),
        ("method", "historical".to_owned()),
        ("limit", MOST_ROWS.to_string()),
        ("customView", "true".to_owned()),
        ("pageTitle", "Historical Data".to_owned()),
    ];
    match intraday {
        Some(seconds) => {
            form.extend([("type", "minutes".to_owned()), ("interval", (seconds / 60).to_string())]);
        }
        None => form.extend([("type", "eod".to_owned()), ("period", period(request.period).to_owned())]),
    }
    form
}

/// A form as it is sent.
pub(super) fn encoded<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The dates to ask for, as whole bars. The site counts an evening to the next day's session, as we do.
pub(super) fn asked_days(request: &Request) -> Days {
    let Days { first, last } = request.days;
    Days { first: request.period.bar_day(first), last: request.period.last_day(last) }
}

/// The site's and the service's name of a period of days or longer.
pub(super) fn period(period: Period) -> &'static str {
    match period {
        Period::W1 => "weekly",
        Period::Mo1 => "monthly",
        _ => "daily",
    }
}

fn invalid(said: String) -> Refusal {
    Refusal::Invalid { provider: NAME, said }
}
