//! Asking a person at a terminal.

use dialoguer::console::Term;
use tokio::signal::unix::{SignalKind, signal};

use super::error::{Error, Exit};

/// Asks so that Ctrl-C is an error in place of the end of the process: a menu hides the cursor, and
/// nobody else would show it again.
pub(super) fn interruptible<T>(ask: impl FnOnce() -> dialoguer::Result<T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let _caught = signal(SignalKind::interrupt())?;
    ask().map_err(|error| {
        // The first error is the one to tell.
        let _ = Term::stderr().show_cursor();
        match Error::from(error) {
            Error { exit: Exit::Interrupted, .. } => {
                Error::new(Exit::Interrupted, anyhow::anyhow!("interrupted; nothing was written"))
            }
            other => other,
        }
    })
}
