//! `vortex providers --login`: takes over the session of a person's own browser.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use dialoguer::Password;
use serde_json::json;

use super::error::{Error, Exit, Outcome};
use super::output::line;
use super::prompt::interruptible;
use super::{Context, output};
use crate::config::file::{self, Accept};
use crate::provider::Refusal;
use crate::provider::barchart::session::Cookies;
use crate::provider::barchart::{self, Access};
use crate::request::source;

/// Far more than a browser's cookies of all sites.
const LONGEST: u64 = 4 << 20;

const EXPLAINED: &str = "\
Barchart lets browsers alone log in since August 2026. Vortex does not pass for one, but it may use the session
that your own browser has with your own account:

  1. Log in at https://www.barchart.com with your browser; tick \"remember me\".
  2. Open the developer tools (F12), tab Network, and reload the page. Click the first line, www.barchart.com; under
     Request Headers copy the value of Cookie.
  3. Paste it below. It is not shown.

A file does as well, from an add-on that exports cookies (cookies.txt or JSON):
  vortex providers --login barchart --cookies cookies.txt

Of it only what says who you are is kept (laravel_session, XSRF-TOKEN, remember_web_…). It is as good as your
password. Logging out in the browser ends it.
";

/// Reads cookies, tries them, and stores them where they are not refused.
pub(super) fn run(context: &Context, provider: &str, from: Option<&Path>) -> Outcome {
    if provider != barchart::NAME {
        return Err(Error::usage(format!(
            "--login {provider}: no session is needed there; barchart takes one"
        )));
    }
    let now = (source::clock())();
    let cookies = Cookies::read(&read(from)?, now).map_err(Error::usage)?;
    if context.config().dry_run {
        line(format_args!("found {}; a dry run asks nobody and stores nothing", cookies.names()))?;
        return Ok(Exit::Done);
    }
    let provider = source::barchart_by(context.config(), Access::Session(cookies.clone()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = match runtime.block_on(provider.look()) {
        Ok(said) => said,
        // The session may be good all the same.
        Err(refusal @ (Refusal::Unavailable { .. } | Refusal::Limited { .. })) => {
            format!("not tried: {refusal}")
        }
        Err(refusal) => {
            let said = format!("{refusal}\nNothing was stored.");
            return Err(Error::new(Exit::Failed, anyhow::Error::msg(said)));
        }
    };
    let file = barchart::session_file(&context.config().state_directory);
    cookies.store(&file).map_err(|said| Error::new(Exit::Failed, anyhow::Error::msg(said)))?;
    if context.global.json {
        output::json(&json!({ "stored": file, "cookies": cookies.names(), "message": said }))?;
        return Ok(Exit::Done);
    }
    line(format_args!("stored in {} (mode 0600): {}", file.display(), cookies.names()))?;
    line(said)?;
    if context.config().barchart.api_key.is_some() {
        line("providers.barchart.api_key is set and goes before it; take it out to use this session")?;
    }
    Ok(Exit::Done)
}

/// The cookies as they are given: by a file, by standard input, or by a person at a terminal.
fn read(from: Option<&Path>) -> Result<String, Error> {
    match from {
        Some(file) if file != Path::new("-") => file::read_named(file, Accept::FileOrPipe)
            .map_err(|error| Error::usage(format!("{}: {error}", file.display()))),
        None if io::stdin().is_terminal() => {
            line(EXPLAINED)?;
            interruptible(|| Password::new().with_prompt("Cookie").interact())
        }
        _ => {
            let mut text = String::new();
            io::stdin().take(LONGEST).read_to_string(&mut text)?;
            Ok(text)
        }
    }
}
