//! A run with `--dry-run` among its options: what it would ask for is told, and nothing is asked or written.

use std::collections::BTreeMap;

use super::engine::Engine;
use crate::archive::ArchiveError;
use crate::download::{Survey, Surveyor, Target};
use crate::observe::logging::SCHEDULED;
use crate::provider::Provider;
use crate::request::source;

/// Tells it, in the log and in that of the scheduled runs.
pub(super) fn tell(
    engine: &Engine,
    id: u32,
    provider: &dyn Provider,
    targets: &[Target],
) -> Result<(), ArchiveError> {
    let archive = engine.archive();
    let counts = archive.session_counts(provider.archive_name())?;
    let surveyor = Surveyor::new(Some(archive), &counts, provider.archive_name(), (source::clock())())?;
    let (mut requests, mut skipped) = (Vec::new(), BTreeMap::<String, usize>::new());
    for target in targets {
        let limits = match provider.limits(target.instrument.class, target.key.period) {
            Ok(limits) => limits,
            Err(why) => {
                *skipped.entry(why).or_default() += 1;
                continue;
            }
        };
        if let Survey::Missing { plan, .. } = surveyor.look(target, limits)? {
            requests.extend(plan.windows.iter().map(|days| target.request(*days)));
        }
    }
    let series = targets.len();
    let name = provider.name();
    let effort = provider.effort(&requests).filter(|effort| effort.requests > 0);
    let effort = effort.map_or_else(String::new, |effort| format!("; {effort}"));
    let requests = requests.len();
    let said = format!(
        "job {id} is a dry run: {series} series, {requests} requests to {name}; nothing was asked or written{effort}"
    );
    let skipped = skipped.iter().map(|(why, series)| format!("job {id}: {series} series skipped: {why}"));
    for said in skipped.chain([said]) {
        tracing::info!(job = id, "{said}");
        tracing::info!(target: SCHEDULED, "{said}");
    }
    Ok(())
}
