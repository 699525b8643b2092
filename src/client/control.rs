//! Verbs that tell the service something, and those that hand over to systemd's own tools.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::Context;
use super::args::{Global, LogsArgs};
use super::error::{Error, Outcome, of_bus};
use super::print::instant;
use super::service::Start;
use crate::bus;
use crate::exit::Exit;

/// systemd's manager, which knows the timers.
const SYSTEMD: &str = "org.freedesktop.systemd1";

/// A manager's method that takes nothing.
pub(super) async fn order(context: &Context, method: &str, said: &str) -> Outcome {
    let start = if method == "Resume" { Start::Allowed } else { Start::No };
    context.service.order(start, method).await?;
    done(context, json!({ "done": method.to_lowercase() }), said)
}

fn done(context: &Context, value: serde_json::Value, said: &str) -> Outcome {
    if context.global.json {
        return context.json(&value);
    }
    context.line(said)?;
    Ok(Exit::Done)
}

pub(super) async fn cancel(context: &Context, id: u32) -> Outcome {
    context.service.call(Start::No, (bus::ROOT, bus::MANAGER, "CancelJob"), &id).await?;
    done(
        context,
        json!({ "cancelled": id }),
        &format!("job {id} ends at its next commit, if it did not end already"),
    )
}

pub(super) async fn reset(context: &Context, provider: &str) -> Outcome {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let path = bus::provider_path(provider);
    if provider.is_empty() || !provider.chars().all(known) {
        return Err(Error::new(Exit::NoSuchObject, format!("there is no provider {provider:?}")));
    }
    let reset = context.service.call(Start::No, (&path, bus::PROVIDER, "Reset"), &()).await;
    reset.map_err(|error| match error.exit {
        Exit::NoSuchObject => Error::new(
            Exit::NoSuchObject,
            format!("there is no provider {provider:?}; `vortexctl providers` lists them"),
        ),
        _ => error,
    })?;
    done(
        context,
        json!({ "reset": provider }),
        &format!("{provider} may be asked again; what was counted today stays counted"),
    )
}

/// Reads the configuration again, and has systemd make its timers again.
pub(super) async fn reload(context: &Context) -> Outcome {
    context.service.order(Start::No, "Reload").await?;
    let mut said = "the configuration was read again".to_owned();
    if !context.service.private {
        let manager = context.service.call_other(SYSTEMD, "/org/freedesktop/systemd1", "Reload").await;
        match manager {
            Ok(_) => said.push_str(", and systemd made its timers again"),
            // Where nobody is there to make timers, none are needed.
            Err(zbus::Error::MethodError(name, _, _)) if name.as_str().ends_with("ServiceUnknown") => {}
            Err(_) => {
                let command = if context.service.system { "systemctl" } else { "systemctl --user" };
                said.push_str(&format!(
                    "; for changed schedules, `{command} daemon-reload` makes the timers again"
                ));
            }
        }
    }
    done(context, json!({ "reloaded": true }), &said)
}

pub(super) async fn ping(context: &Context) -> Outcome {
    let began = Instant::now();
    context.service.call(Start::No, (bus::ROOT, "org.freedesktop.DBus.Peer", "Ping"), &()).await?;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    done(context, json!({ "answered": true, "milliseconds": took }), &format!("answered in {took:.1} ms"))
}

pub(super) async fn version(context: &Context) -> Outcome {
    let manager = context.service.object(bus::ROOT, bus::MANAGER).await;
    let running = match &manager {
        Ok(manager) => manager.text("Version").to_owned(),
        Err(error) => return version_alone(&context.global, error),
    };
    let own = env!("CARGO_PKG_VERSION");
    let said = format!("vortexctl {own}\nvortex    {running}, running");
    done(context, json!({ "vortexctl": own, "service": running }), &said)
}

/// The version of this program, where the service cannot be asked.
pub(super) fn version_alone(global: &Global, error: &Error) -> Outcome {
    let own = env!("CARGO_PKG_VERSION");
    if global.json {
        println(&json!({ "vortexctl": own, "service": null }).to_string())?;
    } else {
        println(&format!("vortexctl {own}"))?;
    }
    match error.exit {
        Exit::NoService => Ok(Exit::NoService),
        _ => Err(of_bus(zbus::Error::Failure(error.said.clone()), global.system)),
    }
}

fn println(text: &str) -> Result<(), Error> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Whether the machine's service is meant, for tools that cannot look for it.
fn of_system(global: &Global) -> bool {
    global.system || (!global.user && nix::unistd::Uid::effective().is_root())
}

fn refuse_address(global: &Global, verb: &str) -> Result<(), Error> {
    match &global.address {
        None => Ok(()),
        Some(_) => {
            let said = format!(
                "{verb} asks systemd, which knows no service at an --address; the log of such a service is its standard error, or its file"
            );
            Err(Error::new(Exit::Usage, said))
        }
    }
}

pub(super) fn logs(global: &Global, args: &LogsArgs) -> Outcome {
    refuse_address(global, "logs")?;
    if let Some(provider) = &args.provider
        && !bus::ARCHIVED.contains(&provider.as_str())
    {
        let said = format!("there is no provider {provider:?}; there are {}", bus::ARCHIVED.join(", "));
        return Err(Error::new(Exit::Usage, said));
    }
    let mut command = Command::new("journalctl");
    command.arg(if of_system(global) { "--unit=vortex.service" } else { "--user-unit=vortex.service" });
    if global.no_pager {
        command.arg("--no-pager");
    }
    if global.json {
        command.arg("--output=json");
    }
    if args.follow {
        command.arg("--follow");
    }
    if let Some(lines) = args.lines {
        command.arg(format!("--lines={lines}"));
    } else if !args.follow {
        command.arg("--pager-end");
    }
    if let Some(since) = &args.since {
        command.arg(format!("--since={since}"));
    }
    let job = args.job.map(|job| job.to_string());
    let fields = [("VORTEX_JOB", &job), ("VORTEX_PROVIDER", &args.provider), ("VORTEX_SYMBOL", &args.symbol)];
    for (field, value) in fields {
        if let Some(value) = value {
            command.arg(format!("{field}={value}"));
        }
    }
    hand_over(command)
}

/// Without systemd the service keeps its schedules itself: when the next one is due.
pub(super) async fn next_run(context: &Context) -> Outcome {
    let objects = context.service.objects().await?;
    let manager = objects.iter().find(|object| object.interface == bus::MANAGER);
    let next = manager.map_or(0, |manager| manager.number("NextRunUSec"));
    let said = match next {
        0 => "none is scheduled".to_owned(),
        at => instant(at),
    };
    done(context, json!({ "next_run_usec": next }), &format!("Next run: {said} (kept by the service itself)"))
}

pub(super) fn timers(global: &Global) -> Outcome {
    refuse_address(global, "timers")?;
    let mut command = Command::new("systemctl");
    if !of_system(global) {
        command.arg("--user");
    }
    command.args(["list-timers", "--all", "vortex*"]);
    if global.no_pager {
        command.arg("--no-pager");
    }
    if global.json {
        command.arg("--output=json");
    }
    hand_over(command)
}

/// Becomes another program.
fn hand_over(mut command: Command) -> Outcome {
    let error = command.exec();
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Error::new(Exit::Failed, format!("{program} cannot be run: {error}; it comes with systemd")))
}
