//! `vortex resilience`: limits, cool-downs and circuits of the providers, and closing them by hand.

use std::path::Path;

use serde_json::json;

use super::args::{ResilienceArgs, ResilienceCommand};
use super::error::{Error, Exit, Outcome};
use super::providers::known;
use super::{Context, output};
use crate::model::day::instant;
use crate::provider::Allowance;
use crate::provider::limits::{self, Standing, State, Throttle};
use crate::request::source::{self, Window};

/// Runs the command.
pub(super) fn run(context: &Context, args: &ResilienceArgs) -> Outcome {
    let state = &context.config().state_directory;
    match &args.command {
        None | Some(ResilienceCommand::Show) => show(context, &Throttle::open_to_read(state)?),
        Some(ResilienceCommand::Reset { provider }) => reset(context, state, provider.as_deref()),
    }
}

/// What is known of a provider, with the account's allowance where it has one.
struct Known {
    standing: Standing,
    allowance: Option<Allowance>,
    window: Option<Window>,
}

impl Known {
    fn new(context: &Context, throttle: &Throttle, standing: Standing) -> Result<Known, Error> {
        let quota = source::quota(context.config(), &standing.provider);
        let now = (source::clock())();
        let allowance = quota.map(|quota| throttle.allowance(&quota, now)).transpose()?;
        let window = source::window(throttle, &standing.provider, now)?;
        Ok(Known { standing, allowance, window })
    }

    /// Its state; one whose allowance or window is used up is limited.
    fn state(&self) -> State {
        let of_window = self.window.and_then(|window| window.until);
        let waits = self.allowance.and_then(|allowance| allowance.waits_until()).or(of_window);
        match (self.standing.state, waits) {
            (State::Limited { until }, Some(waits)) => State::Limited { until: until.max(waits) },
            (_, Some(until)) => State::Limited { until },
            (state, None) => state,
        }
    }
}

fn show(context: &Context, throttle: &Throttle) -> Outcome {
    let standings = throttle.snapshot()?.into_iter();
    let known: Vec<_> =
        standings.map(|standing| Known::new(context, throttle, standing)).collect::<Result<_, _>>()?;
    if context.global.json {
        output::json(&known.iter().map(json_of).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if known.is_empty() {
        output::line("no provider was asked so far")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = known.iter().map(row).collect();
    let head =
        ["Provider", "State", "Until", "Requests today", "Allowance used", "Last success", "Last error"];
    output::table(&head, &rows)?;
    Ok(Exit::Done)
}

fn until(state: State) -> Option<i64> {
    match state {
        State::Ready => None,
        State::Limited { until } | State::Broken { until } => Some(until),
    }
}

fn row(known: &Known) -> Vec<String> {
    let (standing, state) = (&known.standing, known.state());
    let of_day = known.allowance.map(|allowance| format!("{} of {}", allowance.used, allowance.limit));
    let of_window = known.window.map(|window| format!("{} of {} in ten minutes", window.used, window.limit));
    let used = of_day.or(of_window);
    let at = |seconds: i64| if seconds == 0 { "never".to_owned() } else { instant(seconds) };
    vec![
        standing.provider.clone(),
        state.name().to_owned(),
        until(state).map_or_else(String::new, instant),
        standing.requests_today.to_string(),
        used.unwrap_or_default(),
        at(standing.last_success),
        standing.last_error.clone(),
    ]
}

fn json_of(known: &Known) -> serde_json::Value {
    let (standing, state) = (&known.standing, known.state());
    let allowance = known.allowance.as_ref();
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "provider": standing.provider, "state": state.name(),
        "until": until(state).and_then(stamp), "reason": text(&standing.reason),
        "refusals_in_a_row": standing.consecutive, "failures_in_a_row": standing.failures,
        "requests_today": standing.requests_today, "last_success": stamp(standing.last_success),
        "last_error_at": stamp(standing.last_error_at), "last_error": text(&standing.last_error),
        "daily_limit": allowance.map(|it| it.limit), "used_today": allowance.map(|it| it.used),
        "resets": allowance.and_then(|it| stamp(it.resets)),
        "window_limit": known.window.map(|it| it.limit), "window_used": known.window.map(|it| it.used),
    })
}

/// An instant for programs; none where it is 0, which is never.
fn stamp(seconds: i64) -> Option<String> {
    output::stamp(seconds).filter(|_| seconds != 0)
}

fn reset(context: &Context, state: &Path, provider: Option<&str>) -> Outcome {
    let changes = !context.config().dry_run && state.join(limits::FILE).exists();
    let throttle = if changes { Throttle::open(state) } else { Throttle::open_to_read(state) }?;
    let standings = throttle.snapshot()?;
    let asked: Vec<String> = standings.into_iter().map(|standing| standing.provider).collect();
    let names: Vec<&str> = match provider {
        Some(name) => known(name, false)?,
        None => asked.iter().map(String::as_str).collect(),
    };
    if names.is_empty() {
        output::line("no provider was asked so far")?;
        return Ok(Exit::Done);
    }
    if context.config().dry_run {
        output::line(format!("{} would be asked again; nothing was written", names.join(", ")))?;
        return Ok(Exit::Done);
    }
    for name in &names {
        throttle.reset(name)?;
    }
    output::line(format!("{} may be asked again; what was counted today stays counted", names.join(", ")))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(state: State, last_success: i64, last_error: &str) -> Known {
        let standing = Standing {
            provider: "yahoo".to_owned(),
            state,
            reason: last_error.to_owned(),
            consecutive: 0,
            failures: 0,
            last_success,
            last_error_at: last_success,
            last_error: last_error.to_owned(),
            requests_today: 7,
        };
        Known { standing, allowance: None, window: None }
    }

    #[test]
    fn what_never_was_is_null() {
        let json = json_of(&known(State::Ready, 0, ""));
        for field in [
            "until",
            "reason",
            "last_success",
            "last_error_at",
            "last_error",
            "daily_limit",
            "resets",
            "window_used",
        ] {
            assert!(json[field].is_null(), "{field}: {json}");
        }
        let json = json_of(&known(State::Limited { until: 1_717_430_400 }, 1_717_430_399, "429"));
        assert_eq!(json["until"], "2024-06-03T16:00:00Z");
        assert_eq!(json["last_success"], "2024-06-03T15:59:59Z");
        assert_eq!(json["last_error"], "429");
    }

    #[test]
    fn who_has_used_up_his_allowance_is_limited_until_there_is_more() {
        let quota = limits::Quota::new("barchart", "", 2, "America/Chicago");
        let whole = quota.whole(1_717_430_400);
        let with =
            |used| Known { allowance: Some(Allowance { used, ..whole }), ..known(State::Ready, 0, "") };
        assert_eq!(json_of(&with(1))["state"], "ready");
        let json = json_of(&with(2));
        assert_eq!(json["state"], "limited");
        assert_eq!(json["until"], "2024-06-04T05:05:00Z");
        assert_eq!(json["resets"], json["until"]);
        assert_eq!(row(&with(2))[4], "2 of 2");
    }
}
