//! The provider a job works with, made from the configuration.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret;

use super::Refused;
use crate::config::Config;
use crate::download::Clock;
use crate::provider::limits::{Quota, Throttle};
use crate::provider::sample::Sample;
use crate::provider::yahoo::Yahoo;
use crate::provider::{Provider, sample, yahoo};

/// The providers that this version asks.
pub const SERVED: &[&str] = &[yahoo::NAME, sample::NAME, "replay"];

/// This machine's clock.
pub fn clock() -> Clock {
    Arc::new(seconds)
}

/// Seconds since the epoch.
fn seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The provider of that name, ready to be asked.
pub fn provider(config: &Config, name: &str) -> Result<Arc<dyn Provider>, Refused> {
    match name {
        sample::NAME => Ok(Arc::new(Sample::new(seconds))),
        yahoo::NAME => Ok(Arc::new(yahoo(config)?)),
        "barchart" | "ibkr" => Err(Refused::Provider(format!(
            "provider {name} is not served by this version; yahoo, sample and replay are"
        ))),
        _ => Err(Refused::Provider(format!(
            "provider {name:?} is unknown; allowed are yahoo, sample and replay"
        ))),
    }
}

/// The limits kept in the state folder; a dry run changes none.
fn throttle(config: &Config) -> Result<Throttle, Refused> {
    let folder = &config.state_directory;
    Ok(if config.dry_run { Throttle::open_to_read(folder) } else { Throttle::open(folder) }?)
}

/// The daily allowance of the account that the configuration has at a provider; `None` where there is none.
pub fn quota(config: &Config, name: &str) -> Option<Quota> {
    let settings = &config.barchart;
    let account = settings.username.as_ref().filter(|_| name == "barchart")?;
    Some(Quota::new("barchart", account.expose_secret(), settings.daily_limit.into(), "America/Chicago"))
}

/// Yahoo Finance, under the limits kept in the state folder.
pub fn yahoo(config: &Config) -> Result<Yahoo, Refused> {
    if !config.yahoo.enabled {
        return Err(Refused::Provider(
            "provider yahoo is switched off: providers.yahoo.enabled is false".to_owned(),
        ));
    }
    let throttle = Arc::new(throttle(config)?);
    let yahoo =
        Yahoo::new(&config.yahoo, throttle, clock()).map_err(|error| Refused::Invalid(error.to_string()))?;
    Ok(yahoo.agree_to_consent(config.yahoo_consent))
}
