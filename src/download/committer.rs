//! Commits of several series share their waits for the disk: while one group is being committed, the
//! changes that become ready meanwhile gather for the next.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::archive::{ArchiveError, Change, Committed, Prepared, Writer};

/// The most series in one intent.
const GROUP: usize = 32;

type Reply = oneshot::Sender<Result<Committed, Arc<ArchiveError>>>;

/// A change on its way.
pub(super) struct Submitted {
    /// Bars that were not stored.
    pub(super) added: u64,
    /// Bars that were stored with other values.
    pub(super) changed: u64,
    /// Learns when it is on disk.
    pub(super) done: oneshot::Receiver<Result<Committed, Arc<ArchiveError>>>,
}

/// A thread that commits what is handed to it.
#[derive(Debug)]
pub(super) struct Committer {
    writer: Arc<Writer>,
    queue: SyncSender<(Prepared, Reply)>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// Starts the thread.
    pub(super) fn start(writer: Arc<Writer>) -> std::io::Result<Committer> {
        let (queue, ready) = sync_channel(GROUP);
        let commits = Arc::clone(&writer);
        let thread =
            std::thread::Builder::new().name("committer".to_owned()).spawn(move || work(&commits, &ready))?;
        Ok(Committer { writer, queue, thread })
    }

    /// Work that writes a change's files, blocking, and hands it over.
    pub(super) fn submit(
        &self,
        change: Change,
    ) -> impl FnOnce() -> Result<Submitted, Arc<ArchiveError>> + Send + 'static {
        let (writer, queue) = (Arc::clone(&self.writer), self.queue.clone());
        move || {
            let prepared = writer.prepare(change).map_err(Arc::new)?;
            let (added, changed) = (prepared.added, prepared.changed);
            let (reply, done) = oneshot::channel();
            queue
                .send((prepared, reply))
                .map_err(|_| Arc::new(ArchiveError::Refused("the committing thread has ended".to_owned())))?;
            Ok(Submitted { added, changed, done })
        }
    }

    /// Commits what is left and ends the thread.
    pub(super) fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the committing thread ended abnormally");
        }
    }
}

fn work(writer: &Writer, ready: &Receiver<(Prepared, Reply)>) {
    while let Ok(first) = ready.recv() {
        let (mut group, mut replies) = (vec![first.0], vec![first.1]);
        while group.len() < GROUP
            && let Ok((prepared, reply)) = ready.try_recv()
        {
            group.push(prepared);
            replies.push(reply);
        }
        let shared = replies.len() as u64;
        let result = writer.commit(group).map_err(Arc::new);
        for (at, reply) in replies.into_iter().enumerate() {
            // Files are counted once a group. A receiver that is gone was interrupted.
            let mine = result.clone().map(|all| if at == 0 { all } else { Committed::default() });
            let _ = reply.send(mine);
        }
        tracing::trace!(series = shared, "committed");
    }
}
