//! `vortex providers`: who can serve, and what.

use serde::Serialize;

use super::args::ProvidersArgs;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::{Context, login, output};
use crate::config::Config;
use crate::config::keys::PROVIDERS;
use crate::continuous;
use crate::model::{Class, Day, Period};
use crate::provider::barchart::Access;
use crate::provider::limits::Throttle;
use crate::provider::{Limits, barchart, ibkr, sample, yahoo};
use crate::request::source::{self, Readiness};

/// What is known of a provider without asking it.
#[derive(Debug, Serialize)]
struct Description {
    name: &'static str,
    title: &'static str,
    state: Readiness,
    default: bool,
    account: &'static str,
    /// What this version serves.
    periods: Vec<Served>,
    requests_per_minute: Option<u32>,
    concurrency: Option<usize>,
    requests_per_day: Option<u32>,
    /// Of those used today, and when there are more; where there is an account.
    used_today: Option<u32>,
    resets: Option<String>,
    /// The same for people.
    #[serde(skip)]
    words: Words,
}

/// How far back and how much at once a period is served; `None` is without end.
#[derive(Debug, Serialize)]
struct Served {
    period: &'static str,
    reach_days: Option<i32>,
    request_days: Option<i32>,
}

/// Periods, reach and limits in words.
#[derive(Debug)]
struct Words {
    periods: &'static str,
    reach: String,
    limits: String,
}

impl Description {
    fn state(&self) -> String {
        format!("{}{}", self.state.word(), if self.default { " (default)" } else { "" })
    }
}

/// Runs the command.
pub(super) fn run(context: &Context, args: &ProvidersArgs) -> Outcome {
    if let Some(name) = &args.login {
        return login::run(context, name, args.cookies.as_deref());
    }
    if let Some(name) = &args.test {
        return test(context, &known(name, true)?);
    }
    let throttle = Throttle::open_to_read(&context.config().state_directory)?;
    let with_allowance = |name: &&'static str| -> Result<Description, Error> {
        let described = describe(name, context.config());
        let Some(quota) = source::quota(context.config(), name) else { return Ok(described) };
        let allowance = throttle.allowance(&quota, (source::clock())())?;
        let (used_today, resets) = (Some(allowance.used), output::stamp(allowance.resets));
        Ok(Description { used_today, resets, ..described })
    };
    if let Some(name) = &args.info {
        for name in known(name, false)? {
            info(context, &with_allowance(&name)?)?;
        }
        return Ok(Exit::Done);
    }
    list(context, &PROVIDERS.iter().map(with_allowance).collect::<Result<Vec<_>, _>>()?)
}

