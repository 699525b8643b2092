//! `vortex daemon`: the service.

use super::Context;
use super::args::{BusName, DaemonArgs};
use super::error::{Error, Exit, Outcome};
use super::writer::archive_error;
use crate::config::Overrides;
use crate::service::engine::OpenError;
use crate::service::{self, Bus, Engine};

/// Runs the service until it is told to stop.
pub(super) fn run(context: Context, args: &DaemonArgs) -> Outcome {
    if context.config().dry_run {
        return Err(Error::usage("the service does what it is asked; --dry-run is for single commands"));
    }
    let bus = args.bus.map(|bus| match bus {
        BusName::User => Bus::User,
        BusName::System => Bus::System,
        BusName::Private => Bus::Private,
        BusName::None => Bus::None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .build()?;
    let Context { sources, loaded, .. } = context;
    let engine = Engine::open(sources, Overrides::default(), loaded.config).map_err(|error| match error {
        OpenError::Archive(error) => archive_error(error),
        OpenError::Limits(error) => Error::new(Exit::Failed, error),
    })?;
    let served = runtime.block_on(service::serve(engine, bus));
    // A job that did not come to its commit in time is left where it is; the next start goes on with it.
    runtime.shutdown_background();
    served.map_err(|error| Error::new(Exit::Failed, error))?;
    Ok(Exit::Done)
}
