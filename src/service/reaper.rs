//! As the first process of a container the service is given the children of processes that ended before them, such
//! as those of a command by `docker exec`. Nobody else takes note of their end. It starts no process of its own,
//! so that there is none whose end somebody waits for.

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tokio::signal::unix::Signal;

/// Takes note of each end, from now on and of before.
pub(super) async fn reap(mut ended: Signal) {
    if std::process::id() != 1 {
        return;
    }
    loop {
        // One signal may stand for many.
        while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive) {
        }
        if ended.recv().await.is_none() {
            return;
        }
    }
}
