//! The provider a job works with, made from the configuration.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Refused;
use crate::config::Config;
use crate::config::keys::PROVIDERS;
use crate::download::Clock;
use crate::provider::barchart::{Access, Barchart};
use crate::provider::ibkr::Ibkr;
use crate::provider::limits::pacing::MachineTime;
use crate::provider::limits::{Quota, Throttle, ThrottleError};
use crate::provider::sample::Sample;
use crate::provider::yahoo::Yahoo;
use crate::provider::{Provider, barchart, ibkr, sample, yahoo};

/// The providers that this version asks. Beside them there is `replay`, which asks nobody.
pub const ASKED: &[&str] = &[yahoo::NAME, barchart::NAME, ibkr::NAME, sample::NAME];

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
        barchart::NAME => Ok(Arc::new(barchart(config)?)),
        ibkr::NAME => Ok(Arc::new(ibkr(config)?)),
        _ => Err(Refused::Provider(format!(
            "provider {name:?} is unknown; allowed are {}",
            PROVIDERS.join(", ")
        ))),
    }
}

/// Whether a provider can be asked as the configuration is: whoever has no gateway and no account need not hear
/// that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// It can.
    Ready,
    /// The configuration has it off.
    Off,
    /// It needs an account, and there is none that can be used.
    NoAccount,
    /// Nothing in the configuration asks it; who has its gateway names it.
    Unused,
}

impl Readiness {
    /// The word, on D-Bus and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::Off => "off",
            Readiness::NoAccount => "no-account",
            Readiness::Unused => "unused",
        }
    }

    /// Why it is not asked; `None` where it can be.
    pub const fn why(self) -> Option<&'static str> {
        match self {
            Readiness::Ready => None,
            Readiness::Off => Some("switched off by its `enabled` in the configuration"),
            Readiness::NoAccount => Some(
                "there is no account, or its session cannot be read; `vortex providers --info barchart` tells the ways",
            ),
            Readiness::Unused => {
                Some("neither general.default_provider nor a watchlist names it; named, its gateway is asked")
            }
        }
    }
}

/// What the configuration says of a provider, before anything is asked.
pub fn readiness(config: &Config, name: &str) -> Readiness {
    let of_list = config.watchlists.values().any(|list| list.provider.as_deref() == Some(name));
    match name {
        yahoo::NAME if !config.yahoo.enabled => Readiness::Off,
        barchart::NAME if quota(config, name).is_none() => Readiness::NoAccount,
        ibkr::NAME if config.default_provider != name && !of_list => Readiness::Unused,
        _ => Readiness::Ready,
    }
}

/// The limits kept in the state folder; a dry run changes none.
fn throttle(config: &Config) -> Result<Throttle, Refused> {
    let folder = &config.state_directory;
    Ok(if config.dry_run { Throttle::open_to_read(folder) } else { Throttle::open(folder) }?)
}

/// The daily allowance of the account that the configuration has at a provider; `None` where there is none.
pub fn quota(config: &Config, name: &str) -> Option<Quota> {
    let access = (name == barchart::NAME).then(|| barchart::access(config))?.ok()?;
    (!matches!(access, Access::None)).then(|| barchart::quota(&config.barchart, &access))
}

/// How full the window is in which a provider counts what it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How much it holds.
    pub limit: i64,
    /// How much of that is used.
    pub used: i64,
    /// When something may be asked again, in seconds since the epoch; `None` where it may now.
    pub until: Option<i64>,
}

/// The window of the limits of a provider at `now`, in seconds since the epoch; `None` where it has none.
pub fn window(throttle: &Throttle, name: &str, now: i64) -> Result<Option<Window>, ThrottleError> {
    if name != ibkr::NAME {
        return Ok(None);
    }
    let (fullness, limit) = ibkr::fullness(throttle)?;
    let until = (fullness.wait > 0).then_some(now + fullness.wait);
    Ok(Some(Window { limit, used: fullness.used, until }))
}

/// Barchart, by the way that the configuration and the stored session allow.
pub fn barchart(config: &Config) -> Result<Barchart, Refused> {
    barchart_by(config, barchart::access(config).map_err(Refused::Invalid)?)
}

/// Barchart by one way.
pub fn barchart_by(config: &Config, access: Access) -> Result<Barchart, Refused> {
    let throttle = Arc::new(throttle(config)?);
    Barchart::new(&config.barchart, access, config.random_sleep_max, throttle, clock())
        .map_err(|error| Refused::Invalid(error.to_string()))
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

/// Interactive Brokers, under the limits kept in the state folder.
pub fn ibkr(config: &Config) -> Result<Ibkr, Refused> {
    Ok(Ibkr::new(&config.ibkr, throttle(config)?, clock(), Arc::new(MachineTime)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_but_the_replay_is_asked() {
        assert_eq!([ASKED, &["replay"]].concat(), PROVIDERS);
        assert_eq!([ASKED, &[crate::continuous::PROVIDER]].concat(), crate::bus::ARCHIVED);
    }
}
