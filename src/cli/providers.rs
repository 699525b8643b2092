//! `vortex providers`: who can serve, and what.

use serde::Serialize;

use super::args::ProvidersArgs;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::{Context, output, source};
use crate::config::Config;
use crate::config::keys::PROVIDERS;
use crate::model::Period;
use crate::provider::{Limits, sample, yahoo};

/// What is known of a provider without asking it.
#[derive(Debug, Serialize)]
struct Description {
    name: &'static str,
    title: &'static str,
    state: &'static str,
    account: &'static str,
    periods: &'static str,
    reach: String,
    limits: String,
}

/// Runs the command.
pub(super) fn run(context: &Context, args: &ProvidersArgs) -> Outcome {
    let described = PROVIDERS.iter().map(|name| describe(name, context.config()));
    if let Some(name) = &args.test {
        return test(context, &known(name, true)?);
    }
    if let Some(name) = &args.info {
        let names = known(name, false)?;
        for provider in described.filter(|provider| names.contains(&provider.name)) {
            info(context, &provider)?;
        }
        return Ok(Exit::Done);
    }
    list(context, &described.collect::<Vec<_>>())
}

/// Asks each provider for one small answer. Of `all`, those that cannot be asked here are left out.
fn test(context: &Context, names: &[&'static str]) -> Outcome {
    if context.config().dry_run {
        return Err(Error::usage(
            "a test asks the provider and a dry run asks nobody; leave one of them out",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut tested = Vec::new();
    for name in names {
        let began = std::time::Instant::now();
        let said = match *name {
            "yahoo" if names.len() > 1 && !context.config().yahoo.enabled => continue,
            "yahoo" => runtime
                .block_on(source::yahoo(context.config())?.test())
                .map_err(|refusal| refusal.to_string()),
            "sample" => Ok("a generated market, always there".to_owned()),
            _ if names.len() > 1 => continue,
            other => Err(format!("{other} cannot be asked by this version")),
        };
        tested.push((*name, said, began.elapsed().as_millis() as u64));
    }
    let ok = tested.iter().all(|(_, said, _)| said.is_ok());
    if context.global.json {
        let rows: Vec<_> = tested.iter().map(test_json).collect();
        output::json(&rows)?;
    } else {
        for (name, said, milliseconds) in &tested {
            match said {
                Ok(said) => output::line(format!("{name}: ok, {said} ({milliseconds} ms)"))?,
                Err(said) => output::line(format!("{name}: failed, {said}"))?,
            }
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

fn list(context: &Context, described: &[Description]) -> Outcome {
    if context.global.json {
        output::json(&described)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = described
        .iter()
        .map(|provider| [provider.name, provider.state, provider.account, provider.title])
        .map(|row| row.map(str::to_owned).to_vec())
        .collect();
    output::table(&["Provider", "State", "Account", "What it is"], &rows)?;
    Ok(Exit::Done)
}

fn info(context: &Context, provider: &Description) -> Result<(), Error> {
    if context.global.json {
        return output::json(provider);
    }
    output::line(format_args!("{}: {}", provider.name, provider.title))?;
    for (label, text) in [
        ("state", provider.state),
        ("account", provider.account),
        ("periods", provider.periods),
        ("reach", &provider.reach),
        ("limits", &provider.limits),
    ] {
        output::line(format_args!("  {label:<8} {text}"))?;
    }
    Ok(())
}

/// How far back each period goes, those alike together.
fn reach(limits: impl Fn(Period) -> Limits) -> String {
    let mut groups: Vec<(Limits, Vec<&str>)> = Vec::new();
    for period in Period::ALL {
        let limits = limits(period);
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

fn describe(name: &'static str, config: &Config) -> Description {
    let default = config.default_provider == name;
    let ready = if default { "ready (default)" } else { "ready" };
    match name {
        "yahoo" => Description {
            name,
            title: "Yahoo Finance: stocks, indices, funds, crypto, forex, continuous futures",
            state: if config.yahoo.enabled { ready } else { "off" },
            account: "none needed",
            periods: "1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M",
            reach: reach(yahoo::limits),
            limits: format!(
                "{} a minute, {} at once",
                count(config.yahoo.requests_per_minute, "request"),
                config.yahoo.concurrency
            ),
        },
        "barchart" => Description {
            name,
            title: "Barchart.com: dated futures contracts, stocks, forex",
            state: "not in this version",
            account: "vortex config --provider barchart --set-credentials",
            periods: "1m 5m 15m 30m 1h 1d 1W 1M",
            reach: "as far as the account allows".to_owned(),
            limits: format!("{} a day", count(config.barchart.daily_limit, "download")),
        },
        "ibkr" => Description {
            name,
            title: "Interactive Brokers: through a running TWS or gateway",
            state: "not in this version",
            account: "in TWS or the gateway",
            periods: "1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M",
            reach: "as far as the market data subscriptions allow".to_owned(),
            limits: format!("gateway {}:{}", config.ibkr.host, config.ibkr.port),
        },
        "replay" => Description {
            name,
            title: "Replay: reads the raw trail of another provider again",
            state: ready,
            account: "none needed",
            periods: "those in the raw trail",
            reach: "as far as the raw trail is kept".to_owned(),
            limits: "none".to_owned(),
        },
        _ => Description {
            name,
            title: "Sample: a generated market, no network",
            state: ready,
            account: "none needed",
            periods: "1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M",
            reach: reach(sample::limits),
            limits: "none".to_owned(),
        },
    }
}
