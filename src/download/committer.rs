//! Commits of several series share their waits for the disk: the changes of all series whose answers are here
//! make one group.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// A change whose files are written.
    Ready(Box<Prepared>, Reply),
    /// A series is no longer to be waited for.
    Gone,
}

/// A series whose answer is here: as long as this lives a group waits for its change.
#[derive(Debug)]
pub(super) struct Coming {
    count: Arc<AtomicUsize>,
    queue: SyncSender<Message>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        // A full queue wakes the thread as well.
        let _ = self.queue.try_send(Message::Gone);
    }
}

/// A thread that commits what is handed to it.
#[derive(Debug)]
pub(super) struct Committer {
    writer: Arc<Writer>,
    coming: Arc<AtomicUsize>,
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// Starts the thread.
    pub(super) fn start(writer: Arc<Writer>) -> std::io::Result<Committer> {
        let (queue, ready) = sync_channel(GROUP);
        let (commits, coming) = (Arc::clone(&writer), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&coming);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || work(&commits, &ready, &count))?;
        Ok(Committer { writer, coming, queue, thread })
    }

    /// An answer is here, and its change soon follows.
    pub(super) fn announce(&self) -> Coming {
        self.coming.fetch_add(1, Ordering::SeqCst);
        Coming { count: Arc::clone(&self.coming), queue: self.queue.clone() }
    }

    /// Work that writes a change's files, blocking, and hands it over. `announced` is that of its answer.
    pub(super) fn submit(
        &self,
        change: Change,
        announced: Option<Coming>,
    ) -> impl FnOnce() -> Result<Submitted, Arc<ArchiveError>> + Send + 'static {
        let (writer, queue) = (Arc::clone(&self.writer), self.queue.clone());
        move || {
            let prepared = writer.prepare(change).map_err(Arc::new)?;
            let (added, changed) = (prepared.added, prepared.changed);
            let (reply, done) = oneshot::channel();
            queue
                .send(Message::Ready(Box::new(prepared), reply))
                .map_err(|_| Arc::new(ArchiveError::Refused("the committing thread has ended".to_owned())))?;
            drop(announced);
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

fn work(writer: &Writer, ready: &Receiver<Message>, coming: &AtomicUsize) {
    while let Ok(first) = ready.recv() {
        let (mut group, mut replies) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Ready(prepared, reply) = message {
                group.push(*prepared);
                replies.push(reply);
            }
            next = match group.len() {
                0 => None,
                GROUP.. => None,
                _ if coming.load(Ordering::SeqCst) > 0 => ready.recv().ok(),
                _ => ready.try_recv().ok(),
            };
        }
        if group.is_empty() {
            continue;
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