/// Asks each provider for one small answer. Of `all`, those that are not ready are left out, and it is said why.
fn test(context: &Context, names: &[&'static str]) -> Outcome {
    if context.config().dry_run {
        return Err(Error::usage(
            "a test asks the provider and a dry run asks nobody; leave one of them out",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut tested, mut left_out) = (Vec::new(), Vec::new());
    for name in names {
        let began = std::time::Instant::now();
        let asked = source::ASKED.contains(name);
        let why = source::readiness(context.config(), name).why();
        let why = if asked { why } else { Some("it reads the raw trail and asks nobody") };
        if let Some(why) = why.filter(|_| names.len() > 1) {
            left_out.push((*name, why));
            continue;
        }
        let said = match asked {
            true => runtime.block_on(source::provider(context.config(), name)?.test()),
            false => Err(format!("{name} cannot be asked by this version")),
        };
        tested.push((*name, said, began.elapsed().as_millis() as u64));
    }
    let ok = tested.iter().all(|(_, said, _)| said.is_ok());
    if context.global.json {
        let left_out = left_out.iter().map(|(name, why)| {
            serde_json::json!({ "provider": name, "ok": null, "message": format!("left out: {why}") })
        });
        let rows: Vec<_> = tested.iter().map(test_json).chain(left_out).collect();
        output::json(&rows)?;
    } else {
        for (name, said, milliseconds) in &tested {
            match said {
                Ok(said) => output::line(format!("{name}: ok, {said} ({milliseconds} ms)"))?,
                Err(said) => output::line(format!("{name}: failed, {said}"))?,
            }
        }
        for (name, why) in &left_out {
            output::line(format!("{name}: left out, {why}"))?;
        }
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn test_json((name, said, milliseconds): &(&str, Result<String, String>, u64)) -> serde_json::Value {
    let (Ok(message) | Err(message)) = said;
    serde_json::json!({ "provider": name, "ok": said.is_ok(), "message": message, "milliseconds": milliseconds })
}

/// The providers of a name, `all` being every one where that is allowed.
pub(super) fn known(name: &str, all: bool) -> Result<Vec<&'static str>, Error> {
    let name = if name == "mock" { "sample" } else { name };
    let found: Vec<_> =
        PROVIDERS.iter().copied().filter(|provider| *provider == name || (all && name == "all")).collect();
    if found.is_empty() {
        let near = PROVIDERS
            .iter()
            .min_by_key(|provider| strsim::damerau_levenshtein(provider, name))
            .map_or(String::new(), |near| format!("; did you mean {near}?"));
        let allowed = PROVIDERS.join(", ");
        let said = format!("there is no provider {name:?}; there are {allowed}{near}");
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    Ok(found)
}

/// Refuses a name under which nothing is archived: that of no provider, and not that of continuous series.
pub(super) fn archived(name: &str) -> Result<(), Error> {
    if name == continuous::PROVIDER { Ok(()) } else { known(name, false).map(drop) }
}

fn list(context: &Context, described: &[Description]) -> Outcome {
    if context.global.json {
        output::json(&described)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = described
        .iter()
        .map(|provider| {
            [provider.name, &provider.state(), provider.account, provider.title].map(str::to_owned)
        })
        .map(|row| row.to_vec())
        .collect();
    output::table(&["Provider", "State", "Account", "What it is"], &rows)?;
    Ok(Exit::Done)
}

fn info(context: &Context, provider: &Description) -> Result<(), Error> {
    if context.global.json {
        return output::json(provider);
    }
    output::line(format_args!("{}: {}", provider.name, provider.title))?;
    let lacking = (provider.account == NO_ACCOUNT).then(|| format!("none: {}", barchart::WAYS));
    let account = lacking.as_deref().unwrap_or(provider.account);
    for (label, text) in [
        ("state", provider.state().as_str()),
        ("account", account),
        ("periods", provider.words.periods),
        ("reach", &provider.words.reach),
        ("limits", &provider.words.limits),
    ] {
        output::line(format_args!("  {label:<8} {text}"))?;
    }
    if let (Some(limit), Some(used), Some(at)) =
        (provider.requests_per_day, provider.used_today, &provider.resets)
    {
        output::line(format_args!("  today    {used} of {limit} downloads used; {limit} more at {at}"))?;
    }
    Ok(())
}

/// How far back each period goes, those alike together.
fn reach(limits: impl Fn(Period) -> Option<Limits>) -> String {
    let mut groups: Vec<(Limits, Vec<&str>)> = Vec::new();
    for period in Period::ALL {
        let Some(limits) = limits(period) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == limits) {
            Some((_, periods)) => periods.push(period.name()),
            None => groups.push((limits, vec![period.name()])),
        }
    }
    let told = groups.iter().map(|(limits, periods)| match (limits.reach_days, limits.request_days) {
        (None, None) => format!("{} all of it", periods.join(" ")),
        (reach, request) => {
            let reach = reach.map_or_else(|| "all of it".to_owned(), |days| count(days, "day"));
            let request = request.map_or_else(String::new, |days| format!(" ({days} a request)"));
            format!("{} {reach}{request}", periods.join(" "))
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

/// What a provider serves of each period.
fn served(limits: impl Fn(Period) -> Option<Limits>) -> Vec<Served> {
    let of = |period: Period| {
        let Limits { reach_days, request_days } = limits(period)?;
        Some(Served { period: period.name(), reach_days, request_days })
    };
    Period::ALL.into_iter().filter_map(of).collect()
}

const ALL_PERIODS: &str = "1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M";

fn describe(name: &'static str, config: &Config) -> Description {
    let described = match name {
        "yahoo" => describe_yahoo(config),
        "barchart" => describe_barchart(config),
        ibkr::NAME => Description {
            title: "Interactive Brokers: stocks, dated futures, forex, through a running TWS or IB Gateway",
            account: "in TWS or the gateway",
            periods: served(ibkr_limits),
            concurrency: Some(ibkr::CONCURRENCY),
            words: Words {
                periods: ALL_PERIODS,
                reach: format!(
                    "as far as the market data subscriptions allow; {}; futures up to two years after they expired",
                    reach(ibkr_limits)
                ),
                limits: format!(
                    "{}, {} at once, by the gateway at {}:{}",
                    ibkr::PACE,
                    ibkr::CONCURRENCY,
                    config.ibkr.host,
                    config.ibkr.port
                ),
            },
            ..nothing_special()
        },
        "replay" => Description {
            title: "Replay: reads the raw trail of another provider again",
            words: Words {
                periods: "those in the raw trail",
                reach: "as far as the raw trail is kept".to_owned(),
                limits: "none".to_owned(),
            },
            ..nothing_special()
        },
        _ => Description {
            title: "Sample: a generated market, no network",
            periods: served(|period| Some(sample::limits(period))),
            words: Words {
                periods: ALL_PERIODS,
                reach: reach(|period| Some(sample::limits(period))),
                limits: "none".to_owned(),
            },
            ..nothing_special()
        },
    };
    let state = source::readiness(config, name);
    Description { name, state, default: config.default_provider == name, ..described }
}

/// What a gateway serves of anything but dated futures.
fn ibkr_limits(period: Period) -> Option<Limits> {
    Some(ibkr::limits(Class::Stock, period))
}

fn describe_yahoo(config: &Config) -> Description {
    let settings = &config.yahoo;
    Description {
        title: "Yahoo Finance: stocks, indices, funds, crypto, forex, continuous futures",
        periods: served(|period| Some(yahoo::limits(period))),
        requests_per_minute: Some(settings.requests_per_minute),
        concurrency: Some(settings.concurrency),
        words: Words {
            periods: ALL_PERIODS,
            reach: reach(|period| Some(yahoo::limits(period))),
            limits: format!(
                "{} requests a minute, {} at once",
                settings.requests_per_minute, settings.concurrency
            ),
        },
        ..nothing_special()
    }
}

/// In the list; the account's own lines tell the ways.
const NO_ACCOUNT: &str = "none; `vortex providers --info barchart` tells the ways";

fn describe_barchart(config: &Config) -> Description {
    let today = Day::of_utc((source::clock())());
    let limits = |period| barchart::limits(Class::Future, period, today).ok();
    let settings = &config.barchart;
    let account = match barchart::access(config) {
        Ok(Access::None) => NO_ACCOUNT,
        Ok(access) => access.words(),
        Err(_) => "its session cannot be read; `--test barchart` says why",
    };
    Description {
        title: "Barchart.com: dated futures contracts, stocks, forex",
        account,
        periods: served(limits),
        requests_per_minute: Some(settings.http.requests_per_minute),
        requests_per_day: Some(settings.daily_limit.into()),
        words: Words {
            periods: "1m 5m 15m 30m 1h 1d 1W 1M",
            reach: reach(limits),
            limits: format!(
                "{} downloads a day, pauses of up to {} s between them",
                settings.daily_limit, config.random_sleep_max
            ),
        },
        ..nothing_special()
    }
}

/// A provider that is ready, with no account and no limits.
fn nothing_special() -> Description {
    Description {
        name: "",
        title: "",
        state: Readiness::Ready,
        default: false,
        account: "none needed",
        periods: Vec::new(),
        requests_per_minute: None,
        concurrency: None,
        requests_per_day: None,
        used_today: None,
        resets: None,
        words: Words { periods: "", reach: String::new(), limits: String::new() },
    }
}
