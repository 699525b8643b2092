//! `vortex resilience`: limits, cool-downs and circuits of the providers, and closing them by hand.

use serde_json::json;

use super::args::{ResilienceArgs, ResilienceCommand};
use super::error::{Exit, Outcome};
use super::providers::known;
use super::{Context, output};
use crate::model::day::instant;
use crate::provider::limits::{self, Standing, State, Throttle};

/// Runs the command.
pub(super) fn run(context: &Context, args: &ResilienceArgs) -> Outcome {
    let state = &context.config().state_directory;
    let known = state.join(limits::FILE).exists();
    let throttle = if known { Throttle::open(state) } else { Throttle::in_memory() };
    let throttle = throttle.map_err(anyhow::Error::from)?;
    match &args.command {
        None | Some(ResilienceCommand::Show) => show(context, &throttle),
        Some(ResilienceCommand::Reset { provider }) => reset(context, &throttle, provider.as_deref()),
    }
}

fn show(context: &Context, throttle: &Throttle) -> Outcome {
    let standings = throttle.snapshot().map_err(anyhow::Error::from)?;
    if context.global.json {
        output::json(&standings.iter().map(standing_json).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if standings.is_empty() {
        output::line("no provider was asked so far")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = standings.iter().map(row).collect();
    output::table(&["Provider", "State", "Until", "Requests today", "Last success", "Last error"], &rows)?;
    Ok(Exit::Done)
}

fn until(state: State) -> Option<i64> {
    match state {
        State::Ready => None,
        State::Limited { until } | State::Broken { until } => Some(until),
    }
}

fn row(standing: &Standing) -> Vec<String> {
    let at = |seconds: i64| if seconds == 0 { "never".to_owned() } else { instant(seconds) };
    vec![
        standing.provider.clone(),
        standing.state.name().to_owned(),
        until(standing.state).map_or_else(String::new, instant),
        standing.requests_today.to_string(),
        at(standing.last_success),
        standing.last_error.clone(),
    ]
}

fn standing_json(standing: &Standing) -> serde_json::Value {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "provider": standing.provider, "state": standing.state.name(),
        "until": until(standing.state).and_then(stamp), "reason": text(&standing.reason),
        "refusals_in_a_row": standing.consecutive, "failures_in_a_row": standing.failures,
        "requests_today": standing.requests_today, "last_success": stamp(standing.last_success),
        "last_error_at": stamp(standing.last_error_at), "last_error": text(&standing.last_error),
    })
}

/// An instant for programs; none where it is 0, which is never.
fn stamp(seconds: i64) -> Option<String> {
    output::stamp(seconds).filter(|_| seconds != 0)
}

fn reset(context: &Context, throttle: &Throttle, provider: Option<&str>) -> Outcome {
    let standings = throttle.snapshot().map_err(anyhow::Error::from)?;
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
        throttle.reset(name).map_err(anyhow::Error::from)?;
    }
    output::line(format!("{} may be asked again; what was counted today stays counted", names.join(", ")))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: State, last_success: i64, last_error: &str) -> Standing {
        Standing {
            provider: "yahoo".to_owned(),
            state,
            reason: last_error.to_owned(),
            consecutive: 0,
            failures: 0,
            last_success,
            last_error_at: last_success,
            last_error: last_error.to_owned(),
            requests_today: 7,
        }
    }

    #[test]
    fn what_never_was_is_null() {
        let json = standing_json(&standing(State::Ready, 0, ""));
        for field in ["until", "reason", "last_success", "last_error_at", "last_error"] {
            assert!(json[field].is_null(), "{field}: {json}");
        }
        let json = standing_json(&standing(State::Limited { until: 1_717_430_400 }, 1_717_430_399, "429"));
        assert_eq!(json["until"], "2024-06-03T16:00:00Z");
        assert_eq!(json["last_success"], "2024-06-03T15:59:59Z");
        assert_eq!(json["last_error"], "429");
    }
}
