//! What callers give as `a{sv}`: each option has one type, and an unknown one is an error that names it.

use std::collections::HashMap;

use zbus::OwnedVariant;

use crate::bus::{ARCHIVED, Error, SERIES_FILTERS, UPDATE_OPTIONS};
use crate::download::completeness::SeriesStatus;
use crate::model::{Class, Day, Period};
use crate::request::Request;

/// As it comes in a message.
pub(super) type Options = HashMap<String, OwnedVariant>;

/// More symbols than this in one request are refused: a list of that size belongs into a file.
const MOST_NAMES: usize = 100_000;

/// The request that the options of `Update` make.
pub(super) fn request(mut options: Options) -> Result<Request, Error> {
    check(&options, UPDATE_OPTIONS)?;
    let periods = names(&mut options, "periods")?;
    let periods: Result<Vec<Period>, String> = periods.iter().map(|name| name.parse()).collect();
    Ok(Request {
        provider: text(&mut options, "provider")?,
        watchlist: text(&mut options, "watchlist")?,
        symbols: names(&mut options, "symbols")?,
        periods: periods.map_err(|said| invalid("periods", &said))?,
        start: day(&mut options, "start")?,
        end: day(&mut options, "end")?,
        force: flag(&mut options, "force")?,
        ..Request::default()
    })
}

/// What `ListSeries` is to leave out; `None` stands for anything.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) provider: Option<String>,
    pub(super) symbol: Option<String>,
    pub(super) class: Option<String>,
    pub(super) contract: Option<String>,
    pub(super) period: Option<String>,
    pub(super) states: Vec<String>,
}

/// The filter that the options of `ListSeries` make.
pub(super) fn filter(mut options: Options) -> Result<Filter, Error> {
    check(&options, SERIES_FILTERS)?;
    let filter = Filter {
        provider: text(&mut options, "provider")?,
        symbol: text(&mut options, "symbol")?,
        class: text(&mut options, "class")?,
        contract: text(&mut options, "contract")?,
        period: text(&mut options, "period")?,
        states: names(&mut options, "states")?,
    };
    let provider = known("provider", filter.provider.as_ref(), ARCHIVED);
    provider.map_err(|error| Error::UnknownProvider(error.said()))?;
    known("class", filter.class.as_ref(), &Class::ALL.map(Class::name))?;
    known("period", filter.period.as_ref(), &Period::ALL.map(Period::name))?;
    known("states", &filter.states, &SeriesStatus::ALL.map(SeriesStatus::word))?;
    Ok(filter)
}

/// Refuses what no series can be: nothing would fit, and that would read as if all were well.
fn known<'a>(name: &str, given: impl IntoIterator<Item = &'a String>, allowed: &[&str]) -> Result<(), Error> {
    match given.into_iter().find(|given| !allowed.contains(&given.as_str())) {
        None => Ok(()),
        Some(given) => {
            let given: String = given.chars().take(80).collect();
            Err(invalid(name, &format!("{given:?} is unknown; there are {}", allowed.join(", "))))
        }
    }
}

/// Refuses what is not in the table, in name or type.
fn check(options: &Options, table: &[(&str, &str)]) -> Result<(), Error> {
    for (name, value) in options {
        let Some((_, wanted)) = table.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
            let name: String = name.chars().take(80).collect();
            let said = format!("there is no option {name:?}; there are {}", known.join(", "));
            return Err(Error::InvalidRequest(said));
        };
        let found = value.value_signature().to_string();
        if found != *wanted {
            return Err(invalid(name, &format!("is of type {found:?}; it takes {wanted:?}")));
        }
    }
    Ok(())
}

fn invalid(name: &str, said: &str) -> Error {
    Error::InvalidRequest(format!("option {name}: {said}"))
}

/// Texts that are empty stand for nothing.
fn text(options: &mut Options, name: &str) -> Result<Option<String>, Error> {
    let Some(value) = options.remove(name) else { return Ok(None) };
    let text = String::try_from(value).map_err(|error| invalid(name, &error.to_string()))?;
    Ok((!text.is_empty()).then_some(text))
}

fn names(options: &mut Options, name: &str) -> Result<Vec<String>, Error> {
    let Some(value) = options.remove(name) else { return Ok(Vec::new()) };
    let names = Vec::<String>::try_from(value).map_err(|error| invalid(name, &error.to_string()))?;
    if names.len() > MOST_NAMES {
        let said =
            format!("has {} entries; at most {MOST_NAMES} are taken, put them into a watchlist", names.len());
        return Err(invalid(name, &said));
    }
    Ok(names)
}

fn flag(options: &mut Options, name: &str) -> Result<bool, Error> {
    let Some(value) = options.remove(name) else { return Ok(false) };
    bool::try_from(value).map_err(|error| invalid(name, &error.to_string()))
}

fn day(options: &mut Options, name: &str) -> Result<Option<Day>, Error> {
    let text = text(options, name)?;
    text.map(|text| Day::asked(&text)).transpose().map_err(|said| invalid(name, &said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::Variant;

    fn options(name: &str, value: Variant<'_>) -> Options {
        HashMap::from([(name.to_owned(), OwnedVariant::try_from(value).unwrap())])
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = request(options("symbol", Variant::from("AAPL"))).unwrap_err().to_string();
        assert!(error.contains("\"symbol\"") && error.contains("symbols"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_named() {
        let error = request(options("symbols", Variant::from("AAPL"))).unwrap_err().to_string();
        assert!(error.contains("symbols") && error.contains("\"as\""), "{error}");
    }

    #[test]
    fn a_filter_that_nothing_can_fit_is_refused_by_name() {
        for (name, value, wrong) in [
            ("states", Variant::from(vec!["current", "lat"]), "lat"),
            ("provider", Variant::from("yaho"), "yaho"),
            ("class", Variant::from("bond"), "bond"),
            ("period", Variant::from("7h"), "7h"),
        ] {
            let said = filter(options(name, value)).unwrap_err().said();
            assert!(said.contains(name) && said.contains(wrong) && said.contains("there are"), "{said}");
        }
        let all = vec!["late", "failed", "suspect", "held", "current", "unlisted"];
        assert_eq!(filter(options("states", Variant::from(all))).unwrap().states.len(), 6);
        for provider in ["sample", "vortex"] {
            assert!(filter(options("provider", Variant::from(provider))).is_ok());
        }
    }

    #[test]
    fn options_become_a_request() {
        let mut all = options("symbols", Variant::from(vec!["AAPL", "MSFT"]));
        all.extend(options("start", Variant::from("2024-01-02")));
        all.extend(options("periods", Variant::from(vec!["1h"])));
        let request = request(all).unwrap();
        assert_eq!((request.symbols.len(), request.periods.len()), (2, 1));
        assert_eq!(request.start.unwrap().to_string(), "2024-01-02");
        assert!(super::request(options("start", Variant::from("yesterday"))).is_err());
        assert!(super::request(options("periods", Variant::from(vec!["7h"]))).is_err());
    }
}
