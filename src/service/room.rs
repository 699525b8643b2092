//! A disk that is full when the service starts. There may be room soon, and a person should read meanwhile what is
//! missing: the start is tried again for a while, and only then fails.

use std::sync::Arc;
use std::time::Duration;

use super::engine::{Engine, OpenError};
use super::{Asked, Told, systemd};

/// A start may take this long until it fails. Whoever starts it again then, as systemd does, is not held up for
/// long, and does not do it often enough to give it up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Opens what the service needs; `None` where it is told to stop before there is room.
pub(super) async fn open(
    open: impl Fn() -> Result<Arc<Engine>, OpenError>,
    told: &mut Told,
) -> Result<Option<Arc<Engine>>, OpenError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut said = false;
    loop {
        let refused = match open() {
            Err(refused) if refused.is_full() && tokio::time::Instant::now() < until => refused,
            opened => return opened.map(Some),
        };
        if !said {
            tracing::error!("waiting for room: {refused}");
            systemd::waits(&format!("Waiting for room: {refused}"));
            said = true;
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_EVERY) => {}
            asked = told.next() => if asked == Asked::Stop { return Ok(None) },
        }
    }
}
